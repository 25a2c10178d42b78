"""Artefacts come back as they were saved, or loading them raises an error."""

import hashlib
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as pack

from tests.jobs.helpers import ARRAYS, NAMES, files, some_json
from tests.messages import says
from tl_experts.errors import ArtefactError, TLExpertsError
from tl_experts.jobs.artefacts import SCHEMA, complete, load_artefact, save_artefact
from tl_experts.jobs.files import write_json

HEADER = {"model": "tiny", "language": "日本語", "settings": {"k": 3, "ratio": 0.1, "none": None, "flags": [True]}}


both_forms = pytest.mark.parametrize("name", NAMES, ids=["folder", "file"])


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        one[key].dtype == other[key].dtype
        and one[key].shape == other[key].shape
        and one[key].tobytes() == other[key].tobytes()
        for key in one
    )


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
    assert same(load_file(tmp_path / "a" / "experts.safetensors"), ARRAYS)  # other software can read both
    assert same(load_file(tmp_path / "b.safetensors"), ARRAYS)


def test_artefacts_of_two_kinds_can_share_a_folder(tmp_path: Path) -> None:
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


some_header = st.dictionaries(
    st.text().filter(lambda key: key not in {"kind", "schema", "sha256"}), some_json, max_size=4
)


@settings(max_examples=60)
@given(some_arrays, some_header, st.sampled_from(NAMES))
def test_any_arrays_and_any_header_come_back(folder: Path, arrays: dict, header: dict, name: str) -> None:
    save_artefact(folder / name, "drawn", arrays, header)
    loaded, document = load_artefact(folder / name, "drawn")
    assert same(loaded, arrays)
    assert {key: value for key, value in document.items() if key not in {"kind", "schema", "sha256"}} == header


@both_forms
def test_a_scalar_stays_without_a_dimension(name: str, tmp_path: Path) -> None:
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


@both_forms
def test_a_truncated_artefact_raises_an_error_wherever_it_is_cut(name: str, tmp_path: Path) -> None:
    save_artefact(tmp_path / name, "experts", ARRAYS, {})
    for damaged, whole in files(tmp_path).items():
        for length in range(len(whole)):
            (tmp_path / damaged).write_bytes(whole[:length])
            with pytest.raises(ArtefactError, match=says(name, "create it again")):
                load_artefact(tmp_path / name, "experts")
        (tmp_path / damaged).write_bytes(whole)
        assert same(load_artefact(tmp_path / name, "experts")[0], ARRAYS)


def flips(whole: bytes, positions: range) -> Iterator[tuple[str, bytes]]:
    for position in positions:
        for bit in range(8):
            flipped = bytes([whole[position] ^ 1 << bit])
            yield f"bit {bit} of byte {position}", whole[:position] + flipped + whole[position + 1 :]


def test_a_flipped_bit_of_a_tensor_file_is_detected(tmp_path: Path) -> None:
    save_artefact(tmp_path / "a", "experts", ARRAYS, {})
    path = tmp_path / "a" / "experts.safetensors"
    whole = path.read_bytes()
    for _, flipped in flips(whole, range(len(whole))):
        path.write_bytes(flipped)
        with pytest.raises(ArtefactError, match=says("experts.safetensors", "checksum", "create it again")):
            load_artefact(tmp_path / "a", "experts")


def test_a_flipped_bit_of_the_numbers_in_a_single_file_is_detected(tmp_path: Path) -> None:
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
            try:  # any error but ArtefactError fails the test
                arrays, _ = load_artefact(source, "experts")
            except ArtefactError:
                continue
            if not same(arrays, ARRAYS):
                changed.append(f"{damaged.name}: {where}")
        damaged.write_bytes(whole)
    assert not changed


def test_files_of_two_saves_cannot_be_mixed(tmp_path: Path) -> None:
    save_artefact(tmp_path / "a", "experts", ARRAYS, HEADER)
    save_artefact(tmp_path / "b", "experts", {**ARRAYS, "score": ARRAYS["score"] + 1}, HEADER)
    (tmp_path / "b" / "experts.safetensors").replace(tmp_path / "a" / "experts.safetensors")
    with pytest.raises(ArtefactError, match=says("experts.safetensors", "experts.json", "another save", "again")):
        load_artefact(tmp_path / "a", "experts")


