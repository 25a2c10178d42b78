"""Experts are selected as a plain argsort would, and found as collecting, scoring and selecting would."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.experts.by_hand import GRID, LANGUAGES, PAIRS, SCORES, assert_even, assert_same, expertise_of, pairs_of
from tl_experts import Batching, Reading
from tl_experts.errors import SelectionError
from tl_experts.experts import find as selection
from tl_experts.experts.auroc import STATISTICS
from tl_experts.experts.expertise import score_responses
from tl_experts.experts.find import find_experts, select_experts
from tl_experts.responses.collect import collect_responses
from tl_experts.responses.neurons import NeuronTable


@settings(max_examples=100)
@given(SCORES, st.integers(1, len(PAIRS)), st.sampled_from(["auroc", "ap"]))
def test_top_k_are_a_plain_argsort_over_all_layers(scores, k, metric):
    expertise = expertise_of(scores, ap=scores) if metric == "auroc" else expertise_of(1 - scores, ap=scores)
    experts = select_experts(expertise, k=k, scoring=metric)
    assert experts.counts == dict.fromkeys(LANGUAGES, k)
    for index, language in enumerate(LANGUAGES):
        order = np.argsort(-scores[:, index], kind="stable")[:k]
        assert pairs_of(experts, language) == [PAIRS[i] for i in order]


@settings(max_examples=100)
@given(SCORES, st.integers(1, len(PAIRS)))
def test_bottom_k_are_the_same_argsort_from_the_other_end(scores, k):
    experts = select_experts(expertise_of(scores), k=k, how="bottom")
    for index, language in enumerate(LANGUAGES):
        order = np.argsort(scores[:, index], kind="stable")[:k]
        assert pairs_of(experts, language) == [PAIRS[i] for i in order]


@pytest.mark.parametrize("how", ["top", "bottom"])
@pytest.mark.parametrize("metric", ["auroc", "ap"])
def test_equal_scores_are_taken_in_order_of_layer_and_neuron(how, metric):
    experts = select_experts(expertise_of(np.full(36, 0.5), ap=np.full(36, 0.5)), k=7, how=how, scoring=metric)
    assert all(pairs_of(experts, language) == PAIRS[:7] for language in LANGUAGES)


@settings(max_examples=100)
@given(SCORES, st.sampled_from(GRID), st.none() | st.integers(1, 20), st.sampled_from(["top", "bottom"]))
def test_a_threshold_keeps_all_who_reach_it_and_k_the_first_of_them(scores, threshold, k, how):
    limit = np.float32(threshold)
    expected = []
    for column in scores.T:
        order = np.argsort(-column if how == "top" else column, kind="stable")
        expected.append([PAIRS[i] for i in order if (column[i] >= limit if how == "top" else column[i] <= limit)][:k])
    if all(expected):
        experts = select_experts(expertise_of(scores), threshold=threshold, k=k, how=how)
        assert [pairs_of(experts, language) for language in LANGUAGES] == expected
    else:
        with pytest.raises(
            SelectionError, match=f"threshold {re.escape(str(threshold))} for {LANGUAGES[expected.index([])]}"
        ):
            select_experts(expertise_of(scores), threshold=threshold, k=k, how=how)


@pytest.mark.parametrize("number", [float, np.float64], ids=lambda number: number.__name__)
def test_a_score_of_nine_tenths_reaches_a_threshold_of_nine_tenths_whatever_its_number_type(number):
    experts = select_experts(expertise_of(np.full(36, 0.9)), threshold=number(0.9))
    assert experts.counts == dict.fromkeys(LANGUAGES, 12)


def test_k_is_500_where_neither_k_nor_threshold_is_given():
    def wide(width):
        return expertise_of(np.linspace(0, 1, 3 * width), table=NeuronTable((0,), (width,)))

    assert select_experts(wide(501)).counts == dict.fromkeys(LANGUAGES, 500)
    with pytest.raises(SelectionError, match="k is 500, but there are 499 neurons"):
        select_experts(wide(499))


@pytest.mark.parametrize("how", ["top", "bottom", "random"])
@pytest.mark.parametrize("layers", [[4], [7, 1], (1, 4, 7), range(4, 5)])
def test_a_layers_filter_leaves_only_those_layers(expertise, how, layers):
    allowed = [i for i, (layer, _) in enumerate(PAIRS) if layer in layers]
    experts = select_experts(expertise, k=3, how=how, layers=layers)
    assert set(experts.layer.tolist()) <= set(layers)
    if how != "random":
        sign = -1 if how == "top" else 1
        for index, language in enumerate(LANGUAGES):
            order = np.argsort(sign * expertise.auroc[allowed, index], kind="stable")[:3]
            assert pairs_of(experts, language) == [PAIRS[allowed[i]] for i in order]
    everyone = select_experts(expertise, k=len(allowed), how=how, layers=layers)
    assert all(sorted(pairs_of(everyone, language)) == [PAIRS[i] for i in allowed] for language in LANGUAGES)


@pytest.mark.parametrize("how", ["top", "bottom", "random"])
def test_statistics_are_each_neurons_own_for_its_own_language(expertise, how):
    experts = select_experts(expertise, k=5, how=how)
    assert list(experts.statistics) == list(STATISTICS)
    columns = [PAIRS.index(pair) for language in LANGUAGES for pair in pairs_of(experts, language)]
    for name in STATISTICS:
        expected = getattr(expertise, name)[columns, np.repeat([0, 1, 2], 5)]
        np.testing.assert_array_equal(experts.statistics[name], expected)


def test_experts_remember_what_they_were_selected_from(expertise):
    experts = select_experts(expertise, k=2, scoring="ap")
    for name in ("languages", "site", "pooling", "corpus", "fingerprint"):
        assert getattr(experts, name) == getattr(expertise, name)
    assert experts.candidates == expertise.neurons
    assert experts.metric == "ap"
    assert experts.total == 6


def test_candidates_are_the_neurons_the_experts_were_chosen_from(expertise):
    assert select_experts(expertise, k=2, layers=[7, 1]).candidates == NeuronTable((1, 7), (3, 4))


def test_random_experts_are_distinct_the_same_for_a_seed_and_others_for_another(expertise):
    one, again, other = (select_experts(expertise, k=6, how="random", seed=seed) for seed in (1, 1, 2))
    assert_same(one, again)
    for language in LANGUAGES:
        assert len(set(pairs_of(one, language))) == 6
    assert [pairs_of(one, language) for language in LANGUAGES] != [pairs_of(other, language) for language in LANGUAGES]
    assert len({tuple(pairs_of(one, language)) for language in LANGUAGES}) == 3


def test_random_experts_are_spread_evenly_over_all_neurons(expertise):
    draws = [select_experts(expertise, k=3, how="random", seed=seed) for seed in range(1_000)]
    for language in LANGUAGES:
        assert_even([pair for experts in draws for pair in pairs_of(experts, language)], PAIRS)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("refused", "message", "accepted"),
    [
        ({"k": 0}, "k is 0; expected at least 1", {"k": 1}),
        ({"k": -3}, "k is -3; expected at least 1", {"k": 3}),
        ({"k": 13}, "k is 13, but there are 12 neurons", {"k": 12}),
        ({"k": 13, "how": "random"}, "k is 13, but there are 12 neurons", {"k": 12, "how": "random"}),
        ({"k": 4, "layers": [1]}, "k is 4, but there are 3 neurons", {"k": 3, "layers": [1]}),
        ({}, "k is 500, but there are 12 neurons", {"threshold": 0.0}),
        ({"threshold": 1.01}, "threshold is 1.01; .* between 0 and 1", {"threshold": 0.89}),
        ({"threshold": -0.01}, "threshold is -0.01; .* between 0 and 1", {"threshold": 0.0}),
        ({"threshold": float("nan")}, "threshold is nan; .* between 0 and 1", {"threshold": 0.5}),
        ({"threshold": 0.95}, "no neuron reaches threshold 0.95 for en; its best is 0.900", {"threshold": 0.9}),
        ({"threshold": 0.5, "how": "random"}, "how='random' takes k, not a threshold", {"k": 5, "how": "random"}),
        ({"k": 1, "scoring": "auc"}, "scoring 'auc' is not known; .*'auroc'", {"k": 1, "scoring": "ap"}),
        ({"k": 1, "how": "buttom"}, "how 'buttom' is not known; did you mean 'bottom'", {"k": 1, "how": "bottom"}),
        ({"k": 1, "layers": [1, 2]}, r"layers \[1, 2\]: ", {"k": 1, "layers": [1, 4]}),
        ({"k": 1, "layers": [-1]}, r"layers \[-1\]: ", {"k": 1, "layers": [7]}),
        ({"k": 1, "layers": []}, r"layers \[\]: ", {"k": 1, "layers": None}),
    ],
    ids=str,
)
def test_a_selection_that_cannot_be_made_is_refused_and_its_neighbour_made(refused, message, accepted):
    expertise = expertise_of(np.repeat(np.linspace(0, 0.9, 12), 3))
    with pytest.raises(SelectionError, match=message):
        select_experts(expertise, **refused)
    assert select_experts(expertise, **accepted).total >= 3


def test_refusing_a_layer_names_the_layers_that_were_scored(expertise):
    with pytest.raises(SelectionError) as refusal:
        select_experts(expertise, k=1, layers=[5])
    assert set(re.findall(r"\d+", str(refusal.value))) == {"5", "1", "4", "7"}


def test_refusing_a_bottom_threshold_names_the_lowest_score():
    expertise = expertise_of(np.repeat(np.linspace(0.25, 0.875, 12), 3))
    assert select_experts(expertise, threshold=0.25, how="bottom").total == 3
    with pytest.raises(SelectionError, match=r"threshold 0.125 for en; .*0\.250"):
        select_experts(expertise, threshold=0.125, how="bottom")


def test_refusing_a_threshold_names_the_best_of_the_layers_asked_for():
    expertise = expertise_of(np.repeat(np.linspace(0, 0.99, 12), 3))  # the best of layer 1, the first, has 0.18
    assert select_experts(expertise, threshold=0.17, layers=[1]).total == 3
    with pytest.raises(SelectionError, match=r"threshold 0.5 for en; its best is 0\.180"):
        select_experts(expertise, threshold=0.5, layers=[1])


STEPS = {
    "defaults": (Reading(), {"k": 5}),
    "threshold and ap": (Reading(pooling="mean"), {"threshold": 0.3, "k": 7, "scoring": "ap"}),
    "bottom of one layer": (Reading(layers=[1], batching=Batching(prepend_bos=False)), {"k": 4, "how": "bottom"}),
    "another site and dtype": (Reading(site="attn.hook_z", dtype=torch.bfloat16), {"k": 4}),
    "bos": (Reading(batching=Batching(prepend_bos=True)), {"k": 6}),
}


@pytest.mark.parametrize(("reading", "selecting"), STEPS.values(), ids=STEPS)
def test_find_experts_is_collect_score_and_select(llama, corpus, reading, selecting):
    found = find_experts(llama, corpus, reading=reading, progress=False, **selecting)
    responses = collect_responses(llama, corpus, reading=reading, progress=False)
    assert_same(found, select_experts(score_responses(responses, progress=False), **selecting))
    assert found.languages == corpus.languages
    assert found.corpus == corpus.fingerprint


def test_find_experts_passes_truncate_on(llama, corpus):
    long = replace(corpus, texts=(corpus.texts[0] * 40, *corpus.texts[1:]))
    responses = collect_responses(llama, long, reading=Reading(batching=Batching(truncate=True)), progress=False)
    expected = select_experts(score_responses(responses, progress=False), k=3)
    assert_same(
        find_experts(llama, long, k=3, reading=Reading(batching=Batching(truncate=True)), progress=False), expected
    )


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "selecting",
    [{"k": 0}, {"k": 97}, {"threshold": 2.0}, {"scoring": "f1"}, {"how": "best"}, {"how": "random"}],
)
def test_a_selection_that_cannot_be_made_is_refused_before_the_model_runs(monkeypatch, llama, corpus, selecting):
    def runs(*args, **kwargs):
        raise InterruptedError("the model runs")

    monkeypatch.setattr(selection, "collect_responses", runs)
    with pytest.raises(SelectionError):
        find_experts(llama, corpus, **selecting)
    with pytest.raises(InterruptedError):
        find_experts(llama, corpus, k=96)


def test_experts_of_some_languages_are_those_of_all():
    expertise = expertise_of(np.random.default_rng(3).random((len(PAIRS), len(LANGUAGES))))
    every, chosen = select_experts(expertise, k=4), LANGUAGES[::-1][:2]
    some = select_experts(expertise, k=4, languages=[*chosen, chosen[0]])
    assert some.languages == chosen
    assert some.to_pandas().equals(every.only(chosen).to_pandas())
    for nothing in ([], "de"):
        with pytest.raises(SelectionError, match="give a list of at least one"):
            select_experts(expertise, k=4, languages=nothing)


def test_a_k_that_was_computed_may_be_a_float(expertise):
    whole = select_experts(expertise, k=3)
    for k in (3.0, np.float64(3), np.int64(3)):
        found = select_experts(expertise, k=k)
        assert found.selection == whole.selection
        assert np.array_equal(found.neuron, whole.neuron)
        assert np.array_equal(whole.head(k).neuron, whole.neuron)
