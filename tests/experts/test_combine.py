"""Union, intersection and difference of experts are those of their sets, with the statistics of the left."""

from dataclasses import replace

import numpy as np
import pytest

from tests.experts.by_hand import TABLE, assert_same, experts_of, pairs_of
from tl_experts.errors import SelectionError
from tl_experts.experts.combine import at_most
from tl_experts.experts.find import select_experts
from tl_experts.responses.neurons import NeuronTable

ONE = {"en": [(4, 2), (1, 0), (7, 3)], "es": [(1, 1), (4, 0)]}
OTHER = {"es": [(7, 0), (1, 1)], "de": [(4, 4)], "en": [(1, 0)]}


@pytest.fixture
def one():
    return experts_of(ONE)


@pytest.fixture
def other():
    made = experts_of(OTHER)
    return replace(made, statistics={name: column + 10 for name, column in made.statistics.items()})


def lists(experts):
    return {language: pairs_of(experts, language) for language in experts}


def test_a_union_has_the_left_then_the_new_of_the_right_and_the_languages_of_both(one, other):
    both = one | other
    assert lists(both) == {"en": ONE["en"], "es": [(1, 1), (4, 0), (7, 0)], "de": [(4, 4)]}
    np.testing.assert_array_equal(both.statistics["mean"], np.float32([0, 0.25, 0.5, 0.75, 1, 10, 10 + 2 / 3]))
    assert both.selection == "(by hand) | (by hand)"
    assert (both.metric, both.corpus) == (one.metric, one.corpus)


def test_intersection_and_difference_keep_the_left_in_its_order_and_its_languages(one, other):
    assert lists(one & other) == {"en": [(1, 0)], "es": [(1, 1)]}
    assert lists(one - other) == {"en": [(4, 2), (7, 3)], "es": [(4, 0)]}
    assert lists(other - one) == {"es": [(7, 0)], "de": [(4, 4)], "en": []}
    assert (other - one).languages == other.languages
    np.testing.assert_array_equal((one & other).statistics["mean"], np.float32([0.25, 0.75]))


def test_the_laws_of_sets_hold(expertise):
    top, low = select_experts(expertise, k=5), select_experts(expertise, k=5, scoring="ap")
    for language in top:
        a, b = set(pairs_of(top, language)), set(pairs_of(low, language))
        assert set(pairs_of(top | low, language)) == a | b
        assert set(pairs_of(top & low, language)) == a & b
        assert set(pairs_of(top - low, language)) == a - b
    for same in (top | top, top & top, (top - low) | (top & low)):
        assert {language: set(pairs) for language, pairs in lists(same).items()} == {
            language: set(pairs) for language, pairs in lists(top).items()
        }
    assert (top - top).total == 0
    assert_same(replace(top | top, selection=top.selection), top)


def test_a_union_keeps_the_statistics_that_both_have_and_a_score_of_one_metric_only(one, other):
    def scored(experts, metric):
        score = np.arange(experts.total, dtype=np.float32)
        return replace(experts, metric=metric, statistics=experts.statistics | {"score": score})

    assert "score" in (scored(one, "lape") | scored(other, "lape")).statistics
    mixed = scored(one, "lape") | scored(other, "mean_difference")
    assert "score" not in mixed.statistics
    assert mixed.metric == "lape | mean_difference"
    assert "score" not in (scored(one, "lape") | other).statistics
    assert "score" in (scored(one, "lape") & other).statistics


def test_the_candidates_of_a_union_are_those_of_both():
    low = replace(experts_of({"en": [(1, 0)]}), candidates=TABLE.only([1]))
    high = replace(experts_of({"en": [(7, 3)]}), candidates=TABLE.only([4, 7]))
    assert (low | high).candidates == TABLE
    assert (high | low).candidates == TABLE
    assert (low & high).candidates == TABLE.only([1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"site": "mlp.hook_pre"}, "differ in site: 'mlp.hook_post' and 'mlp.hook_pre'"),
        ({"pooling": "mean"}, "differ in pooling"),
        ({"fingerprint": {"weights": "a", "tokenizer": "b"}}, "two models: their weights are None and a"),
    ],
    ids=str,
)
def test_experts_of_different_readings_or_models_are_not_combined(one, change, message):
    for combine in (lambda a, b: a | b, lambda a, b: a & b, lambda a, b: a - b):
        with pytest.raises(SelectionError, match=message):
            combine(one, replace(one, **change))
        # Only the class or dtype that the model was loaded in.
        assert combine(one, replace(one, fingerprint={"form": "bridge"})).languages == one.languages


@pytest.mark.parametrize("other", [{(1, 0)}, None, "en"], ids=str)
def test_anything_but_experts_raises_an_error(one, other):
    with pytest.raises(SelectionError, match="expected Experts on both sides"):
        one | other
    assert NeuronTable((1,), (3,)) == TABLE.only([1])


def test_neurons_of_one_several_and_all_languages_part_the_experts():
    experts = experts_of({"en": [(4, 2), (1, 0), (7, 3)], "es": [(1, 0), (4, 0), (4, 2)], "de": [(1, 0), (7, 0)]})
    assert lists(experts.shared(1)) == {"en": [(7, 3)], "es": [(4, 0)], "de": [(7, 0)]}
    assert lists(experts.shared(2)) == {"en": [(4, 2)], "es": [(4, 2)], "de": []}
    assert lists(experts.shared(3)) == {"en": [(1, 0)], "es": [(1, 0)], "de": [(1, 0)]}
    assert_same(experts.shared(1, up_to=3), replace(experts, selection="by hand, neurons shared by 1 to 3 languages"))
    assert sum(experts.shared(number).total for number in (1, 2, 3)) == experts.total


@pytest.mark.parametrize(("by", "up_to"), [(0, None), (4, None), (2, 1), (1, 9), (1.5, None), (True, None)])
def test_a_number_of_languages_that_cannot_be_raises(by, up_to):
    experts = experts_of({"en": [(4, 2)], "es": [(1, 0)], "de": [(1, 0)]})
    with pytest.raises(SelectionError, match=r"by|up_to"):
        experts.shared(by, up_to)


def test_at_most_k_of_every_language_and_no_language_without_any():
    experts = experts_of({"en": [(4, 2), (1, 0), (7, 3)], "es": [], "de": [(1, 0)]})
    assert lists(at_most(experts, 2)) == {"en": [(4, 2), (1, 0)], "de": [(1, 0)]}
    assert lists(at_most(experts, 9)) == {"en": [(4, 2), (1, 0), (7, 3)], "de": [(1, 0)]}
    with pytest.raises(SelectionError, match="none of the languages en has"):
        at_most(experts_of({"en": []}), 2)
