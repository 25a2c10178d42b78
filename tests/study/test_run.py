"""A whole study: its tables, how it resumes after kills, and its errors."""

import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.forks import Server
from tests.study.tables import assert_same
from tl_experts import write_report
from tl_experts.errors import ArtefactError, StudyError, TLExpertsWarning
from tl_experts.jobs.pieces import Pieces
from tl_experts.jobs.stages import peak_memory
from tl_experts.study import StudyResult, run_study
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


def test_lost_stages_are_recomputed_without_a_pass_of_the_model(config, result, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(result.folder, folder)
    shutil.rmtree(folder / "stages")
    shutil.rmtree(folder / "tables")

    def refuse(*_):
        raise AssertionError("a piece was recomputed")

    monkeypatch.setattr(Pieces, "save", refuse)
    assert_same(run_study(config, folder, progress=False), result)


@pytest.fixture(scope="module")
def server():
    with Server("tests.study.killed") as found:
        yield found


@pytest.mark.parametrize("saves", [3, 25])
def test_a_killed_study_resumes_and_repeats_one_batch_at_most(config, result, server, tmp_path, monkeypatch, saves):
    folder = tmp_path / "study"
    run = server.start("run", config.as_dict(), folder, saves, errors=tmp_path / "errors")
    run.wait(300)
    assert run.returncode == -signal.SIGKILL, run.errors
    kept = len(list((folder / "passes").rglob("*.safetensors")))
    assert kept == saves
    made = []
    save = Pieces.save
    monkeypatch.setattr(Pieces, "save", lambda *arguments: (made.append(1), save(*arguments))[1])
    again = run_study(config, folder, progress=False)
    assert kept + len(made) == len(list((result.folder / "passes").rglob("*.safetensors")))
    assert_same(again, result)


def test_another_study_in_the_folder_raises_an_error(config, result):
    with pytest.raises(ArtefactError, match="holds another job: k is 6 there and 5 here"):
        run_study(replace(config, k=5), result.folder, progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": ("sv",)}, "target 'sv' is not in both splits"),
        ({"targets": ("es",)}, "target 'es' is not in both splits; they share en, de, fr, ja"),
        ({"k": 97}, "97 experts are asked for, but there are 96 neurons"),
    ],
)
def test_the_error_names_what_the_model_or_the_corpus_lacks(config, tmp_path, change, message):
    with pytest.raises(StudyError, match=message):
        run_study(replace(config, **change), tmp_path, progress=False)


def test_another_model_in_the_folder_raises_an_error(config, result, model_of):
    with pytest.raises(ArtefactError, match=r"holds another job: its model's weights differ .+; made with "):
        run_study(config, result.folder, model=model_of("qwen3"), progress=False)


def test_a_damaged_stage_is_run_again(config, result, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(result.folder, folder)
    (folder / "stages" / "space.json").write_text("{")
    (folder / "tables" / "geometry.parquet").unlink()
    started = []
    assert_same(run_study(config, folder, progress=False, started=started.append), result)
    assert started == ["space"]


def test_the_sweep_is_settled_by_the_table_that_it_wrote(config, result, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(result.folder, folder)
    (folder / "stages" / "space.json").unlink()
    (folder / "tables" / "choice.parquet").unlink()
    with pytest.raises(ArtefactError, match=r"choice\.parquet cannot be read .* delete .*stages and run"):
        run_study(config, folder, progress=False)


@pytest.fixture
def no_pass(monkeypatch):
    """No forward pass of the model may run."""
    monkeypatch.setattr("tl_experts.models.forward.forward_pass", None)


def write_corpus(folder, languages):
    for split in ("dev", "test"):
        (folder / split).mkdir(parents=True)
        for language in languages:
            lines = [f"{split} sentence {number} of {language}" for number in range(8)]
            (folder / split / f"{language}.txt").write_text("\n".join(lines))


def test_languages_that_langid_does_not_know_are_checked_before_the_first_pass(config, tmp_path, no_pass):
    write_corpus(tmp_path / "corpus", ["en", "ceb", "ja"])
    options = {"corpus": str(tmp_path / "corpus"), "probe_languages": (), "languages": (), "targets": ("ceb",)}
    with (
        pytest.raises(StudyError, match=r"target 'ceb' is unknown to langid\.py, .* set k"),
        pytest.warns(TLExpertsWarning, match="ceb is left out"),
    ):
        run_study(replace(config, k=None, **options), tmp_path / "study", progress=False)
    assert not (tmp_path / "study").exists()


def test_a_study_of_a_regional_code_uses_its_base_language_with_a_warning(config, tmp_path):
    write_corpus(tmp_path / "corpus", ["en", "pt-BR", "ceb"])
    options = {"corpus": str(tmp_path / "corpus"), "probe_languages": (), "languages": (), "targets": ("pt-BR", "ceb")}
    small = {"paraphrases": "", "pairs": "", "control_seeds": 0}
    with pytest.warns(TLExpertsWarning, match="ceb is left out, pt-BR is identified as pt"):
        found = run_study(replace(config, **options, **small), tmp_path / "study", progress=False)
    sweep = found["sweep"].set_index("target")
    assert sweep.loc["pt-BR", "language_id"].between(0, 1).all()
    assert sweep.loc["ceb", "language_id"].isna().all()
    assert np.isfinite(sweep["perplexity"]).all()


def test_a_study_runs_where_memory_cannot_be_measured(config, result, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "resource", None)  # Windows does not have it
    assert peak_memory() is None
    folder = tmp_path / "copy"
    shutil.copytree(result.folder, folder)
    (folder / "stages" / "space.json").unlink()
    again = run_study(config, folder, progress=False)
    assert again.stages["space"]["peak_mib"] is None
    assert "<td>space</td>" in write_report(again).read_text("utf-8")


def test_the_study_can_be_imported_without_resource():
    # What the study builds on is imported before: those libraries expect `resource` on Linux.
    block = "import sys, tl_experts.embeddings.embed_to_disk, pandas; sys.modules['resource'] = None"
    code = f"{block}; from tl_experts import StudyConfig, run_study; assert 'tl_experts.study.run' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_tilde_in_the_folder_is_the_home_folder(config, result, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(result.folder, tmp_path / "mine")
    assert run_study(config, "~/mine", progress=False).folder == tmp_path / "mine"
    assert StudyResult.load("~/mine").folder == tmp_path / "mine"
