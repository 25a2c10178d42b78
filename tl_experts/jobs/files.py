"""Every artefact on disk: tensors as safetensors, the rest as JSON, each file written aside and renamed.

The only module that writes files. An artefact is a folder of ``<kind>.safetensors`` and ``<kind>.json`` (which
carries the SHA-256 of the former and is written last), or one ``.safetensors`` file with the JSON in its header.
Nothing is ever pickled.
"""

import contextlib
import csv
import glob
import hashlib
import json
import logging
import os
import platform
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tl_experts.errors import ArtefactError

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SCHEMA = 1
"""Version of the layout of artefacts."""

INSPECTOR_PAGE = "inspector.html"
"""The page of a run's experts, in its folder."""

Arrays = Mapping[str, NDArray[Any]]


def save_artefact(path: str | Path, kind: str, arrays: Arrays, header: Mapping[str, Any]) -> Path:
    """Write an artefact: a folder, or one file where the path ends in ``.safetensors``.

    Args:
        path: folder or file; parents are made.
        kind: what it is ("experts"); checked on reading.
        arrays: numeric arrays by name.
        header: anything JSON can hold.

    Returns:
        The path.

    Raises:
        ArtefactError: the place cannot be written; what was there before is still there then.
    """
    from safetensors.numpy import save

    target = Path(path)
    document = {**header, "kind": kind, "schema": SCHEMA}
    packed = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    if target.suffix == ".safetensors":
        document["sha256"] = hashlib.sha256(save(packed)).hexdigest()
        _write(target, save(packed, metadata={"tl_experts": json.dumps(document, ensure_ascii=False)}))
        return target
    if target.is_file():
        raise ArtefactError(f"{target} is a file; give a folder, or a name that ends in .safetensors")
    content = save(packed)
    document["sha256"] = hashlib.sha256(content).hexdigest()
    text = json.dumps(document, indent=1, ensure_ascii=False).encode()
    # Both are written aside before either is renamed: a full disk changes nothing. The header is renamed last.
    with _aside(target / f"{kind}.json") as header_aside, _aside(target / f"{kind}.safetensors") as tensors_aside:
        header_aside.write_bytes(text)
        tensors_aside.write_bytes(content)
    return target


def load_artefact(path: str | Path, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read an artefact back.

    Returns:
        The arrays and the header.

    Raises:
        ArtefactError: nothing there, damaged, of another kind or of a newer schema.
    """
    from safetensors.numpy import save

    source = Path(path)
    if source.is_dir():
        others = sorted(path.stem for path in source.glob("*.json"))
        if others and kind not in others:
            raise ArtefactError(f"{source} holds {', '.join(map(repr, others))}; expected {kind!r}")
        document = _read_json(source / f"{kind}.json")
        content = _read_bytes(source / f"{kind}.safetensors")
        if hashlib.sha256(content).hexdigest() != document.get("sha256"):
            raise ArtefactError(
                f"{source / kind}.safetensors does not match the checksum in {kind}.json: it is damaged or of another "
                "save; make it again"
            )
        arrays, _ = _unpack(content, source)
    else:
        arrays, document = _unpack(_read_bytes(source), source)
        if (
            document.get("sha256", "") != hashlib.sha256(save(arrays)).hexdigest()
            and document.get("kind") == kind
            and document.get("schema") == SCHEMA
        ):
            raise ArtefactError(f"{source} does not match its own checksum: it is damaged; make it again")
    if document.get("kind") != kind:
        raise ArtefactError(f"{source} holds {document.get('kind')!r}; expected {kind!r}")
    if document.get("schema") != SCHEMA:
        raise ArtefactError(
            f"{source} has schema {document.get('schema')!r}, this version reads {SCHEMA}; make it again"
        )
    return arrays, document


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write a CSV file (UTF-8, with header)."""
    target = Path(path)

    def fill(stream: Any) -> None:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)

    with _aside(target) as aside, aside.open("w", encoding="utf-8", newline="") as stream:
        fill(stream)
    return target


def write_frame(path: str | Path, frame: "pd.DataFrame") -> list[Path]:
    """Write a table twice, as ``.parquet`` and ``.csv``.

    Args:
        path: without suffix.
        frame: its index is not kept.

    Returns:
        Both paths.
    """
    target = Path(path)
    parquet, text = target.with_name(f"{target.name}.parquet"), target.with_name(f"{target.name}.csv")
    with _aside(parquet) as parquet_aside, _aside(text) as text_aside:
        frame.to_parquet(parquet_aside, index=False)
        frame.to_csv(text_aside, index=False)
    return [parquet, text]


def write_json(path: str | Path, document: Any) -> Path:
    """Write a JSON file."""
    target = Path(path)
    _write(target, json.dumps(document, indent=1, ensure_ascii=False).encode())
    return target


def write_text(path: str | Path, text: str) -> Path:
    """Write a UTF-8 text file."""
    target = Path(path)
    _write(target, text.encode())
    return target


def write_array(path: str | Path, array: NDArray[Any]) -> str:
    """Write a ``.npy`` file.

    Returns:
        The SHA-256 of the file, hexadecimal.
    """
    target = Path(path)
    with _aside(target) as aside:
        with aside.open("wb") as stream:
            np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
        return checksum(aside)


