"""A reader keeps every piece of a search under a number of its own, and reports the test corpus in three views."""

import numpy as np
import pytest

from tl_experts import collect_both
from tl_experts.jobs.job import Job
from tl_experts.jobs.pieces import Pieces
from tl_experts.steering.tuning.building import builder
from tl_experts.study.aligning import AlignmentSpace, reader
from tl_experts.study.aligning.reader import HITS, Reader
from tl_experts.study.spaces import hits_of, setting_spaces

SPACE = AlignmentSpace(scorings=("auroc",), counts=(3, 10), holds=(("set", "mean"),), strengths=(1.0,))
THREE, TEN = SPACE.settings()


@pytest.fixture(scope="module")
def of(model_of, corpus):
    model, two = model_of("llama"), corpus.only(["de", "en"])
    building = builder(collect_both(model, two, progress=False), "de")
    return lambda pieces=None: Reader.of(model, building, (two.head(4), two), SPACE, (0, None), pieces)


def test_every_stage_and_every_report_is_a_piece_of_its_own(of):
    own = of()
    assert own.ends == [1, 2, 4]
    numbers = [own._number(setting, part) for setting in (None, THREE, TEN) for part in range(6)]
    assert len(set(numbers)) == len(numbers)


def test_a_trial_is_the_same_alone_and_beside_others_and_only_once_measured(of, tmp_path, monkeypatch):
    pieces = Pieces(tmp_path, Job({"search": 1}))
    (alone, seconds), (ten, _) = of(pieces).measure([THREE, TEN], 1)
    assert (alone.setting, alone.stage, alone.rows, alone.seconds) == (THREE, 1, 2, seconds)
    assert of().measure([TEN], 1)[0][0].top1 == ten.top1
    monkeypatch.setattr(reader, "setting_spaces", None)
    assert of(pieces).measure([TEN, THREE], 1) == [(ten, seconds), (alone, seconds)]


def test_the_report_reads_the_test_corpus_in_three_views(of, tmp_path, monkeypatch):
    own = of(Pieces(tmp_path, Job({"search": 1})))
    [(best, _)], unsteered = own.measure([TEN], 2), own.baseline(2)
    hits = own.report(best, unsteered)
    read = dict(setting_spaces(own.model, own.building, [TEN, None], own.test, [0, None]))
    np.testing.assert_array_equal(
        hits["steered"], hits_of(read[TEN][best.view.layer], centred=best.view.centred).numpy()
    )
    np.testing.assert_array_equal(
        hits["baseline"], hits_of(read[None][unsteered.view.layer], centred=unsteered.view.centred).numpy()
    )
    assert set(hits) == set(HITS)
    assert all(len(column) == 6 for column in hits.values())
    monkeypatch.setattr(reader, "setting_spaces", None)
    for name, column in own.report(best, unsteered).items():
        np.testing.assert_array_equal(column, hits[name])
