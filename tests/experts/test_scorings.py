"""Scorings rank neurons as their formulas say, by name or as a user's own function."""

import numpy as np
import pytest
import torch

from tests.experts.by_hand import FOURTH, QUIET, assert_same, pairs_of, select, sets_of
from tl_experts import Experts, Reading, collect_both, find_experts, score_responses, select_experts
from tl_experts.errors import SelectionError
from tl_experts.experts import AlignedLape, Dln, Lape, SparseProbe
from tl_experts.experts.evidence import needs_tokens
from tl_experts.experts.scorings import SCORINGS, scored
from tl_experts.models import text_batches

WIDE = SCORINGS | {
    "lape": Lape(FOURTH, 0.5),
    "aligned_lape": AlignedLape(FOURTH, 0.5, 0.1),
    "probe": SparseProbe(c=100),
}
"""The same with a bar that enough neurons of the tiny model exceed, and a probe that gives enough of them a weight."""


@pytest.mark.parametrize("name", SCORINGS)
def test_the_top_k_of_every_scoring_are_a_stable_sort_of_its_scores(name, evidence):
    scores = scored(WIDE[name], evidence)
    assert scores.shape == (96, 4)
    wanted = WIDE[name] if WIDE[name] is not SCORINGS[name] else name
    experts = select(evidence, scoring=wanted, k=3)
    assert experts.metric == str(wanted)
    table = evidence.expertise.neurons
    for at, language in enumerate(experts.languages):
        order = np.argsort(-scores[:, at], kind="stable")[:3]
        expected = list(zip(table.layer_of[order].tolist(), table.neuron_of[order].tolist(), strict=True))
        assert pairs_of(experts, language) == expected
        if name not in ("auroc", "ap"):
            np.testing.assert_array_equal(experts[language].statistics["score"], scores[order, at].astype(np.float32))


def test_auroc_and_ap_are_selected_as_before_and_bear_no_further_column(evidence):
    for name in ("auroc", "ap"):
        plain = select_experts(evidence.expertise, k=4, scoring=name)
        assert "score" not in plain.statistics
        assert not {"token_mean", "token_negative_mean"} & set(plain.statistics)
        by_function = select_experts(evidence.expertise, k=4, scoring=SCORINGS[name])
        assert sets_of(by_function) == sets_of(plain)


def test_experts_hold_means_over_tokens_and_are_saved_with_them(evidence, tmp_path):
    experts = select(evidence, scoring=WIDE["lape"], k=2)
    at = evidence.expertise.neurons.columns_of(experts.layer, experts.neuron), experts.language_of
    np.testing.assert_array_equal(experts.statistics["token_mean"], evidence.tokens.mean.T[at].astype(np.float32))
    np.testing.assert_array_equal(
        experts.statistics["token_negative_mean"], evidence.tokens.other_mean.T[at].astype(np.float32)
    )
    assert_same(Experts.from_pretrained(experts.save_pretrained(tmp_path / "lape")), experts)
    control = experts.random_control(seed=0)
    assert np.isnan(control.statistics["score"]).all()
    np.testing.assert_array_equal(control.statistics["token_mean"], experts.statistics["token_mean"])
    assert list(experts.to_pandas().columns)[-3:] == ["score", "token_mean", "token_negative_mean"]


def test_both_ends_are_the_top_and_then_the_bottom(evidence):
    top, bottom, both = (select(evidence, k=5, scoring="ap", how=how) for how in ("top", "bottom", "both"))
    for language in both.languages:
        assert pairs_of(both, language) == pairs_of(top, language) + pairs_of(bottom, language)
    assert select(evidence, k=48, how="both").counts == dict.fromkeys(both.languages, 96)
    with pytest.raises(SelectionError, match="takes 2 x 49 of 96 neurons; lower k to 48"):
        select(evidence, k=49, how="both")


def test_a_users_own_function_is_a_scoring_in_every_way(llama, corpus):
    def share_over_zero(evidence):
        return evidence.tokens.share_over_zero.T - evidence.tokens.other_share_over_zero.T

    found = find_experts(llama, corpus, k=4, scoring=share_over_zero, **QUIET)
    assert found.metric == "share_over_zero"
    responses, tokens = collect_both(llama, corpus, **QUIET)
    expertise = score_responses(responses, **QUIET)
    again = select_experts(expertise, k=4, scoring=share_over_zero, responses=responses, tokens=tokens)
    assert_same(found, again)
    assert select_experts(expertise, scoring=share_over_zero, threshold=-1.0, tokens=tokens).counts["en"] == 96


