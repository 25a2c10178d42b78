"""From the bytes of a file to its text: UTF-8, compressed or not."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

from tl_experts.errors import CorpusError


def _zstandard(content: bytes) -> bytes:
    import pyarrow as pa

    with pa.input_stream(pa.BufferReader(content), compression="zstd") as stream:
        return bytes(stream.read())


DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": _zstandard,
}
"""Suffix of a compressed file -> what decompresses it."""


def plain_name(path: Path) -> str:
    """The name of a file without the suffix of its compression.

    Examples:
        >>> plain_name(Path("en.txt.gz")), plain_name(Path("en.txt"))
        ('en.txt', 'en.txt')
    """
    return path.stem if path.suffix.lower() in DECOMPRESS else path.name


def suffix(path: Path) -> str:
    """What kind of file this is: its last suffix in lower case, compression aside.

    Examples:
        >>> suffix(Path("table.JSONL")), suffix(Path("table.csv.gz"))
        ('.jsonl', '.csv')
    """
    return Path(plain_name(path)).suffix.lower()


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, decompressed.

    Raises:
        CorpusError: the file cannot be read or decompressed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}; give an existing file") from error
    decompress = DECOMPRESS.get(path.suffix.lower())
    if decompress is None:
        return content
    try:
        return decompress(content)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise CorpusError(f"{path} cannot be decompressed: {error}; download or compress it again") from error


def decode(path: Path) -> str:
    """The text of a UTF-8 file, without its byte-order mark."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}; "
            "convert it (iconv -t UTF-8)"
        ) from error


def lines(path: Path) -> list[str]:
    """The lines of a text file, blank ones included; only the end of the last line is not a line of its own."""
    found = [line.removesuffix("\r") for line in decode(path).split("\n")]
    return found[:-1] if found and not found[-1] else found
