"""Paths from what users give: ``~`` is expanded, and a name never leads out of its folder."""

from pathlib import Path

from tl_experts.errors import ArtefactError, TLExpertsError

LONGEST_NAME = 150
"""Bytes of a name, at most. File systems allow 255; temporary files next to a target have longer names than it."""


RUNS = Path("tl-experts-runs")
"""Where a run is saved unless a folder is given, in the working folder."""


def user_path(path: str | Path) -> Path:
    """A path that a user gives, with ``~`` expanded to the home folder.

    Raises:
        TLExpertsError: it is neither a string nor a path, or names the home folder of an unknown user.
    """
    try:
        return Path(path).expanduser()
    except TypeError as error:
        raise TLExpertsError(f"{path!r} is not a path; expected a string or a pathlib.Path") from error
    except RuntimeError as error:
        raise TLExpertsError(f"{str(path)!r}: the home folder is not known; give the path without '~'") from error


def require_name(name: object, what: str, error: type[TLExpertsError] = ArtefactError) -> None:
    """Refuse a name that could lead out of a folder, or that some file system does not allow.

    Args:
        name: of a file or a folder.
        what: what has this name, for the message.
        error: the error to raise.
    """
    if not _is_name(name):
        shown = repr(name) if len(repr(name)) <= LONGEST_NAME else f"{repr(name)[:60]}..."
        raise error(
            f"{what} {shown} cannot be the name of a file; expected 1 to {LONGEST_NAME} bytes, not '.' or '..', "
            "without '/', '\\', ':' or control characters"
        )


def path_of_name(folder: Path, name: str, suffix: str = "") -> Path:
    """The path of a name inside a folder: the only way from a name to a path.

    Raises:
        ArtefactError: the name could lead out of the folder.
    """
    require_name(name, f"{folder}:")
    return folder / f"{name}{suffix}"


def _is_name(name: object) -> bool:
    if not isinstance(name, str) or name in ("", ".", ".."):
        return False
    if any(letter in "/\\:" or ord(letter) < 32 for letter in name):
        return False
    try:
        return len(name.encode()) <= LONGEST_NAME
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
