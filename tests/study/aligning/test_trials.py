"""A trial reads each view in its best layer and survives JSON."""

import json

import numpy as np
import pytest
import torch

from tests.steering.tuning.fakes import setting
from tests.study.aligning.fakes import VECTOR, none, trial
from tl_experts.study.aligning.trials import AlignmentTrial, View, packed, trial_of


def test_each_view_is_read_in_its_best_layer_the_first_of_equals():
    arrays = {"raw": np.array([0.5, 0.5, 0.2]), "centred": np.array([0.1, 0.3, 0.6]), "seconds": np.array([2.0])}
    found = trial_of(setting(), 1, 8, (0, 4, None), arrays)
    assert (found.raw, found.raw_layer) == (0.5, 0)
    assert (found.centred, found.centred_layer) == (0.6, None)
    assert found.view == View(None, True)
    assert (found.top1, found.seconds, found.rows, found.stage) == (0.6, 2.0, 8, 1)
    assert str(found.view) == "last layer, centred"


def test_of_equal_views_the_raw_one_is_the_trials():
    assert trial(0.4, centred=0.4).view == View(3, False)


def test_trials_are_ranked_by_stage_then_top1_then_fewer_neurons():
    trials = [trial(0.9, 0), trial(0.5, own=setting(50)), trial(0.5, own=setting(5)), trial(0.6, own=setting(500))]
    ranked = sorted(trials, key=lambda one: one.rank)
    assert [(one.stage, one.top1, one.setting.count) for one in ranked] == [
        (0, 0.9, 5),
        (1, 0.5, 50),
        (1, 0.5, 5),
        (1, 0.6, 500),
    ]


@pytest.mark.parametrize("one", [trial(0.5), trial(0.5, own=VECTOR), none(0.5)], ids=str)
def test_a_trial_survives_json(one):
    assert AlignmentTrial.from_document(json.loads(json.dumps(one.to_document()))) == one


def test_top1_of_vectors_by_hand():
    # As they are, one of the four sentences finds another; with the languages' means subtracted, none does.
    a = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    b = torch.tensor([[0.4, 2.0], [-0.5, 3.0]])
    arrays = packed({7: {"a": a, "b": b}})
    assert arrays["centred"].tolist() == [1.0]
    assert arrays["raw"].tolist() == [0.75]
