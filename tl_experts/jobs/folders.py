"""Folders that appear whole or not at all, and locks on folders."""

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from tl_experts.errors import ArtefactError
from tl_experts.jobs.files import not_writable, temporary_path
from tl_experts.jobs.paths import user_path

log = logging.getLogger(__name__)


def build_folder(target: Path, build: Callable[[Path], None], *, replace: bool = False) -> Path:
    """Create a folder that appears whole or not at all.

    If two processes build it at once, the first to finish wins and the other's work is discarded.

    Args:
        target: the folder.
        build: fills an empty folder next to the target, which is then renamed.
        replace: replace an existing target; otherwise it is kept.

    Raises:
        ArtefactError: the target cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_path(target)
        temporary.mkdir()
    except OSError as error:
        raise not_writable(target, error) from error
    try:
        build(temporary)
        try:
            if replace and target.is_dir():
                shutil.rmtree(target.rename(temporary_path(target)))
            temporary.rename(target)
        except OSError as error:
            if not target.is_dir():
                raise not_writable(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


@contextlib.contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Keep other processes out of a folder during the block. The lock ends with the process, also a killed one.

    Raises:
        ArtefactError: another process holds the lock, or the folder cannot be written.
    """
    path = user_path(folder) / ".lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a")
    except OSError as error:
        raise not_writable(path, error) from error
    with stream:
        _lock(stream, path.parent)
        yield


def _lock(stream: IO[str], folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ArtefactError(
            f"another process is working in {folder}; wait until it ends, or choose another folder"
        ) from error
    except OSError as error:  # a network file system without locks
        log.info("%s is not locked: %s", folder, error.strerror)
