"""Damage to files: random bytes, and changed values and headers with corrected checksums."""

import hashlib
import json
import pickle
import random
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

INTEGERS = (0, 1, -1, 2, 255, 2**31 - 1, 2**31, -(2**31), 2**40, 2**63 - 1, 2**63, -(2**63), 2**64, 10**400)
NAMES = ("../outside", "/outside", "", "\0", "\ud800", "NaN", "a/../../outside", "x" * 5000, "en", "C:\\x", "~")
VALUES = (*INTEGERS, *NAMES, None, True, 0.5, float("nan"), float("inf"), -float("inf"), [], {}, [[]], {"a": []})


class Bomb:
    """Unpickling this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def huge_safetensors(shape: tuple[int, ...] = (2**38,)) -> bytes:
    """A header that declares a tensor of a terabyte, and eight bytes of it."""
    size = 4 * int(np.prod(shape, dtype=object))
    head = json.dumps({"big": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    return len(head).to_bytes(8, "little") + head + bytes(8)


def npy(descr: str, shape: str, data: bytes = b"") -> bytes:
    """A .npy file with any header."""
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data


def mutate(rng: random.Random, folder: Path, sprung: Path) -> None:
    """Damage the files of a folder one to three times."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for _ in range(rng.choice((1, 1, 2, 3))):
        path = rng.choice(files)
        structured = {".json": _json, ".jsonl": _jsonl, ".safetensors": _tensors, ".npy": _npy, ".pth": _pth}.get(
            path.suffix
        )
        content = path.read_bytes()
        if rng.random() < 0.02:
            content = pickle.dumps(Bomb(sprung))
        elif structured and rng.random() < 0.7:
            try:
                content = structured(rng, content)
            except Exception:  # the file is too damaged already
                content = _bytes(rng, content)
        else:
            content = _bytes(rng, content)
        path.write_bytes(content)
    if rng.random() < 0.7:
        _sign(folder)


def _bytes(rng: random.Random, content: bytes) -> bytes:
    data = bytearray(content)
    at, other = rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)
    how = rng.randrange(6)
    if how == 0 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif how == 1:
        del data[at:]
    elif how == 2:
        data[at:at] = data[min(at, other) : max(at, other)][:4096]
    elif how == 3:
        width = rng.choice((2, 4, 8))
        data[at : at + width] = (rng.choice(INTEGERS) % 2 ** (8 * width)).to_bytes(width, rng.choice(("little", "big")))
    elif how == 4:
        extra = ["\0", "\ufeff", '"', "\n", "\r", "\t,", "[" * 100_000, "\\ud800", '{"a":1,"a":2}', *NAMES]
        data[at:at] = rng.choice(extra).encode("utf-8", "surrogatepass")
    else:
        del data[min(at, other) : max(at, other)]
    return bytes(data)


def change(rng: random.Random, document: Any) -> Any:
    """The document with one of its values replaced or removed."""
    if isinstance(document, dict | list) and document and rng.random() < 0.85:
        key = rng.choice(list(document)) if isinstance(document, dict) else rng.randrange(len(document))
        if rng.random() < 0.1:
            del document[key]
        else:
            document[key] = change(rng, document[key])
        return document
    return rng.choice(VALUES)


def _json(rng: random.Random, content: bytes) -> bytes:
    return json.dumps(change(rng, json.loads(content))).encode()


def _jsonl(rng: random.Random, content: bytes) -> bytes:
    lines = content.splitlines()
    at = rng.randrange(len(lines))
    lines[at] = _json(rng, lines[at])
    return b"\n".join(lines)


def _tensors(rng: random.Random, content: bytes) -> bytes:
    if rng.random() < 0.1:
        return huge_safetensors()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    if rng.random() < 0.4:  # shapes and offsets that do not fit the bytes
        changed = json.dumps(change(rng, header)).encode()
        return len(changed).to_bytes(8, "little") + changed + content[8 + size :]
    arrays = {name: array.copy() for name, array in load(content).items()}
    document = json.loads(header.get("__metadata__", {}).get("tl_experts", "{}"))
    name = rng.choice(sorted(arrays))
    how = rng.randrange(4)
    if how == 0 and arrays[name].size:
        arrays[name].flat[rng.randrange(arrays[name].size)] = rng.choice((-1, 2**31 - 1, 2**40, 2**62, -(2**62)))
    elif how == 1:
        arrays[name] = arrays[name].astype(rng.choice(("f4", "i1", "u8", "?", "f8")))
    elif how == 2:
        arrays[name] = rng.choice((arrays[name][None], arrays[name][:0], arrays[name].sum()))
        arrays[name] = np.asarray(arrays[name], order="C")
    else:
        document = change(rng, document)
    if isinstance(document, dict):
        document["sha256"] = hashlib.sha256(save(arrays)).hexdigest()
    return save(arrays, metadata={"tl_experts": json.dumps(document)} if document else None)


def _npy(rng: random.Random, content: bytes) -> bytes:
    shape = rng.choice(("(274877906944,)", "(-1,)", "(3, -4)", "()", "(2.5,)", "'x'", "(" * 500, f"({2**70},)"))
    return npy(rng.choice(("'<f4'", "'|O'", "'<f8'", "[('a', '<f4')]", "'x'")), shape, content[128:])


def _pth(rng: random.Random, content: bytes) -> bytes:
    """An archive whose checksums are right and one of whose entries is damaged: the pickle, mostly."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in entries if name.endswith("data.pkl"))
    name = pickled if rng.random() < 0.8 else rng.choice(sorted(entries))
    entries[name] = _bytes(rng, entries[name])
    changed = BytesIO()
    with zipfile.ZipFile(changed, "w", rng.choice((zipfile.ZIP_STORED,) * 9 + (zipfile.ZIP_DEFLATED,))) as archive:
        for entry, data in entries.items():
            archive.writestr(entry, data)
    return changed.getvalue()


def _sign(folder: Path) -> None:
    """Correct the checksums, so that the code behind their check is reached."""
    for path in folder.rglob("*.json"):
        for data in (path.with_suffix(".safetensors"), path.with_suffix(".npy")):
            try:
                document = json.loads(path.read_bytes())
                document["sha256"] = hashlib.sha256(data.read_bytes()).hexdigest()
                path.write_text(json.dumps(document))
            except (OSError, ValueError, TypeError, RecursionError):
                continue


STRUCTURED = {".json": _json, ".jsonl": _jsonl, ".safetensors": _tensors, ".npy": _npy, ".pth": _pth}
"""Damage to a format that keeps the file readable as one of its kind, by suffix."""
