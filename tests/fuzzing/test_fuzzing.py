"""Damaged files are read or refused by an error of the family: the short form of `python -m tests.fuzzing`."""

import json
import re
from pathlib import Path

import pytest

import tl_experts
from tests.fuzzing.harness import fuzz
from tests.fuzzing.mutations import huge_safetensors, npy
from tests.fuzzing.targets import TARGETS, Target
from tl_experts import StudyResult
from tl_experts.errors import ArtefactError, TLExpertsError
from tl_experts.jobs.arrays import read_array
from tl_experts.jobs.artefacts import load_artefact


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_damaged_file_is_read_or_refused(target: Target) -> None:
    outcome = fuzz(target, 0, executions=400)
    assert not outcome.crashes, outcome.examples


def test_a_declared_terabyte_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(huge_safetensors())
    (tmp_path / "a.npy").write_bytes(npy("'<f4'", "(274877906944,)"))
    with pytest.raises(ArtefactError):
        load_artefact(tmp_path / "a.safetensors", "kind")
    with pytest.raises(ArtefactError):
        read_array(tmp_path / "a.npy", (2**38,), "float32")


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside", "..", ""])
def test_a_table_of_a_study_cannot_lie_outside_its_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    (folder / "stages").mkdir(parents=True)
    (folder / "study.json").write_text(json.dumps({"config": {}, "about": {}, "stages": ["experts"]}))
    (folder / "stages" / "experts.json").write_text(json.dumps({"tables": [name], "seconds": 1}))
    with pytest.raises(TLExpertsError, match="names no tables of this folder"):
        StudyResult.load(folder)


def test_no_pickle_is_ever_read() -> None:
    bad = re.compile(r"import pickle|pickle\.load|allow_pickle=True|trust_remote_code=True[^:]|torch\.load\(")
    for path in Path(tl_experts.__file__).parent.rglob("*.py"):
        assert not bad.search(path.read_text("utf-8")), path
