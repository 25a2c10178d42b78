"""A whole study: its tables, how it resumes after kills, and what it refuses."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

from tests.study.tables import assert_same
from tl_experts.errors import StudyError
from tl_experts.jobs.pieces import Shards
from tl_experts.study import run_study
from tl_experts.study.run import STAGES

pytestmark = pytest.mark.slow


def test_every_stage_leaves_its_tables(result):
    assert list(result.stages) == list(STAGES)
    for stage in result.stages.values():
        assert stage["seconds"] > 0
        assert stage["peak_mib"] > 10
    for name in result:
        assert len(result[name])
        assert (result.folder / "tables" / f"{name}.csv").is_file()
        pd.testing.assert_frame_equal(
            pd.read_csv(result.folder / "tables" / f"{name}.csv", keep_default_na=False, na_values=["NaN"])[[]],
            result[name][[]],
        )


def test_a_second_call_runs_no_stage(config, result):
    started = []
    again = run_study(config, result.folder, progress=False, started=started.append)
    assert started == []
    assert_same(again, result)


def test_lost_stages_come_out_the_same_without_a_pass_of_the_model(config, result, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(result.folder, folder)
    shutil.rmtree(folder / "stages")
    shutil.rmtree(folder / "tables")

    def refuse(*_):
        raise AssertionError("a piece was computed again")

    monkeypatch.setattr(Shards, "save", refuse)
    assert_same(run_study(config, folder, progress=False), result)


KILLER = """
import os, signal, sys
from tl_experts.jobs.pieces import Shards
from tl_experts.study import StudyConfig, run_study
import json
options, folder, left = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
save = Shards.save
def counting(self, number, arrays):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    save(self, number, arrays)
Shards.save = counting
run_study(StudyConfig.from_dict(options), folder, progress=False)
"""


@pytest.mark.parametrize("saves", [3, 25])
def test_killed_and_called_again_it_repeats_one_batch_at_most(config, result, tmp_path, monkeypatch, saves):
    options = json.dumps(config.as_dict())
    done = subprocess.run(
        [sys.executable, "-c", KILLER, options, str(tmp_path), str(saves)],
        check=False,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == -signal.SIGKILL
    kept = len(list((tmp_path / "passes").rglob("*.safetensors")))
    assert kept == saves
    made = []
    save = Shards.save
    monkeypatch.setattr(Shards, "save", lambda *arguments: (made.append(1), save(*arguments))[1])
    again = run_study(config, tmp_path, progress=False)
    assert kept + len(made) == len(list((result.folder / "passes").rglob("*.safetensors")))
    assert_same(again, result)


def test_another_study_in_the_folder_is_refused(config, result):
    with pytest.raises(StudyError, match="holds a study with k = 6, this one has 5"):
        run_study(replace(config, k=5), result.folder, progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": ("sv",)}, "target 'sv' is not in both splits"),
        ({"targets": ("es",)}, "target 'es' is not in both splits; they share en, de, fr, ja"),
        ({"k": 97}, "97 experts are asked for, but there are 96 neurons"),
    ],
)
def test_what_the_model_or_corpus_lacks_is_named(config, tmp_path, change, message):
    with pytest.raises(StudyError, match=message):
        run_study(replace(config, **change), tmp_path, progress=False)
