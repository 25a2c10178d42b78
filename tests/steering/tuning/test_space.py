"""Settings and the space of them."""

import pytest

from tests.steering.tuning.fakes import setting
from tl_experts.errors import TLExpertsError
from tl_experts.steering.tuning.space import SearchSpace, Setting


def test_a_setting_is_told_in_a_line_and_read_back():
    vector = Setting("vector", None, strength=0.5, positions="generated", layers=(3, 4), source="en")
    opening = Setting("lape", 5, positions=4)
    assert str(vector) == "language vector, add 0.5 x diffmean to en, generated positions, layers 3, 4"
    assert str(Setting("all", None)) == "all neurons, add 1 x diffmean, all positions"
    assert str(opening) == "5 by lape, add 1 x diffmean, until 4 tokens are written"
    for one in (vector, opening, setting()):
        assert Setting.from_dict(one.to_dict()) == one
    with pytest.raises(TLExpertsError, match="not a setting"):
        Setting.from_dict({"neurons": 5})


def test_the_space_holds_every_combination_once_and_no_strength_beyond_its_operation():
    space = SearchSpace(counts=(5, 50), holds=(("set", "mean"), ("add", "diffmean")), strengths=(0.5, 2.0))
    found = space.settings()
    assert len(found) == len(set(found)) == 3 * 2 * 3 * 5 + 2 * 2 * 2 * 5
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


def test_numbers_of_tokens_are_ordered_and_the_whole_text_follows_the_largest():
    space = SearchSpace(scorings=("all",), strengths=(1.0,), positions=("all", 8, "generated", 2, 4))
    steps = {2: {4}, 4: {2, 8}, 8: {4, "all"}, "all": {8, "generated"}, "generated": {"all"}}
    for positions, beside in steps.items():
        assert {one.positions for one in space.neighbours(Setting("all", None, positions=positions))} == beside


@pytest.mark.parametrize("positions", [0, -1, True, 4.0, "4", None, ("all",)])
def test_positions_are_a_name_or_a_number_of_tokens(positions):
    with pytest.raises(TLExpertsError, match="positions"):
        Setting("all", None, positions=positions)
    with pytest.raises(TLExpertsError, match="positions"):
        SearchSpace(positions=(positions,))


def test_half_steps_lie_half_way_to_the_next_strengths_of_the_operation():
    space = SearchSpace(strengths=(2.0, 0.7, 1.0, 1.0))  # in any order, and twice
    half = space.half_steps(Setting("auroc", 20, "add", "mean", 1.0))
    assert [one.strength for one in half] == [0.85, 1.5]
    assert {(one.scoring, one.count, one.operation, one.value) for one in half} == {("auroc", 20, "add", "mean")}
    assert [one.strength for one in space.half_steps(Setting("auroc", 20, "set", "mean", 1.0))] == [0.85]
    assert [one.strength for one in space.half_steps(Setting("all", None, strength=0.7))] == [0.85]
    assert SearchSpace(strengths=(1.0,)).half_steps(Setting("all", None)) == []


def test_language_vectors_are_tried_at_every_early_layer_unless_layers_are_given():
    space = SearchSpace(scorings=("vector", "all"), strengths=(1.0,), positions=("all",), sources=("en",))
    found = space.for_layers((0, 1, 2, 3)).settings()
    assert [one.layers for one in found if one.scoring == "vector"] == [None, (0,), (1,), (2,)]
    assert [one.layers for one in found if one.scoring == "all"] == [None]
    for given in (SearchSpace(layers=((3,),)), SearchSpace(vector_layers=((3,), None))):
        assert given.for_layers((0, 1, 2, 3)) is given
    given = SearchSpace(scorings=("vector",), layers=((3,),), strengths=(1.0,))
    assert {one.layers for one in given.settings()} == {(3,)}


def test_the_layers_beside_that_of_a_language_vector_are_neighbours():
    space = SearchSpace(scorings=("vector",), strengths=(1.0,), positions=("all",)).for_layers(range(8))
    near = space.neighbours(Setting("vector", None, strength=1.0, layers=(3,)))
    assert {one.layers for one in near} == {(2,), (4,)}
    assert space.neighbours(Setting("vector", None, strength=1.0)) == []
    with pytest.raises(TLExpertsError, match="vector_layers"):
        SearchSpace(vector_layers=())
