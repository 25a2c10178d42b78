"""Settings and the space of them."""

import pytest

from tests.steering.tuning.fakes import setting
from tl_experts.errors import TLExpertsError
from tl_experts.steering.tuning.space import SearchSpace, Setting


def test_a_setting_is_told_in_a_line_and_read_back():
    vector = Setting("vector", None, strength=0.5, positions="generated", layers=(3, 4), source="en")
    assert str(vector) == "language vector, add 0.5 x diffmean to en, generated positions, layers 3, 4"
    assert str(Setting("all", None)) == "all neurons, add 1 x diffmean, all positions"
    for one in (vector, setting()):
        assert Setting.from_dict(one.to_dict()) == one
    with pytest.raises(TLExpertsError, match="not a setting"):
        Setting.from_dict({"neurons": 5})


def test_the_space_holds_every_combination_once_and_no_strength_beyond_its_operation():
    space = SearchSpace(counts=(5, 50), holds=(("set", "mean"), ("add", "diffmean")), strengths=(0.5, 2.0))
    found = space.settings()
    assert len(found) == len(set(found)) == 3 * 2 * 3 * 2 + 2 * 2 * 2 * 2
    assert {one.strength for one in found if one.operation == "set"} == {0.5}
    assert {one.count for one in found if one.scoring == "all"} == {None}
    assert {one.source for one in found if one.scoring == "lape"} == {None}


def test_neighbours_are_one_step_away():
    space = SearchSpace(counts=(1, 5, 20), strengths=(0.5, 1.0, 2.0), positions=("all", "generated"))
    near = space.neighbours(setting(count=5, strength=1.0))
    assert {(one.count, one.strength, one.positions) for one in near} == {
        (1, 1.0, "all"),
        (20, 1.0, "all"),
        (5, 0.5, "all"),
        (5, 2.0, "all"),
        (5, 1.0, "generated"),
    }
    assert {one.strength for one in space.neighbours(Setting("all", None, strength=2.0))} == {1.0, 2.0}
    held = Setting("auroc", 20, "set", "mean", 1.0)
    assert {one.strength for one in space.neighbours(held)} == {0.5, 1.0}  # set takes no strength of 2