@pytest.mark.parametrize(
    "scoring",
    [Lape(rate=0.1), "token_mean_difference", Dln(percentile=20), lambda e: e.tokens.mean.T],
    ids=["lape", "token_mean_difference", "dln", "a function"],
)
def test_experts_from_a_folder_are_those_from_memory(scoring, llama, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("tl_experts.responses.collect.PART", 7)
    k = None if isinstance(scoring, Lape | Dln) else 3
    memory, disk = (
        find_experts(llama, corpus, k=k, scoring=scoring, folder=folder, **QUIET) for folder in (None, tmp_path)
    )
    assert_same(memory, disk)


@pytest.mark.parametrize("name", SCORINGS)
def test_find_experts_is_one_pass_of_collecting_scoring_and_selecting(name, llama, corpus, monkeypatch):
    passes = []
    real = torch.nn.Module.__call__

    def counted(module, *args, **kwargs):
        passes.append(module is llama)
        return real(module, *args, **kwargs)

    reading = Reading(pooling="mean")
    responses, tokens = collect_both(llama, corpus, reading=reading, quantiles=name == "dln", **QUIET)
    expertise = score_responses(responses, **QUIET)
    monkeypatch.setattr(torch.nn.Module, "__call__", counted)
    scoring = WIDE[name] if WIDE[name] is not SCORINGS[name] else name
    found = find_experts(llama, corpus, k=3, scoring=scoring, reading=reading, **QUIET)
    assert sum(passes) == len(text_batches(llama, corpus.texts))
    given = {"tokens": tokens} if needs_tokens(WIDE[name]) else {}
    assert_same(found, select_experts(expertise, k=3, scoring=scoring, responses=responses, **given))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda e: e.expertise.auroc.T, r"returned float32 \(4, 96\); expected a float array of shape \(96, 4\)"),
        (lambda e: e.expertise.auroc > 0, "returned bool"),
        (lambda e: None, "returned NoneType"),
        (lambda e: np.where(np.arange(96)[:, None] == 50, np.nan, e.expertise.auroc), "NaN for neuron L1 N2 and en"),
    ],
    ids=["transposed", "bool", "nothing", "nan"],
)
def test_scores_that_do_not_fit_are_refused(bad, message, evidence):
    with pytest.raises(SelectionError, match=message):
        select(evidence, k=2, scoring=bad)
    assert select(evidence, k=2, scoring=lambda e: -e.expertise.auroc).total == 8


def test_minus_infinity_is_never_selected(evidence):
    def odd_ones(evidence):
        return np.where(np.arange(96)[:, None] % 2, evidence.expertise.auroc, -np.inf)

    for how in ("top", "bottom"):
        experts = select(evidence, scoring=odd_ones, k=48, how=how)
        assert all(neuron % 2 for neuron in experts.neuron.tolist())
        with pytest.raises(SelectionError, match="there are 48 neurons"):
            select(evidence, scoring=odd_ones, k=49, how=how)
    assert select(evidence, scoring=odd_ones, threshold=-1.0).counts["en"] == 48
    with pytest.raises(SelectionError, match="no neuron can be selected for en"):
        select(evidence, scoring=lambda e: np.full((96, 4), -np.inf), threshold=0.0)


@pytest.mark.parametrize("options", [{"how": "bottom"}, {"how": "both"}], ids=str)
def test_a_selection_by_lape_that_cannot_be_made_is_refused_before_the_model_runs(options, llama, corpus, monkeypatch):
    def runs(*args, **kwargs):
        raise InterruptedError("the model runs")

    for name in ("collect_both", "begin_store"):
        monkeypatch.setattr(f"tl_experts.experts.find.{name}", runs)
    with pytest.raises(SelectionError, match="needs"):
        find_experts(llama, corpus, scoring="lape", **options, **QUIET)
    with pytest.raises(InterruptedError):
        find_experts(llama, corpus, scoring="lape", **QUIET)
