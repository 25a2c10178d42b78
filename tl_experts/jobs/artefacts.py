"""Saved results: tensors as safetensors and a JSON header with a checksum. Nothing is ever pickled.

An artefact is a folder of ``<kind>.safetensors`` and ``<kind>.json`` (which holds the SHA-256 of the former and is
written last), or one ``.safetensors`` file with the JSON in its header.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tl_experts.errors import ArtefactError, TLExpertsError
from tl_experts.jobs.files import parse_object, read_bytes, read_json, write_bytes, written
from tl_experts.jobs.paths import user_path

SCHEMA = 1
"""Version of the layout of artefacts."""

Arrays = Mapping[str, NDArray[Any]]


def save_artefact(path: str | Path, kind: str, arrays: Arrays, header: Mapping[str, Any]) -> Path:
    """Write an artefact: a folder, or one file if the path ends in ``.safetensors``.

    Args:
        path: folder or file; missing parent folders are created.
        kind: what the artefact is ("experts"); checked on reading.
        arrays: numeric arrays by name.
        header: anything that JSON can hold.

    Returns:
        The path, with ``~`` expanded.

    Raises:
        ArtefactError: the path cannot be written; its former content is unchanged.
    """
    from safetensors.numpy import save

    target = user_path(path)
    packed = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    content = save(packed)
    document = {**header, "kind": kind, "schema": SCHEMA, "sha256": hashlib.sha256(content).hexdigest()}
    if target.suffix == ".safetensors":
        return write_bytes(target, save(packed, metadata={"tl_experts": json.dumps(document, ensure_ascii=False)}))
    if target.is_file():
        raise ArtefactError(f"{target} is a file; give a folder, or a name that ends in .safetensors")
    text = json.dumps(document, indent=1, ensure_ascii=False).encode()
    # Both files are complete before either is renamed: a full disk changes nothing. The header is renamed last.
    with written(target / f"{kind}.json") as header_file, written(target / f"{kind}.safetensors") as tensor_file:
        header_file.write_bytes(text)
        tensor_file.write_bytes(content)
    return target


def load_artefact(path: str | Path, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read an artefact.

    Returns:
        The arrays and the header.

    Raises:
        ArtefactError: the artefact is missing, damaged, of another kind or of another schema.
    """
    source = user_path(path)
    arrays, document = _load_folder(source, kind) if source.is_dir() else _load_file(source, kind)
    if document.get("kind") != kind:
        raise ArtefactError(f"{source} holds {document.get('kind')!r}; expected {kind!r}")
    if document.get("schema") != SCHEMA:
        raise ArtefactError(
            f"{source} has schema {document.get('schema')!r}, this version reads {SCHEMA}; create it again"
        )
    return arrays, document


@contextmanager
def complete(source: str | Path, what: str) -> Iterator[None]:
    """A block that makes a value of what `load_artefact` gave: whatever it finds wrong is the artefact's fault.

    Args:
        source: the artefact, for the message.
        what: the value is ("steering"), for the message.

    Raises:
        ArtefactError: something is missing, or does not fit.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, TLExpertsError) as error:
        raise ArtefactError(f"{source} is not a complete {what} ({error!r}); save it again") from error


def _load_folder(source: Path, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    kinds = sorted(path.stem for path in source.glob("*.json"))
    if kinds and kind not in kinds:
        raise ArtefactError(f"{source} holds {', '.join(map(repr, kinds))}; expected {kind!r}")
    document = read_json(source / f"{kind}.json")
    content = read_bytes(source / f"{kind}.safetensors")
    if hashlib.sha256(content).hexdigest() != document.get("sha256"):
        raise ArtefactError(
            f"{source / kind}.safetensors does not match the checksum in {kind}.json: it is damaged or belongs to "
            "another save; create it again"
        )
    return _unpack(content, source)[0], document


def _load_file(source: Path, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    from safetensors.numpy import save

    arrays, document = _unpack(read_bytes(source), source)
    ours = document.get("kind") == kind and document.get("schema") == SCHEMA
    if ours and document.get("sha256", "") != hashlib.sha256(save(arrays)).hexdigest():
        raise ArtefactError(f"{source} does not match its own checksum: it is damaged; create it again")
    return arrays, document


def _unpack(content: bytes, source: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__") or {}
        text = metadata.get("tl_experts", "{}")
        return arrays, parse_object(text, str(source))
    except (SafetensorError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ArtefactError(f"{source} is not a readable safetensors file ({error}); create it again") from error