def read_array(path: str | Path, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """A ``.npy`` file, mapped into memory; nothing of it is read before it is asked for.

    Raises:
        ArtefactError: not there, no such file, or not of this shape and dtype (checked before anything is mapped).
    """
    source = Path(path)
    try:
        array: NDArray[Any] = np.load(source, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise ArtefactError(f"{source} cannot be read: {error.strerror or error}; is the path right?") from error
    except (
        ValueError,
        EOFError,
        SyntaxError,
        TypeError,
        OverflowError,
        MemoryError,
        RecursionError,
        TokenError,
    ) as error:
        raise ArtefactError(f"{source} is no readable .npy file ({error}); make it again") from error
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise ArtefactError(f"{source} holds {array.dtype} {array.shape}; expected {dtype} {shape}; make it again")
    return array


def checksum(path: str | Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    source = Path(path)
    try:
        with source.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ArtefactError(f"{source} cannot be read: {error.strerror}; is the path right?") from error


def read_json(path: str | Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ArtefactError: not there, damaged, or no object.
    """
    return _read_json(Path(path))


def mapped_array(path: str | Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A float32 array of zeros that lies in a new ``.npy`` file, mapped: room beyond the memory."""
    try:
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    except OSError as error:
        raise ArtefactError(f"{path} cannot be written: {error.strerror or error}") from error


def build_folder(target: Path, build: Callable[[Path], None], *, replace: bool = False) -> Path:
    """Make a folder by `build` (given an empty folder beside it), which appears whole or not at all.

    If two processes build it at once, the first to finish wins and the other's work is thrown away; with `replace`
    it takes the place of what is there.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = _name_aside(target)
        aside.mkdir()
    except OSError as error:
        raise ArtefactError(
            f"{target} cannot be written: {error.strerror}; choose a folder you may write to"
        ) from error
    try:
        build(aside)
        try:
            if replace and target.is_dir():
                shutil.rmtree(target.rename(_name_aside(target)))
            aside.rename(target)
        except OSError as error:
            if not target.is_dir():
                raise ArtefactError(
                    f"{target} cannot be written: {error.strerror}; choose a folder you may write to"
                ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


@contextlib.contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Keep other processes out of a folder while the block runs; a process that ends, however, lets go.

    Raises:
        ArtefactError: another process is in it, or it cannot be written.
    """
    path = Path(folder) / ".lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a")
    except OSError as error:
        raise ArtefactError(f"{path} cannot be written: {error.strerror}; choose a folder you may write to") from error
    with stream:
        _lock(stream, path.parent)
        yield


def _lock(stream: IO[str], folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ArtefactError(
            f"another process is working in {folder}; wait until it ends, or choose another folder"
        ) from error
    except OSError as error:  # a network file system without locks
        log.info("%s is not locked: %s", folder, error.strerror)


def join_files(parts: Sequence[Path], target: Path) -> str:
    """Concatenate files into one.

    Returns:
        The SHA-256 of the whole, hexadecimal.
    """
    digest = hashlib.sha256()
    missing = next((part for part in parts if not part.is_file()), None)
    if missing:
        raise ArtefactError(f"{missing} cannot be read: No such file; is the path right?")
    with _aside(target) as aside, aside.open("wb") as stream:
        for part in parts:
            with part.open("rb") as piece:
                while block := piece.read(1 << 20):
                    digest.update(block)
                    stream.write(block)
    return digest.hexdigest()


def _name_aside(target: Path) -> Path:
    """A name beside the target that tells who writes there; what a killed process of this host left is removed."""
    # tempfile's own names come with permissions that would lock others out of a shared cache.
    start = f".{target.name}-{platform.node()[:40]}."
    for abandoned in target.parent.glob(f"{glob.escape(start)}*-*"):
        writer = abandoned.name.removeprefix(start).partition("-")[0]
        if writer.isdecimal() and not _alive(int(writer)):
            log.info("removed: %s, left by a process that ended", abandoned)
            if abandoned.is_dir():
                shutil.rmtree(abandoned, ignore_errors=True)
            else:
                abandoned.unlink(missing_ok=True)
    return target.with_name(f"{start}{os.getpid()}-{secrets.token_hex(8)}")


def _alive(process: int) -> bool:
    if os.name != "posix":
        return True  # there, signal 0 is not a question
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's, or no way to tell
    return True


@contextlib.contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """A temporary file beside the target, renamed onto it when the block ends well, removed when not."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = _name_aside(target)
        aside.touch(exist_ok=False)
    except OSError as error:
        raise ArtefactError(f"{target} cannot be written: {error.strerror}; choose a place you may write to") from error
    try:
        yield aside
        aside.replace(target)
    except OSError as error:
        # NumPy tells of a full disk by how much it wrote, and no error number.
        reason = error.strerror or f"{error} (is the disk full?)"
        raise ArtefactError(
            f"{target} cannot be written: {reason}; nothing was changed. Make room, then run the same call again"
        ) from error
    finally:
        aside.unlink(missing_ok=True)


def _write(target: Path, content: bytes) -> None:
    with _aside(target) as aside:
        aside.write_bytes(content)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read: {error.strerror}; is the path right?") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(_read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"{path} is damaged ({error}); make it again") from error
    if not isinstance(document, dict):
        raise ArtefactError(f"{path} holds a {type(document).__name__}; expected a JSON object")
    return document


def _unpack(content: bytes, source: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__") or {}
        document = json.loads(metadata.get("tl_experts", "{}"))
    except (SafetensorError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ArtefactError(f"{source} is no readable safetensors file ({error}); make it again") from error
    if not isinstance(document, dict):
        raise ArtefactError(f"{source} holds a {type(document).__name__}; expected a JSON object")
    return arrays, document
