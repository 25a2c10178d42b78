"""Random controls: as many other neurons, spread evenly, drawn independently for each language."""

import numpy as np
import pytest

from tests.experts.by_hand import LANGUAGES, PAIRS, assert_even, assert_same, experts_of, pairs_of
from tl_experts.errors import SelectionError
from tl_experts.experts.auroc import STATISTICS
from tl_experts.experts.find import select_experts
from tl_experts.responses.neurons import NeuronTable


def test_a_random_control_has_as_many_other_neurons_at_the_same_values(experts):
    control = experts.random_control(seed=0)
    assert control.counts == experts.counts
    np.testing.assert_array_equal(control.language_of, experts.language_of)
    for language in LANGUAGES:
        drawn = pairs_of(control, language)
        assert len(set(drawn)) == len(drawn)
        assert set(drawn) <= set(PAIRS) - set(pairs_of(experts, language))
    for name in STATISTICS:
        if name in ("auroc", "ap"):
            assert np.isnan(control.statistics[name]).all()
        else:
            assert control.statistics[name].tobytes() == experts.statistics[name].tobytes()


def test_a_random_control_is_the_same_for_a_seed_and_another_for_another(experts):
    assert_same(experts.random_control(seed=5), experts.random_control(seed=5))
    drawn = {
        str([pairs_of(experts.random_control(seed=seed), language) for language in LANGUAGES]) for seed in range(9)
    }
    assert len(drawn) == 9


def test_random_controls_are_spread_evenly_over_the_neurons_that_are_not_experts(experts):
    controls = [experts.random_control(seed=seed) for seed in range(1_000)]
    for language in LANGUAGES:
        others = [pair for pair in PAIRS if pair not in pairs_of(experts, language)]
        assert_even([pair for control in controls for pair in pairs_of(control, language)], others)


def test_the_control_of_one_language_is_that_language_of_the_control_of_all(experts):
    whole = experts.random_control(seed=3)
    for language in LANGUAGES:
        assert_same(experts[language].random_control(seed=3), whole[language])


def test_controls_of_single_languages_are_drawn_independently_of_each_other():
    # The same expert in every language: only the draws can differ.
    table = NeuronTable((0,), (1_000,))
    experts = experts_of({language: [(0, n) for n in range(10)] for language in LANGUAGES}, table=table)
    drawn = {language: pairs_of(experts[language].random_control(seed=0), language) for language in LANGUAGES}
    assert len({tuple(pairs) for pairs in drawn.values()}) == 3


def test_the_control_of_experts_of_some_layers_stays_in_those_layers(expertise):
    for seed in range(20):
        control = select_experts(expertise, k=2, layers=[4, 7]).random_control(seed=seed)
        assert set(control.layer.tolist()) <= {4, 7}


def test_a_control_of_more_experts_than_other_neurons_is_refused(expertise):
    assert select_experts(expertise, k=6).random_control(seed=0).total == 18
    with pytest.raises(SelectionError, match="7 en experts leave 5 other neurons; lower k"):
        select_experts(expertise, k=7).random_control(seed=0)


def test_a_layer_matched_control_has_as_many_other_neurons_in_every_layer_at_the_same_values(experts):
    for seed in range(20):
        control = experts.random_control(seed=seed, match_layers=True)
        np.testing.assert_array_equal(control.layer, experts.layer)
        for language in LANGUAGES:
            drawn = pairs_of(control, language)
            assert len(set(drawn)) == len(drawn)
            assert not set(drawn) & set(pairs_of(experts, language))
        assert control.statistics["mean"].tobytes() == experts.statistics["mean"].tobytes()
    assert "same layers" in control.selection
    assert_same(control, experts.random_control(seed=19, match_layers=True))


def test_a_layer_matched_control_needs_room_in_the_layer_itself():
    table = NeuronTable((0, 1), (3, 10))
    two = experts_of({"en": [(0, 0), (0, 1)], "de": [(1, 0)]}, table=table)
    assert two.random_control(seed=0).total == 3
    with pytest.raises(SelectionError, match="2 en experts of layer 0 leave 1 other neurons; lower k"):
        two.random_control(seed=0, match_layers=True)
