"""The stages of a comparison on workers: the tables of one process, and no cluster for nothing."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tl_experts.errors import TLExpertsError
from tl_experts.jobs.workers import RayWorkers
from tl_experts.study.comparison import compare
from tl_experts.study.comparison.result import CAUSE, LAYERS, ROMANISED, stage_names, target_stages
from tl_experts.study.comparison.stages import possible_stages, rounds

pytestmark = pytest.mark.slow


def test_workers_give_the_tables_of_one_process(compared, compare_config, mini, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    # Workers import what the test imports; they run what is not finished, here of both rounds.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]), prepend=os.pathsep)
    folder = tmp_path / "copy"
    shutil.copytree(compared.folder, folder)
    for stage in ("costs-es", "equal-es", LAYERS):
        (folder / "stages" / f"{stage}.json").unlink()
    started = []
    again = compare(
        compare_config,
        folder,
        model=mini,
        workers=RayWorkers(count=1),
        progress=False,
        started=started.append,
    )
    assert started == []
    for name in compared:
        pd.testing.assert_frame_equal(again[name], compared[name])


def test_a_finished_comparison_starts_no_workers(compared, compare_config, mini, monkeypatch):
    monkeypatch.setattr("tl_experts.study.comparison.stages.opened", lambda *_: pytest.fail("a pool was opened"))
    again = compare(compare_config, compared.folder, model=mini, workers=RayWorkers(count=1), progress=False)
    assert len(again["writing"]) == len(compared["writing"])


def test_workers_of_another_kind_raise_an_error_before_the_corpus_is_read(compare_config, tmp_path):
    with pytest.raises(TLExpertsError, match="workers is 2; expected RayWorkers"):
        compare(compare_config, tmp_path, workers=2, progress=False)


def test_the_stages_of_a_target_are_in_the_order_of_what_they_read():
    assert target_stages("es") == ["writing-es", "costs-es", "equal-es", "alignment-es"]


def test_workers_take_every_stage_once_after_what_it_reads(compare_config):
    names = stage_names(replace(compare_config, targets=("es", "ru")))
    first, then = ([names[number] for number in numbers] for numbers in rounds(names))
    assert first == ["writing-es", "writing-ru", "alignment-es", "alignment-ru", CAUSE]
    assert then == ["equal-es", "equal-ru", "costs-es", "costs-ru", LAYERS, ROMANISED]
    assert sorted((*first, *then)) == sorted(names)
    assert rounds([LAYERS]) == [[], [0]]
    assert rounds([]) == [[], []]


def test_text_is_romanised_only_where_the_package_is(compare_config, monkeypatch, caplog):
    stages = stage_names(replace(compare_config, targets=("ru",)))
    monkeypatch.setattr("tl_experts.study.comparison.stages.can_romanise", lambda: True)
    assert possible_stages(stages) == stages
    assert not caplog.records
    monkeypatch.setattr("tl_experts.study.comparison.stages.can_romanise", lambda: False)
    assert possible_stages(stages) == [name for name in stages if name != ROMANISED]
    assert "pip install 'tl-experts[romanise]'" in caplog.text
    caplog.clear()
    assert possible_stages(stage_names(compare_config)) == stage_names(compare_config)
    assert not caplog.records