@pytest.mark.parametrize("missing", ["experts.json", "experts.safetensors"])
def test_half_an_artefact_raises_an_error(missing: str, tmp_path: Path) -> None:
    save_artefact(tmp_path / "a", "experts", ARRAYS, HEADER)
    (tmp_path / "a" / missing).unlink()
    with pytest.raises(ArtefactError, match=says(missing, "No such file", "is the path right?")):
        load_artefact(tmp_path / "a", "experts")


@both_forms
def test_a_missing_artefact_raises_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=says(str(tmp_path / name), "No such file", "is the path right?")):
        load_artefact(tmp_path / name, "experts")


@both_forms
def test_an_artefact_of_another_kind_raises_an_error(name: str, tmp_path: Path) -> None:
    save_artefact(tmp_path / name, "responses", ARRAYS, HEADER)
    assert same(load_artefact(tmp_path / name, "responses")[0], ARRAYS)
    with pytest.raises(ArtefactError, match=says(name, "'responses'", "expected 'experts'")):
        load_artefact(tmp_path / name, "experts")


def test_renaming_an_artefact_does_not_change_its_kind(tmp_path: Path) -> None:
    save_artefact(tmp_path, "responses", ARRAYS, HEADER)
    for suffix in ("json", "safetensors"):
        (tmp_path / f"responses.{suffix}").rename(tmp_path / f"experts.{suffix}")
    with pytest.raises(ArtefactError, match=says("'responses'", "expected 'experts'")):
        load_artefact(tmp_path, "experts")


@pytest.mark.parametrize("schema", [SCHEMA + 1, SCHEMA - 1, None, str(SCHEMA)])
@both_forms
def test_an_artefact_of_another_schema_raises_an_error(name: str, schema: object, tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix:
        document = {"kind": "experts", "schema": schema}
        path.write_bytes(pack(ARRAYS, metadata={"tl_experts": json.dumps(document)}))
    else:
        save_artefact(path, "experts", ARRAYS, {})
        document = json.loads((path / "experts.json").read_text())
        write_json(path / "experts.json", document | {"schema": schema})
    with pytest.raises(ArtefactError, match=says(name, f"schema {schema!r}", f"reads {SCHEMA}", "create it again")):
        load_artefact(path, "experts")


@pytest.mark.parametrize("document", ["[]", "3", "null", '"experts"'])
@both_forms
def test_a_header_that_is_not_an_object_raises_an_error(name: str, document: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix:
        path.write_bytes(pack(ARRAYS, metadata={"tl_experts": document}))
    else:
        save_artefact(path, "experts", ARRAYS, {})
        (path / "experts.json").write_text(document)
    with pytest.raises(ArtefactError, match=says(name, type(json.loads(document)).__name__, "expected a JSON object")):
        load_artefact(path, "experts")


def test_a_safetensors_file_of_other_software_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(pack(ARRAYS, metadata={"format": "np"}))
    with pytest.raises(ArtefactError, match=says("a.safetensors", "expected 'experts'")):
        load_artefact(tmp_path / "a.safetensors", "experts")


class Trap:
    """Unpickling this creates a file."""

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
    with pytest.raises(ArtefactError, match="create it again"):
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


def test_saving_turns_no_file_into_a_folder_and_no_folder_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"precious")
    with pytest.raises(ArtefactError, match=says(str(tmp_path / "a"), "is a file", "ends in .safetensors")):
        save_artefact(tmp_path / "a", "experts", ARRAYS, {})
    (tmp_path / "b.safetensors").mkdir()
    (tmp_path / "b.safetensors" / "c").write_bytes(b"precious")
    with pytest.raises(ArtefactError, match=says(str(tmp_path / "b.safetensors"), "cannot be written")):
        save_artefact(tmp_path / "b.safetensors", "experts", ARRAYS, {})
    assert files(tmp_path) == {"a": b"precious", "b.safetensors/c": b"precious"}


@pytest.mark.parametrize(
    "error", [KeyError("a"), TypeError("a"), ValueError("a"), OverflowError(), TLExpertsError("a")]
)
def test_what_cannot_be_made_of_an_artefact_is_its_fault(error: Exception) -> None:
    with (
        pytest.raises(ArtefactError, match=r"here is not a complete thing \(.*\); save it again"),
        complete("here", "thing"),
    ):
        raise error
    with pytest.raises(RuntimeError), complete("here", "thing"):
        raise RuntimeError
