"""Artefacts come back as they were saved, or are refused; no write leaves anything half done."""

import contextlib
import csv
import hashlib
import json
import os
import pickle
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as pack

from tests.messages import says
from tl_experts.errors import ArtefactError
from tl_experts.jobs.files import (
    SCHEMA,
    build_folder,
    join_files,
    load_artefact,
    locked,
    save_artefact,
    write_json,
    write_table,
)

ARRAYS = {"score": np.array([0.5, -1.25], dtype=np.float32), "unit": np.array([[3, 1]], dtype=np.int64)}
HEADER = {"model": "tiny", "language": "日本語", "settings": {"k": 3, "ratio": 0.1, "none": None, "flags": [True]}}
NAMES = ("artefact", "artefact.safetensors")
both_forms = pytest.mark.parametrize("name", NAMES, ids=["folder", "file"])


def files(folder: Path) -> dict[str, bytes]:
    """Everything that lies below a folder, hidden files too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        one[key].dtype == other[key].dtype
        and one[key].shape == other[key].shape
        and one[key].tobytes() == other[key].tobytes()
        for key in one
    )


@contextlib.contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may grow beyond the size: the write fails in its middle, for root too."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("property")


# Round trip


@both_forms
def test_an_artefact_comes_back_as_it_was_saved(name: str, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / name
    assert save_artefact(path, "experts", ARRAYS, HEADER) == path
    for source in (path, str(path)):
        arrays, header = load_artefact(source, "experts")
        assert same(arrays, ARRAYS)
        assert {key: header[key] for key in HEADER} == HEADER
        assert (header["kind"], header["schema"]) == ("experts", SCHEMA)


def test_an_artefact_is_two_files_with_a_checksum_or_one_file(tmp_path: Path) -> None:
    save_artefact(tmp_path / "a", "experts", ARRAYS, HEADER)
    save_artefact(tmp_path / "b.safetensors", "experts", ARRAYS, HEADER)
    written = files(tmp_path)
    assert set(written) == {"a/experts.json", "a/experts.safetensors", "b.safetensors"}
    document = json.loads(written["a/experts.json"])
    assert document["sha256"] == hashlib.sha256(written["a/experts.safetensors"]).hexdigest()
    assert same(load_file(tmp_path / "a" / "experts.safetensors"), ARRAYS)  # any other reader can open both
    assert same(load_file(tmp_path / "b.safetensors"), ARRAYS)


def test_artefacts_of_two_kinds_share_a_folder(tmp_path: Path) -> None:
    save_artefact(tmp_path, "experts", {"a": np.zeros(1)}, {"n": 1})
    save_artefact(tmp_path, "responses", {"a": np.ones(1)}, {"n": 2})
    assert load_artefact(tmp_path, "experts")[0]["a"] == [0]
    assert load_artefact(tmp_path, "responses")[0]["a"] == [1]


@both_forms
def test_a_second_save_replaces_the_first(name: str, tmp_path: Path) -> None:
    save_artefact(tmp_path / name, "experts", {"old": np.zeros(1000)}, {"old": 1})
    before = set(files(tmp_path))
    save_artefact(tmp_path / name, "experts", ARRAYS, {"new": 2})
    arrays, header = load_artefact(tmp_path / name, "experts")
    assert same(arrays, ARRAYS)
    assert header["new"] == 2
    assert "old" not in header
    assert set(files(tmp_path)) == before


dtypes = st.sampled_from(["?", "u1", "i1", "i2", "i4", "i8", "u4", "u8", "f2", "f4", "f8"]).map(np.dtype)
some_arrays = st.dictionaries(
    st.text(min_size=1, max_size=8),
    npst.arrays(dtypes, npst.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)),
    max_size=4,
)
some_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
some_header = st.dictionaries(
    st.text().filter(lambda key: key not in {"kind", "schema", "sha256"}), some_json, max_size=4
)


@settings(max_examples=60, deadline=None)
@given(some_arrays, some_header, st.sampled_from(NAMES))
def test_any_arrays_and_any_header_come_back(folder: Path, arrays: dict, header: dict, name: str) -> None:
    save_artefact(folder / name, "drawn", arrays, header)
    loaded, document = load_artefact(folder / name, "drawn")
    assert same(loaded, arrays)
    assert {key: value for key, value in document.items() if key not in {"kind", "schema", "sha256"}} == header


@both_forms
def test_a_number_stays_without_a_dimension(name: str, tmp_path: Path) -> None:
    save_artefact(tmp_path / name, "experts", {"number": np.array(3.0)}, {})
    assert load_artefact(tmp_path / name, "experts")[0]["number"].shape == ()


@both_forms
def test_the_layout_of_an_array_in_memory_does_not_matter(name: str, tmp_path: Path) -> None:
    table = np.arange(12, dtype=np.float32).reshape(3, 4)
    arrays = {"turned": table.T, "strided": table[::2, ::-1], "swapped": table.astype(">f4")}
    save_artefact(tmp_path / name, "experts", arrays, {})
    loaded, _ = load_artefact(tmp_path / name, "experts")
    for key, array in arrays.items():
        np.testing.assert_array_equal(loaded[key], array)


@both_forms
def test_a_header_cannot_change_what_the_artefact_is(name: str, tmp_path: Path) -> None:
    save_artefact(tmp_path / name, "experts", ARRAYS, {"kind": "responses", "schema": 99})
    _, header = load_artefact(tmp_path / name, "experts")
    assert (header["kind"], header["schema"]) == ("experts", SCHEMA)


@both_forms
def test_saving_the_same_twice_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    save_artefact(tmp_path / "one" / name, "experts", ARRAYS, HEADER)
    save_artefact(tmp_path / "two" / name, "experts", ARRAYS, HEADER)
    assert files(tmp_path / "one") == files(tmp_path / "two")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_what_is_written_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
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


# Damage


@both_forms
def test_a_truncated_artefact_is_refused_wherever_it_is_cut(name: str, tmp_path: Path) -> None:
    save_artefact(tmp_path / name, "experts", ARRAYS, {})
    for damaged, whole in files(tmp_path).items():
        for length in range(len(whole)):
            (tmp_path / damaged).write_bytes(whole[:length])
            with pytest.raises(ArtefactError, match=says(name, "make it again")):
                load_artefact(tmp_path / name, "experts")
        (tmp_path / damaged).write_bytes(whole)
        assert same(load_artefact(tmp_path / name, "experts")[0], ARRAYS)


def flips(whole: bytes, places: range) -> Iterator[tuple[str, bytes]]:
    for place in places:
        for bit in range(8):
            yield f"bit {bit} of byte {place}", whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]


def test_a_flipped_bit_of_a_tensor_file_is_noticed(tmp_path: Path) -> None:
    save_artefact(tmp_path / "a", "experts", ARRAYS, {})
    path = tmp_path / "a" / "experts.safetensors"
    whole = path.read_bytes()
    for _, flipped in flips(whole, range(len(whole))):
        path.write_bytes(flipped)
        with pytest.raises(ArtefactError, match=says("experts.safetensors", "checksum", "make it again")):
            load_artefact(tmp_path / "a", "experts")


def test_a_flipped_bit_of_the_numbers_in_one_file_is_noticed(tmp_path: Path) -> None:
    path = save_artefact(tmp_path / "a.safetensors", "experts", ARRAYS, {})
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    assert len(whole) - start == sum(array.nbytes for array in ARRAYS.values())
    missed = []
    for where, flipped in flips(whole, range(start, len(whole))):
        path.write_bytes(flipped)
        try:
            load_artefact(path, "experts")
        except ArtefactError:
            continue
        missed.append(where)
    assert not missed


def test_a_flipped_bit_of_a_header_changes_no_number(tmp_path: Path) -> None:
    save_artefact(tmp_path / "a", "experts", ARRAYS, {"k": 3})
    path = save_artefact(tmp_path / "b.safetensors", "experts", ARRAYS, {"k": 3})
    size = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    changed = []
    for source, damaged, end in (
        (tmp_path / "a", tmp_path / "a" / "experts.json", None),
        (path, path, size),
    ):
        whole = damaged.read_bytes()
        for where, flipped in flips(whole, range(len(whole[:end]))):
            damaged.write_bytes(flipped)
            try:  # any other error than ArtefactError fails the test
                arrays, _ = load_artefact(source, "experts")
            except ArtefactError:
                continue
            if not same(arrays, ARRAYS):
                changed.append(f"{damaged.name}: {where}")
        damaged.write_bytes(whole)
    assert not changed


def test_the_halves_of_two_saves_do_not_go_together(tmp_path: Path) -> None:
    save_artefact(tmp_path / "a", "experts", ARRAYS, HEADER)
    save_artefact(tmp_path / "b", "experts", {**ARRAYS, "score": ARRAYS["score"] + 1}, HEADER)
    (tmp_path / "b" / "experts.safetensors").replace(tmp_path / "a" / "experts.safetensors")
    with pytest.raises(ArtefactError, match=says("experts.safetensors", "experts.json", "of another save", "again")):
        load_artefact(tmp_path / "a", "experts")


@pytest.mark.parametrize("missing", ["experts.json", "experts.safetensors"])
def test_half_an_artefact_is_refused(missing: str, tmp_path: Path) -> None:
    save_artefact(tmp_path / "a", "experts", ARRAYS, HEADER)
    (tmp_path / "a" / missing).unlink()
    with pytest.raises(ArtefactError, match=says(missing, "No such file", "is the path right?")):
        load_artefact(tmp_path / "a", "experts")


@both_forms
def test_a_missing_artefact_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=says(str(tmp_path / name), "No such file", "is the path right?")):
        load_artefact(tmp_path / name, "experts")


@both_forms
def test_an_artefact_of_another_kind_is_refused(name: str, tmp_path: Path) -> None:
    save_artefact(tmp_path / name, "responses", ARRAYS, HEADER)
    assert same(load_artefact(tmp_path / name, "responses")[0], ARRAYS)
    with pytest.raises(ArtefactError, match=says(name, "'responses'", "expected 'experts'")):
        load_artefact(tmp_path / name, "experts")


def test_a_renamed_artefact_is_still_of_its_kind(tmp_path: Path) -> None:
    save_artefact(tmp_path, "responses", ARRAYS, HEADER)
    for suffix in ("json", "safetensors"):
        (tmp_path / f"responses.{suffix}").rename(tmp_path / f"experts.{suffix}")
    with pytest.raises(ArtefactError, match=says("'responses'", "expected 'experts'")):
        load_artefact(tmp_path, "experts")


@pytest.mark.parametrize("schema", [SCHEMA + 1, SCHEMA - 1, None, str(SCHEMA)])
@both_forms
def test_an_artefact_of_another_schema_is_refused(name: str, schema: object, tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix:
        document = {"kind": "experts", "schema": schema}
        path.write_bytes(pack(ARRAYS, metadata={"tl_experts": json.dumps(document)}))
    else:
        save_artefact(path, "experts", ARRAYS, {})
        document = json.loads((path / "experts.json").read_text())
        write_json(path / "experts.json", document | {"schema": schema})
    with pytest.raises(ArtefactError, match=says(name, f"schema {schema!r}", f"reads {SCHEMA}", "make it again")):
        load_artefact(path, "experts")


@pytest.mark.parametrize("document", ["[]", "3", "null", '"experts"'])
@both_forms
def test_a_header_that_is_no_object_is_refused(name: str, document: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix:
        path.write_bytes(pack(ARRAYS, metadata={"tl_experts": document}))
    else:
        save_artefact(path, "experts", ARRAYS, {})
        (path / "experts.json").write_text(document)
    with pytest.raises(ArtefactError, match=says(name, type(json.loads(document)).__name__, "expected a JSON object")):
        load_artefact(path, "experts")


def test_a_safetensors_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(pack(ARRAYS, metadata={"format": "np"}))
    with pytest.raises(ArtefactError, match=says("a.safetensors", "expected 'experts'")):
        load_artefact(tmp_path / "a.safetensors", "experts")


# No pickle


class Trap:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@both_forms
def test_a_pickle_is_never_opened(name: str, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    poison = pickle.dumps(Trap(sprung))
    save_artefact(tmp_path / name, "experts", ARRAYS, {})
    for path in files(tmp_path):
        (tmp_path / path).write_bytes(poison)
    with pytest.raises(ArtefactError, match="make it again"):
        load_artefact(tmp_path / name, "experts")
    assert not sprung.exists()
    pickle.loads(poison)
    assert sprung.exists(), "the trap of this test does not work"


@both_forms
def test_an_array_of_objects_cannot_be_saved(name: str, tmp_path: Path) -> None:
    save_artefact(tmp_path / name, "experts", ARRAYS, {})
    before = files(tmp_path)
    with pytest.raises((ArtefactError, SafetensorError), match="object"):
        save_artefact(tmp_path / name, "experts", {"a": np.array([{}, []], dtype=object)}, {})
    assert files(tmp_path) == before


# Writing whole or not at all

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
def place(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "small").write_bytes(b"x")
    (tmp_path / "parts" / "big").write_bytes(b"x" * BIG)
    return tmp_path


@every_write
def test_a_full_disk_leaves_the_old_content(write: Callable, place: Path) -> None:
    write(place, place / "parts", 2)
    before = files(place)
    with full_disk(4096), pytest.raises(ArtefactError, match=says("a", "cannot be written", "nothing was changed")):
        write(place, place / "parts", BIG)
    assert files(place) == before


@every_write
def test_a_full_disk_leaves_nothing_where_nothing_was(write: Callable, place: Path) -> None:
    before = files(place)
    with full_disk(4096), pytest.raises(ArtefactError, match=says("a", "cannot be written", "nothing was changed")):
        write(place, place / "parts", BIG)
    assert files(place) == before
    write(place, place / "parts", BIG)
    assert files(place) != before


@every_write
def test_a_file_where_a_folder_is_needed_is_refused_and_left_alone(write: Callable, place: Path) -> None:
    (place / "file").write_bytes(b"precious")
    (place / "file2").write_bytes(b"precious")
    before = files(place)
    for blocked in (place / "file", place / "file2" / "deeper"):
        with pytest.raises(ArtefactError, match=says(str(blocked), "cannot be written", "choose a place")):
            write(blocked, place / "parts", 2)
    assert files(place) == before


def rows_that_break_off() -> Iterator[list[int]]:
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
        lambda path: write_table(path / "a.csv", ["x"], rows_that_break_off()),
        ZeroDivisionError,
    ),
}


@pytest.mark.parametrize("before", ["something", "nothing"])
@pytest.mark.parametrize(("good", "bad", "error"), BREAKS.values(), ids=BREAKS.keys())
def test_an_error_in_the_middle_leaves_everything_as_it_was(
    good: Callable, bad: Callable, error: type[Exception], before: str, tmp_path: Path
) -> None:
    if before == "something":
        good(tmp_path)
    old = files(tmp_path)
    with pytest.raises((error, ArtefactError)):
        bad(tmp_path)
    assert files(tmp_path) == old


def test_a_file_is_not_turned_into_a_folder_nor_a_folder_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"precious")
    with pytest.raises(ArtefactError, match=says(str(tmp_path / "a"), "is a file", "ends in .safetensors")):
        save_artefact(tmp_path / "a", "experts", ARRAYS, {})
    (tmp_path / "b.safetensors").mkdir()
    (tmp_path / "b.safetensors" / "c").write_bytes(b"precious")
    with pytest.raises(ArtefactError, match=says(str(tmp_path / "b.safetensors"), "cannot be written")):
        save_artefact(tmp_path / "b.safetensors", "experts", ARRAYS, {})
    assert files(tmp_path) == {"a": b"precious", "b.safetensors/c": b"precious"}


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


# Tables, JSON and joined files


def test_a_table_is_csv_with_a_header(tmp_path: Path) -> None:
    rows = [["日本語", 'say "hi", please'], ["two\nlines", ""], [1.5, None]]
    path = write_table(tmp_path / "deep" / "table.csv", ["a", "b"], iter(rows))
    with path.open(encoding="utf-8", newline="") as stream:
        read = list(csv.reader(stream))
    assert read == [["a", "b"], ["日本語", 'say "hi", please'], ["two\nlines", ""], ["1.5", ""]]


@settings(max_examples=30, deadline=None)
@given(some_json)
def test_any_json_comes_back(folder: Path, document: object) -> None:
    assert json.loads(write_json(folder / "a.json", document).read_text(encoding="utf-8")) == document


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=5))
def test_joined_files_are_their_bytes_in_order(folder: Path, contents: list[bytes]) -> None:
    parts = [folder / f"part{i}" for i in range(len(contents))]
    for part, content in zip(parts, contents, strict=True):
        part.write_bytes(content)
    assert join_files(parts, folder / "whole") == hashlib.sha256(b"".join(contents)).hexdigest()
    assert (folder / "whole").read_bytes() == b"".join(contents)


def test_a_part_larger_than_a_block_is_joined_whole(tmp_path: Path) -> None:
    large = np.random.default_rng(0).bytes((1 << 20) + 7)
    (tmp_path / "part").write_bytes(large)
    assert join_files([tmp_path / "part"] * 2, tmp_path / "whole") == hashlib.sha256(large * 2).hexdigest()
    assert (tmp_path / "whole").read_bytes() == large * 2


def test_a_missing_part_is_named_and_the_old_file_stays(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"new")
    (tmp_path / "whole").write_bytes(b"old")
    with pytest.raises(ArtefactError, match=says(str(tmp_path / "missing"), "No such file")):
        join_files([tmp_path / "part", tmp_path / "missing"], tmp_path / "whole")
    assert files(tmp_path) == {"part": b"new", "whole": b"old"}


# Folders built aside


def test_a_folder_is_built_beside_its_place(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "built"

    def build(aside: Path) -> None:
        assert aside.parent == target.parent
        assert not list(aside.iterdir())
        assert not target.exists()
        (aside / "a").write_bytes(b"1")

    assert build_folder(target, build) == target
    assert files(tmp_path) == {"deep/built/a": b"1"}
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ZeroDivisionError, OSError, KeyboardInterrupt])
def test_a_build_that_fails_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    def build(aside: Path) -> None:
        (aside / "half").write_bytes(b"1")
        raise error("in the middle")

    with pytest.raises(error, match="in the middle"):
        build_folder(tmp_path / "built", build)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_kept(tmp_path: Path) -> None:
    def build(content: bytes) -> Callable[[Path], None]:
        return lambda aside: (aside / "a").write_bytes(content) and None

    build_folder(tmp_path / "built", build(b"first"))
    assert build_folder(tmp_path / "built", build(b"second")) == tmp_path / "built"
    assert files(tmp_path) == {"built/a": b"first"}
    assert [path.name for path in tmp_path.iterdir()] == ["built"]


def test_a_folder_built_by_many_at_once_is_the_work_of_one(tmp_path: Path) -> None:
    together = threading.Barrier(8, timeout=10)
    target = tmp_path / "built"

    def build(number: int) -> Path:
        def fill(aside: Path) -> None:
            for i in range(5):
                (aside / str(i)).write_text(str(number))
            together.wait()

        build_folder(target, fill)
        return target if len(list(target.iterdir())) == 5 else tmp_path

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(build, range(8))) == {target}
    written = files(tmp_path)
    assert set(written) == {f"built/{i}" for i in range(5)}
    assert len(set(written.values())) == 1
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_where_the_built_folder_should_stand_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"precious")
    for blocked in (tmp_path / "file", tmp_path / "file" / "built"):
        with pytest.raises(ArtefactError, match=says(str(blocked), "cannot be written", "choose a folder")):
            build_folder(blocked, lambda _: None)
    assert files(tmp_path) == {"file": b"precious"}
    assert len(list(tmp_path.iterdir())) == 1


# --- several processes ----------------------------------------------------------------------------------------------


def test_a_folder_is_locked_while_somebody_works_in_it(tmp_path):
    with locked(tmp_path / "run"):
        with pytest.raises(ArtefactError, match=r"another process is working in .*run; wait"), locked(tmp_path / "run"):
            pytest.fail("two were let in")
        with locked(tmp_path / "other"):
            pass
    with locked(tmp_path / "run"):
        pass


def test_a_killed_process_lets_go_of_its_lock_and_its_half_written_file_is_removed(tmp_path):
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tl_experts.jobs.files import _aside, locked\n"
        "with locked(sys.argv[1]), _aside(Path(sys.argv[1]) / 'a.json') as aside:\n"
        "    aside.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert len(list(tmp_path.glob(".a.json-*"))) == 1
    with locked(tmp_path):
        write_json(tmp_path / "a.json", {"whole": True})
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "a.json"}


def test_a_full_disk_leaves_what_was_there(tmp_path):
    script = (
        "import resource, signal, sys\n"
        "import numpy as np\n"
        "from tl_experts.errors import ArtefactError\n"
        "from tl_experts.jobs.files import write_array\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "write_array(sys.argv[1], np.arange(5))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    write_array(sys.argv[1], np.zeros(10**5))\n"
        "except ArtefactError as error:\n"
        "    sys.exit(0 if 'nothing was changed' in str(error) else 3)\n"
        "sys.exit(4)\n"
    )
    path = tmp_path / "a.npy"
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 0
    np.testing.assert_array_equal(np.load(path), np.arange(5))
    assert [there.name for there in tmp_path.iterdir()] == ["a.npy"]
