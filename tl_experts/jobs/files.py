"""Files that are whole or absent: each is written next to its target and renamed. JSON, text, bytes and checksums."""

import contextlib
import glob
import hashlib
import json
import logging
import os
import platform
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tl_experts.errors import ArtefactError
from tl_experts.jobs.paths import user_path

log = logging.getLogger(__name__)

INSPECTOR_PAGE = "inspector.html"
REPORT_PAGE = "report.html"
"""The page of a run's experts, in its folder."""

BLOCK = 1 << 20
"""Bytes that are copied at a time."""


@contextlib.contextmanager
def written(target: Path) -> Iterator[Path]:
    """A temporary file next to the target, renamed onto it if the block succeeds and removed if it fails.

    Raises:
        ArtefactError: the target cannot be written; its former content is unchanged.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_path(target)
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise not_writable(target, error) from error
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        # NumPy reports a full disk by the amount that it wrote, without an error number.
        reason = error.strerror or f"{error} (is the disk full?)"
        raise ArtefactError(
            f"{target} cannot be written: {reason}; nothing was changed. Free some space, then run the same call again"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Write a file."""
    target = user_path(path)
    with written(target) as temporary:
        temporary.write_bytes(content)
    return target


def write_text(path: str | Path, text: str) -> Path:
    """Write a UTF-8 text file."""
    return write_bytes(path, text.encode())


def write_json(path: str | Path, document: Any) -> Path:
    """Write a JSON file."""
    return write_text(path, json.dumps(document, indent=1, ensure_ascii=False))


def read_bytes(path: str | Path) -> bytes:
    """The content of a file.

    Raises:
        ArtefactError: the file cannot be read.
    """
    source = user_path(path)
    try:
        return source.read_bytes()
    except OSError as error:
        raise not_readable(source, error) from error


def read_json(path: str | Path, fix: str = "create it again") -> dict[str, Any]:
    """A JSON object.

    Args:
        path: of the file.
        fix: what the user can do about a damaged file.

    Raises:
        ArtefactError: the file is missing or damaged, or holds something else than an object.
    """
    return parse_object(read_bytes(path), str(path), fix)


def parse_object(content: bytes | str, source: str, fix: str = "create it again") -> dict[str, Any]:
    """A JSON object from its text.

    Args:
        content: the text, or its UTF-8 bytes.
        source: where it is from, for messages.
        fix: what the user can do about a damaged file.

    Raises:
        ArtefactError: it is damaged, or something else than an object.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"{source} is damaged ({error}); {fix}") from error
    if not isinstance(document, dict):
        raise ArtefactError(f"{source} holds a {type(document).__name__}; expected a JSON object; {fix}")
    return document


def checksum(path: str | Path) -> str:
    """The SHA-256 of a file, hexadecimal.

    Raises:
        ArtefactError: the file cannot be read.
    """
    source = user_path(path)
    try:
        with source.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise not_readable(source, error) from error


def join_files(parts: Sequence[Path], target: Path) -> str:
    """Concatenate files into one.

    Returns:
        The SHA-256 of the whole, hexadecimal.

    Raises:
        ArtefactError: a part is missing, or the target cannot be written.
    """
    digest = hashlib.sha256()
    missing = next((part for part in parts if not part.is_file()), None)
    if missing:
        raise not_readable(missing, FileNotFoundError(2, "No such file"))
    with written(target) as temporary, temporary.open("wb") as stream:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(BLOCK):
                    digest.update(block)
                    stream.write(block)
    return digest.hexdigest()


def not_writable(path: Path, error: OSError) -> ArtefactError:
    """The error of a file or folder that cannot be written."""
    return ArtefactError(f"{path} cannot be written: {error.strerror or error}; choose a folder you may write to")


def not_readable(path: Path, error: OSError) -> ArtefactError:
    """The error of a file that cannot be read."""
    return ArtefactError(f"{path} cannot be read: {error.strerror or error}; is the path right?")


def temporary_path(target: Path) -> Path:
    """A name next to the target that tells which process writes there.

    Leftovers of processes of this machine that were killed are removed.
    """
    # Not a name of `tempfile`: its permissions would lock others out of a shared cache.
    start = f".{target.name}-{platform.node()[:40]}."
    for abandoned in target.parent.glob(f"{glob.escape(start)}*-*"):
        writer = abandoned.name.removeprefix(start).partition("-")[0]
        if writer.isdecimal() and not _alive(int(writer)):
            log.info("removed: %s, the leftover of a process that ended", abandoned)
            _remove(abandoned)
    return target.with_name(f"{start}{os.getpid()}-{secrets.token_hex(8)}")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    if os.name != "posix":
        return True  # signal 0 does not ask there: it ends the process
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's process, or a number that cannot be asked for
    return True
