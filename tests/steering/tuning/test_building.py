"""What a setting becomes is what the calls of the package give."""

import numpy as np
import pytest
import torch

from tl_experts import Reading, Steering, collect_both, collect_statistics, score_responses, select_experts, steer
from tl_experts.errors import ResponseError, TLExpertsError
from tl_experts.steering.tuning.building import builder
from tl_experts.steering.tuning.space import Setting
from tl_experts.steering.vectors import language_vector


@pytest.fixture(scope="module")
def both(model_of, corpus):
    return collect_both(model_of("llama"), corpus, progress=False)


@pytest.fixture(scope="module")
def residual(model_of, corpus):
    return collect_statistics(model_of("llama"), corpus, reading=Reading(site="hook_resid_post"), progress=False)


def test_neurons_are_those_of_select_experts(both):
    built = builder(both, "de").build(Setting("auroc", 7, "set", "token_mean", 0.5, "last", (1,)))
    expertise = score_responses(both[0], progress=False)
    expected = select_experts(expertise, k=7, layers=[1], languages=["de"], tokens=both[1])
    assert built.experts.to_pandas().equals(expected.to_pandas())
    assert built.experts.selection == expected.selection
    assert str(built) == str(Steering(expected, "set", "token_mean", 0.5, "last"))


def test_all_neurons_and_the_vector_are_shifted(model_of, both, residual):
    building = builder([*both, residual], "de")
    model, tokens = model_of("llama"), torch.tensor([[0, 5, 9]])
    for scoring, statistics in (("all", both[1]), ("vector", residual)):
        built = building.build(Setting(scoring, None, strength=0.5, source="en"))
        with steer(model, built):
            found = model(tokens)
        shift = language_vector(statistics, "de", source="en")
        np.testing.assert_array_equal(built.intercept, shift.intercept)
        assert built.strength == 0.5
        assert not torch.equal(found, model(tokens))


def test_what_the_statistics_do_not_allow_is_not_possible(both):
    building = builder(both, "de")
    assert building.possible(Setting("auroc", 96, "set", "mean"))
    impossible = [
        Setting("auroc", 97, "set", "mean"),
        Setting("lape", 90, "set", "mean"),
        Setting("vector", None),
        Setting("all", None, source="de"),
        Setting("all", None, source="fr"),
    ]
    for setting in impossible:
        assert not building.possible(setting)
        with pytest.raises(TLExpertsError, match="cannot be built for de"):
            building.build(setting)


def test_statistics_that_lack_something_raise_an_error(both):
    responses, tokens = both
    for given, words in (
        ((responses,), "lacks tokens"),
        ((tokens,), "lacks responses"),
        ((), "lacks responses"),
        ((*both, tokens), "tokens twice"),
        ((*both, "text"), "holds str"),
        (tokens, "is TokenStatistics"),
    ):
        with pytest.raises(TLExpertsError, match=words):
            builder(given, "de")
    with pytest.raises(ResponseError, match="'sw'"):
        builder(both, "sw")
