"""Neurons that respond as much to random token sequences are left out, whatever the scoring."""

from dataclasses import replace

import numpy as np
import pytest

from tests.experts.by_hand import FOURTH, QUIET, select, sets_of
from tl_experts import collect_random_statistics, collect_statistics, find_experts
from tl_experts.errors import SelectionError
from tl_experts.experts import Dln, Lape, LeaveOut
from tl_experts.experts.scorings import scored, scoring_of


@pytest.fixture(scope="module")
def random(model_of, corpus):
    return collect_random_statistics(model_of("llama"), corpus, **QUIET)


@pytest.mark.parametrize("by", ["rate", "mean"])
@pytest.mark.parametrize("scoring", ["auroc", Lape(FOURTH, 0.5)], ids=str)
def test_a_score_stays_where_the_language_has_more_and_is_minus_infinity_elsewhere(scoring, by, evidence, random):
    def measure(tokens):
        return tokens.gate_over_zero / tokens.tokens[:, None] if by == "rate" else tokens.mean

    kept = (measure(evidence.tokens) > measure(random)).T
    assert 0 < kept.sum() < kept.size
    plain = scored(scoring_of(scoring), evidence)
    left = scored(LeaveOut(scoring, random, by), evidence)
    np.testing.assert_array_equal(left, np.where(kept, plain.astype(np.float64), -np.inf))
    best = select(evidence, scoring=LeaveOut(scoring, random, by), k=3)
    columns = evidence.expertise.neurons.columns_of(best.layer, best.neuron)
    assert kept[columns, best.language_of].all()
    assert best.metric.endswith(f"without random-active neurons ({by})")


def test_equal_rates_are_left_out(evidence, random):
    same = replace(
        random,
        **{name: getattr(evidence.tokens, name)[:1] for name in ("tokens", "gate_over_zero", "over_zero", "total")},
    )
    assert (LeaveOut("auroc", same)(evidence)[:, 0] == -np.inf).all()
    assert (LeaveOut("auroc", same, "mean")(evidence)[:, 0] == -np.inf).all()
    none = replace(same, gate_over_zero=np.zeros_like(same.gate_over_zero))
    assert (LeaveOut("auroc", none)(evidence)[:, 0] > -np.inf).any()


def test_a_rule_of_its_own_selects_first(evidence, random):
    lape = Lape(FOURTH, 0.5)
    plain, left = select(evidence, scoring=lape), select(evidence, scoring=LeaveOut(lape, random))
    assert "own rule" in left.selection
    tokens = evidence.tokens
    kept = tokens.gate_over_zero / tokens.tokens[:, None] > random.gate_over_zero / random.tokens[:, None]
    for at, (mine, whole) in enumerate(zip(sets_of(left), sets_of(plain), strict=True)):
        assert mine == {pair for pair in whole if kept[at, 48 * pair[0] + pair[1]]}
    assert left.total < plain.total
    assert not hasattr(LeaveOut("auroc", random), "selected")
    assert select(evidence, scoring=LeaveOut("auroc", random), k=2).total == 8


def test_the_pass_collects_the_quantiles_that_the_scoring_needs(model_of, corpus, random):
    found = find_experts(model_of("llama"), corpus, scoring=LeaveOut(Dln(percentile=50), random), **QUIET)
    assert 0 < sum(found.counts.values()) < 4 * 96


def test_find_experts_takes_it_and_a_function(model_of, corpus, random):
    found = find_experts(model_of("llama"), corpus, k=2, scoring=LeaveOut("ap", random), **QUIET)
    assert found.metric == "ap without random-active neurons (rate)"

    def own(evidence):
        return evidence.expertise.ap

    assert sets_of(find_experts(model_of("llama"), corpus, k=2, scoring=LeaveOut(own, random), **QUIET)) == sets_of(
        found
    )


def test_what_does_not_fit_is_refused(evidence, random, model_of, corpus):
    for bad, message in (
        (lambda: LeaveOut("aucor", random), "did you mean 'auroc'"),
        (lambda: LeaveOut("auroc", random, "median"), "by 'median'"),
        (lambda: LeaveOut("auroc", None), "random is NoneType; expected statistics of random"),
        (lambda: LeaveOut("auroc", collect_statistics(model_of("llama"), corpus, **QUIET)), "random is en, de, ru, ja"),
    ):
        with pytest.raises(SelectionError, match=message):
            bad()
    other = replace(random, fingerprint={"weights": "x"})
    with pytest.raises(SelectionError, match="differ in fingerprint"):
        select(evidence, scoring=LeaveOut("auroc", other), k=2)
    with pytest.raises(SelectionError, match="needs statistics of tokens"):
        select(replace(evidence, tokens=None), scoring=LeaveOut("auroc", random), k=2)
