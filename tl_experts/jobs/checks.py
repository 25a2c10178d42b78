"""Options read from a file: each checked against the annotated type of its field."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Self, cast, get_args, get_origin, get_type_hints

from tl_experts.errors import StudyError, TLExpertsError, near, require_choice
from tl_experts.jobs.paths import user_path

_KINDS = {str: "a text", int: "a whole number", float: "a number"}


class FileOptions:
    """Options that a TOML or JSON file gives, as a frozen dataclass that derives from this class."""

    what = "options"  # without a type, so that it is not one of the options
    """What messages call them."""

    def as_dict(self) -> dict[str, Any]:
        """The options in the form of JSON."""
        options = {field.name: getattr(self, field.name) for field in fields(cast("Any", self))}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}

    @classmethod
    def from_dict(cls, options: Mapping[str, Any], where: str | None = None) -> Self:
        """Options by name, as read from TOML or JSON.

        Raises:
            StudyError: an option is unknown, missing or invalid.
        """
        require_options(
            cls, options, {"name": "polyglot-mini", "model": "polyglot-mini"}, where or cls.what, StudyError
        )
        return cls(**options)

    @classmethod
    def of_file(cls, source: str | Path, shipped: Mapping[str, Path]) -> Self:
        """The options of a shipped file, by name, or of a TOML file; one without a name has its file's.

        Raises:
            StudyError: the source is neither a file nor shipped, is not TOML, or has invalid options.
        """
        path = shipped.get(str(source)) or user_path(source)
        if not path.is_file():
            raise StudyError(
                f"no {cls.what} {str(source)!r}: neither a TOML file nor a shipped one; {near(source, shipped)}"
            )
        return cls.from_dict({"name": path.stem} | read_toml(path, StudyError), str(path))


def shipped_files(module: str) -> dict[str, Path]:
    """The TOML files in the folder ``configs`` beside a module's file, by name."""
    return {path.stem: path for path in sorted((Path(module).parent / "configs").glob("*.toml"))}


def checked_option(name: str, kind: Any, value: Any, least: Mapping[str, int], error: type[TLExpertsError]) -> Any:
    """The value of an option, as its annotated type.

    Args:
        name: of the option, for messages.
        kind: a text, number, `Literal`, tuple of these, or one of these or None.
        value: as TOML or JSON gives it: a tuple may be a list.
        least: the smallest value of some options, or of their items.
        error: what is raised.

    Raises:
        TLExpertsError: of the given kind: the value is not of this type, or too small.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        require_choice(value, inner, name, error)
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise error(f"{name} is {value!r}; expected a list")
        return tuple(checked_option(name, inner[0], item, least, error) for item in value)
    if origin is UnionType:  # int | None
        return None if value is None else checked_option(name, inner[0], value, least, error)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or isinstance(value, bool) or (kind is float and not math.isfinite(value)):
        raise error(f"{name} is {value!r}; expected {_KINDS[kind]}")
    if name in least and value < least[name]:
        raise error(f"{name} is {value}; expected {least[name]} or more")
    return value


def require_options(
    kind: type, options: Mapping[str, Any], needed: Mapping[str, str], where: str, error: type[TLExpertsError]
) -> None:
    """Refuse options by name that a dataclass does not have, or that are missing.

    Args:
        kind: the dataclass.
        options: by name, as read from TOML or JSON.
        needed: an example of each option that must be given.
        where: the file, for messages.
        error: what is raised.

    Raises:
        TLExpertsError: of the given kind: an option is unknown or missing.
    """
    known = list(get_type_hints(kind))
    for name in options:
        if name not in known:
            raise error(f"{where}: option {name!r} is not known; {near(name, known)}")
    missing = [name for name in needed if name not in options]
    if missing:
        raise error(f"{where}: {' and '.join(missing)} must be given, as in {missing[0]} = {needed[missing[0]]!r}")


def read_toml(path: Path, error: type[TLExpertsError]) -> dict[str, Any]:
    """A TOML file.

    Raises:
        TLExpertsError: of the given kind: the file is not TOML, or cannot be read.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as reason:
        raise error(f"{path} is not TOML: {reason}") from reason
