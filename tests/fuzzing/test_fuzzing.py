"""Damaged files are read or raise an error of the family: the short form of `python -m tests.fuzzing`."""

import contextlib
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tl_experts
from tests.fuzzing import READERS
from tests.fuzzing.guided import guided
from tests.fuzzing.harness import fuzz
from tests.fuzzing.mutations import huge_safetensors, npy
from tests.fuzzing.targets import TARGETS, Target
from tl_experts import StudyResult
from tl_experts.errors import ArtefactError, TLExpertsError
from tl_experts.jobs.arrays import read_array
from tl_experts.jobs.artefacts import load_artefact


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_damaged_file_is_read_or_raises_an_error(target: Target) -> None:
    outcome = fuzz(target, 0, executions=400)
    assert not outcome.crashes, outcome.examples


def test_guided_fuzzing_reports_crashes() -> None:
    pytest.importorskip("atheris", reason="atheris is for Linux")

    def fails(folder: Path) -> None:
        if (folder / "a").read_text() != "valid":
            raise KeyError("a defect")

    target = Target("made up", lambda folder: (folder / "a").write_text("valid"), fails)
    outcome = guided(target, 0, executions=30)
    crashes = sum(outcome.crashes.values())
    assert crashes
    assert crashes + outcome.accepted == 30
    assert list(outcome.examples) == list(outcome.crashes)


def test_a_declared_terabyte_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(huge_safetensors())
    (tmp_path / "a.npy").write_bytes(npy("'<f4'", "(274877906944,)"))
    with pytest.raises(ArtefactError):
        load_artefact(tmp_path / "a.safetensors", "kind")
    with pytest.raises(ArtefactError):
        read_array(tmp_path / "a.npy", (2**38,), "float32")


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside", "..", ""])
def test_a_table_of_a_study_cannot_be_outside_its_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    (folder / "stages").mkdir(parents=True)
    (folder / "study.json").write_text(json.dumps({"config": {}, "about": {}, "stages": ["experts"]}))
    (folder / "stages" / "experts.json").write_text(json.dumps({"tables": [name], "seconds": 1}))
    with pytest.raises(TLExpertsError, match="cannot be the name of a file"):
        StudyResult.load(folder)


def test_no_pickle_is_ever_read() -> None:
    bad = re.compile(
        r"import pickle|pickle\.load|allow_pickle=True|trust_remote_code=True[^:]|torch\.load\((?!.*weights_only=True)"
    )
    for path in Path(tl_experts.__file__).parent.rglob("*.py"):
        assert not bad.search(path.read_text("utf-8")), path


def test_the_instrumented_modules_exist() -> None:
    for name in READERS:
        importlib.import_module(name)


def strings(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every string in a JSON document."""
    if isinstance(document, str):
        yield path
    items = dict(enumerate(document)) if isinstance(document, list) else document
    for key, value in items.items() if isinstance(items, dict) else ():
        yield from strings(value, (*path, key))


def replaced(document: Any, path: tuple[Any, ...], value: str) -> Any:
    """A copy of a JSON document with the string at a path replaced."""
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


ARTEFACTS = {
    *("artefact", "experts", "store", "counts", "study", "run-study", "run-demo"),
    *("comparison", "tuning", "alignment"),
}


@pytest.mark.parametrize("target", [one for one in TARGETS if one.name in ARTEFACTS], ids=lambda target: target.name)
@pytest.mark.parametrize("name", ["../../escaped", "a/../../../escaped"])
def test_no_field_of_an_artefact_leads_out_of_its_folder(target: Target, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "outer" / "inner"
    folder.mkdir(parents=True)
    target.make(folder)
    tried = 0
    for file in sorted(folder.rglob("*.json")):
        document = json.loads(file.read_text())
        for path in strings(document):
            file.write_text(json.dumps(replaced(document, path, name)))
            with contextlib.suppress(TLExpertsError):
                target.read(folder)
            tried += 1
            assert list(tmp_path.iterdir()) == [tmp_path / "outer"], (file, path)
            assert list((tmp_path / "outer").iterdir()) == [folder], (file, path)
        file.write_text(json.dumps(document))
    assert tried
