"""Compressed files give the text of the plain ones."""

import bz2
import gzip
import lzma
from pathlib import Path

import pyarrow as pa
import pytest

from tests.corpus.sources import EXPECTED, WIDE, content, delimited, jsonl, put
from tests.messages import says
from tl_experts import load_sentences
from tl_experts.corpus.decoding import decode, lines
from tl_experts.errors import CorpusError


def zstandard(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard, ".GZ": gzip.compress}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_compressed_table_is_read(suffix: str, tmp_path: Path) -> None:
    for name, text in (("a.jsonl", jsonl(WIDE)), ("a.csv", delimited(WIDE, ","))):
        path = put(tmp_path / (name + suffix), COMPRESS[suffix](text.encode()))
        assert content(load_sentences(path)) == content(EXPECTED)


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_folder_of_compressed_text_is_read(suffix: str, tmp_path: Path) -> None:
    for code in ("en", "de"):
        put(tmp_path / f"{code}.txt{suffix}", COMPRESS[suffix](f"{code} text\n".encode()))
    assert load_sentences(tmp_path).texts == ("de text", "en text")


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_cut_file_raises(suffix: str, tmp_path: Path) -> None:
    path = put(tmp_path / f"a.jsonl{suffix}", COMPRESS[suffix](jsonl(WIDE).encode())[:-9])
    with pytest.raises(CorpusError, match=says(str(path), "cannot be decompressed", "again")):
        load_sentences(path)


def test_only_the_end_of_the_last_line_is_not_a_line(tmp_path: Path) -> None:
    assert lines(put(tmp_path / "a", "one\r\n\ntwo\n")) == ["one", "", "two"]
    assert lines(put(tmp_path / "a", "one\n\n")) == ["one", ""]
    assert lines(put(tmp_path / "a", "")) == []


def test_a_byte_order_mark_is_not_text(tmp_path: Path) -> None:
    assert decode(put(tmp_path / "a", b"\xef\xbb\xbfone")) == "one"
