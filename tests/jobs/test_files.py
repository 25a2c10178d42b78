"""Files are written whole or not at all."""

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.jobs.helpers import ARRAYS, files, some_json
from tests.messages import says
from tl_experts.errors import ArtefactError
from tl_experts.jobs.artefacts import save_artefact
from tl_experts.jobs.files import join_files, read_json, write_json
from tl_experts.jobs.folders import build_folder
from tl_experts.jobs.tables import write_table


@contextlib.contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may grow beyond the size: a write fails halfway, for root too."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_written_files_have_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("x")
    (tmp_path / "plain").mkdir()
    plain_file, plain_folder = ((tmp_path / name).stat().st_mode for name in ("plain.txt", "plain"))
    save_artefact(tmp_path / "a", "experts", ARRAYS, {})
    build_folder(tmp_path / "built", lambda _: None)
    modes = {path.name: path.stat().st_mode for path in [*(tmp_path / "a").iterdir(), tmp_path / "built"]}
    expected = {"experts.json": plain_file, "experts.safetensors": plain_file, "built": plain_folder}
    assert {key: stat.filemode(mode) for key, mode in modes.items()} == {
        key: stat.filemode(mode) for key, mode in expected.items()
    }


BIG = 20_000

WRITES: dict[str, Callable[[Path, Path, int], object]] = {
    "folder, tensors": lambda path, parts, n: save_artefact(path / "a", "experts", {"x": np.zeros(n)}, {}),
    "folder, header": lambda path, parts, n: save_artefact(
        path / "a", "experts", {"x": np.full(1, n)}, {"long": "x" * n}
    ),
    "file": lambda path, parts, n: save_artefact(path / "a.safetensors", "experts", {"x": np.zeros(n)}, {}),
    "json": lambda path, parts, n: write_json(path / "a.json", ["x"] * n),
    "table": lambda path, parts, n: write_table(path / "a.csv", ["x"], [["x"]] * n),
    "joined": lambda path, parts, n: join_files([parts / ("big" if n == BIG else "small")] * 2, path / "a.bin"),
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "small").write_bytes(b"x")
    (tmp_path / "parts" / "big").write_bytes(b"x" * BIG)
    return tmp_path


@every_write
def test_a_full_disk_leaves_the_old_content(write: Callable, workplace: Path) -> None:
    write(workplace, workplace / "parts", 2)
    before = files(workplace)
    with full_disk(4096), pytest.raises(ArtefactError, match=says("a", "cannot be written", "nothing was changed")):
        write(workplace, workplace / "parts", BIG)
    assert files(workplace) == before


@every_write
def test_a_full_disk_leaves_no_new_file(write: Callable, workplace: Path) -> None:
    before = files(workplace)
    with full_disk(4096), pytest.raises(ArtefactError, match=says("a", "cannot be written", "nothing was changed")):
        write(workplace, workplace / "parts", BIG)
    assert files(workplace) == before
    write(workplace, workplace / "parts", BIG)
    assert files(workplace) != before


@every_write
def test_a_file_that_blocks_a_folder_raises_an_error_and_is_kept(write: Callable, workplace: Path) -> None:
    (workplace / "file").write_bytes(b"precious")
    (workplace / "file2").write_bytes(b"precious")
    before = files(workplace)
    for blocked in (workplace / "file", workplace / "file2" / "deeper"):
        with pytest.raises(ArtefactError, match=says(str(blocked), "cannot be written", "choose a folder")):
            write(blocked, workplace / "parts", 2)
    assert files(workplace) == before


def interrupted_rows() -> Iterator[list[int]]:
    yield [1]
    raise ZeroDivisionError("in the middle of the rows")


BREAKS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object], type[Exception]]] = {
    "folder": (
        lambda path: save_artefact(path / "a", "experts", ARRAYS, {}),
        lambda path: save_artefact(path / "a", "experts", {"x": np.zeros(1)}, {"not JSON": object()}),
        TypeError,
    ),
    "file": (
        lambda path: save_artefact(path / "a.safetensors", "experts", ARRAYS, {}),
        lambda path: save_artefact(path / "a.safetensors", "experts", {"x": np.zeros(1)}, {"not JSON": object()}),
        TypeError,
    ),
    "json": (
        lambda path: write_json(path / "a.json", {}),
        lambda path: write_json(path / "a.json", [1, object()]),
        TypeError,
    ),
    "table": (
        lambda path: write_table(path / "a.csv", ["x"], [[2]]),
        lambda path: write_table(path / "a.csv", ["x"], interrupted_rows()),
        ZeroDivisionError,
    ),
}


@pytest.mark.parametrize("before", ["something", "nothing"])
@pytest.mark.parametrize(("good", "bad", "error"), BREAKS.values(), ids=BREAKS.keys())
def test_an_error_in_the_middle_changes_nothing(
    good: Callable, bad: Callable, error: type[Exception], before: str, tmp_path: Path
) -> None:
    if before == "something":
        good(tmp_path)
    old = files(tmp_path)
    with pytest.raises((error, ArtefactError)):
        bad(tmp_path)
    assert files(tmp_path) == old


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, [0] * 5000)

    def write(number: int) -> None:
        for _ in range(25):
            write_json(path, [number] * 5000)

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in range(1, 4)]
        seen = [json.loads(path.read_bytes())]
        while not all(writer.done() for writer in writers):
            seen.append(json.loads(path.read_bytes()))
    for writer in writers:
        writer.result()
    assert all(len(numbers) == 5000 and len(set(numbers)) == 1 for numbers in seen)
    assert list(files(tmp_path)) == ["a.json"]


@settings(max_examples=30)
@given(some_json)
def test_any_json_comes_back(folder: Path, document: object) -> None:
    assert json.loads(write_json(folder / "a.json", document).read_text(encoding="utf-8")) == document


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=50), max_size=5))
def test_joined_files_are_their_bytes_in_order(folder: Path, contents: list[bytes]) -> None:
    parts = [folder / f"part{i}" for i in range(len(contents))]
    for part, content in zip(parts, contents, strict=True):
        part.write_bytes(content)
    assert join_files(parts, folder / "whole") == hashlib.sha256(b"".join(contents)).hexdigest()
    assert (folder / "whole").read_bytes() == b"".join(contents)


def test_a_part_larger_than_a_block_is_joined_completely(tmp_path: Path) -> None:
    large = np.random.default_rng(0).bytes((1 << 20) + 7)
    (tmp_path / "part").write_bytes(large)
    assert join_files([tmp_path / "part"] * 2, tmp_path / "whole") == hashlib.sha256(large * 2).hexdigest()
    assert (tmp_path / "whole").read_bytes() == large * 2


def test_the_error_names_a_missing_part_and_the_old_file_stays(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"new")
    (tmp_path / "whole").write_bytes(b"old")
    with pytest.raises(ArtefactError, match=says(str(tmp_path / "missing"), "No such file")):
        join_files([tmp_path / "part", tmp_path / "missing"], tmp_path / "whole")
    assert files(tmp_path) == {"part": b"new", "whole": b"old"}


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "is damaged"), (b"[" * 100_000, "is damaged"), (b"\xff", "is damaged"), (b"[1]", "holds a list; expected")],
)
def test_a_json_file_that_is_not_an_object_raises_an_error_that_says_what_to_do(
    content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "good.json").write_bytes(b'{"a": 1}')
    assert read_json(tmp_path / "good.json") == {"a": 1}
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ArtefactError, match=says("a.json", message, "run the study again")):
        read_json(tmp_path / "a.json", fix="run the study again")
