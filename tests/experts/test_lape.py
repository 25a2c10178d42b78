"""LAPE selects what its authors selected, and what a plain implementation of the definition selects."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tl_experts.errors import SelectionError
from tl_experts.experts.lape import (
    activation_probabilities,
    aligned_lape,
    entropies,
    lape,
    value_at_rank,
)

MISTRAL = Path(os.environ.get("TL_EXPERTS_SHARED", Path(__file__).parents[3] / "shared")) / "data/lape_mistral7b.npz"

LANGUAGES = ("en", "ru", "es", "fr", "de", "zh", "ja", "bn", "th", "sw")
LAPE_COUNTS = (52, 519, 530, 782, 996, 338, 678, 1137, 543, 774)
ALIGNED_COUNTS = (142, 556, 523, 821, 941, 412, 676, 948, 622, 666)


@pytest.fixture(scope="module")
def mistral():
    """Counts of Mistral-7B as published: languages, over_zero, tokens, rows of both selections."""
    if not MISTRAL.is_file():
        pytest.skip("the published counts of Mistral-7B are not beside the checkout")
    with np.load(MISTRAL) as arrays:
        return dict(arrays)


def rows_of(selected, width):
    """(language, layer, neuron) of a selection."""
    language, column = np.nonzero(selected)
    return set(zip(language.tolist(), (column // width).tolist(), (column % width).tolist(), strict=True))


@pytest.mark.parametrize(
    ("published", "score", "counts"),
    [("lape", lape, LAPE_COUNTS), ("published", aligned_lape, ALIGNED_COUNTS)],
    ids=["Tang et al.", "Zhu et al."],
)
def test_the_published_neurons_of_mistral_are_selected_one_for_one(published, score, counts, mistral):
    over_zero = mistral["over_zero"]
    selected = score(over_zero.reshape(len(over_zero), -1), mistral["tokens"]).selected(0.01)
    assert tuple(mistral["languages"].tolist()) == LANGUAGES
    assert tuple(selected.sum(axis=1).tolist()) == counts
    assert rows_of(selected, over_zero.shape[2]) == set(map(tuple, mistral[published].tolist()))
    if score is lape:
        assert selected.any(axis=0).sum() == 4_588 == round(0.01 * selected.shape[1])


def by_hand(over_zero, tokens, *, rate, bar_rate, weight=None):
    """An independent implementation in plain Python: a list of sets of neurons, one per language."""
    languages, neurons = range(len(tokens)), range(len(over_zero[0]))
    shares = [[float(np.float32(over_zero[k][n]) / np.float32(tokens[k])) for n in neurons] for k in languages]
    ascending = sorted(value for row in shares for value in row)
    bar = ascending[round(bar_rate * len(ascending)) - 1]
    norm = sum(1 / k for k in range(1, len(tokens) + 1)) / len(tokens)
    scores = {}
    for n in neurons:
        own = [shares[k][n] for k in languages]
        entropy = -sum(p / sum(own) * math.log(p / sum(own)) for p in own if p > 0)
        if weight is None and max(own) > bar:
            scores[n] = entropy
        elif weight is not None and max(own) > 0:
            scores[n] = entropy / math.log(len(tokens)) - weight * max(own) / norm
    # Rounded: sums in another order may differ in the last bit, which must not undo a tie.
    chosen = sorted(scores, key=lambda n: (round(scores[n], 12), n))[: round(rate * len(neurons))]
    return [{n for n in chosen if shares[k][n] > bar} for k in languages]


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.02, 0.1]), st.sampled_from([0.5, 0.9, 0.95]))
def test_a_small_slice_is_selected_as_by_hand_ties_included(seed, rate, bar_rate):
    generator = np.random.default_rng(seed)
    tokens = generator.integers(5, 9, 4)
    over_zero = generator.integers(0, 5, (4, 150)) * generator.integers(0, 2, (4, 150))
    for weight, scores in (
        (None, lape(over_zero, tokens, bar_rate=bar_rate)),
        (0.25, aligned_lape(over_zero, tokens, bar_rate=bar_rate, weight=0.25)),
    ):
        scores.values[np.isfinite(scores.values)] = scores.values[np.isfinite(scores.values)].round(12)
        selected = scores.selected(rate)
        expected = by_hand(over_zero.tolist(), tokens.tolist(), rate=rate, bar_rate=bar_rate, weight=weight)
        assert [set(np.flatnonzero(row).tolist()) for row in selected] == expected


def test_neurons_of_equal_score_are_taken_in_their_order():
    over_zero = np.array([[4, 4, 4, 4, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]])
    scores = lape(over_zero, np.array([4, 4]), bar_rate=0.8)
    assert scores.bar == 0.25
    assert np.flatnonzero(scores.selected(0.3)[0]).tolist() == [0, 1, 2]


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_the_union_of_the_sets_has_as_many_members_as_are_selected(seed, languages):
    generator = np.random.default_rng(seed)
    tokens = generator.integers(900, 1_100, languages)
    over_zero = generator.integers(0, 900, (languages, 1_000))
    selected = lape(over_zero, tokens).selected(0.01)
    assert selected.any(axis=0).sum() == 10


def test_a_language_without_a_neuron_keeps_its_row():
    over_zero = np.array([[90, 0, 10, 10], [10, 10, 10, 10], [0, 80, 10, 10]])
    selected = lape(over_zero, np.array([100, 100, 100]), bar_rate=10 / 12).selected(0.5)
    assert selected.tolist() == [[True, False, False, False], [False] * 4, [False, True, False, False]]


def test_entropies_are_those_of_the_definition():
    shares = np.array([[0.5, 0.2, 0.0, 0.3], [0.5, 0.0, 0.0, 0.1]], dtype=np.float32)
    expected = [math.log(2), 0.0, 0.0, -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))]
    np.testing.assert_allclose(entropies(shares), expected, atol=1e-7)
    assert entropies(shares).dtype == np.float64


@settings(max_examples=50)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=2, max_size=40), st.floats(0.05, 1))
def test_the_bar_is_pytorchs_kthvalue(values, rate):
    import torch

    shares = np.array([values], dtype=np.float32)
    rank = max(round(rate * len(values)), 1)
    assert float(value_at_rank(shares, rate)) == float(torch.kthvalue(torch.from_numpy(shares).flatten(), rank).values)


def test_the_weight_is_the_largest_without_a_neuron_of_all_languages():
    # 400 neurons of one language each, and 100 that fire everywhere, which a large weight prefers.
    generator = np.random.default_rng(5)
    tokens = np.array([1_000, 1_000, 1_000])
    over_zero = generator.integers(0, 100, (3, 500))
    over_zero[generator.integers(0, 3, 400), np.arange(400)] = generator.integers(300, 600, 400)
    over_zero[:, 400:] = generator.integers(900, 1_000, (3, 100))
    found = aligned_lape(over_zero, tokens, bar_rate=0.5, rate=0.1)
    lasting = [
        step
        for step in range(64)
        if not aligned_lape(over_zero, tokens, bar_rate=0.5, weight=step / 64).selected(0.1).all(axis=0).any()
    ]
    assert 0 < max(lasting) < 63
    np.testing.assert_array_equal(
        found.values, aligned_lape(over_zero, tokens, bar_rate=0.5, weight=max(lasting) / 64).values
    )
    assert set(found.selected(0.1).sum(axis=0).tolist()) == {0, 1}


def test_a_weight_that_cannot_be_found_and_counts_that_cannot_be_compared_raise_errors():
    everywhere = np.array([[9, 1, 1], [9, 1, 1]])
    tokens = np.array([10, 10])
    with pytest.raises(SelectionError, match="belong to all languages"):
        aligned_lape(everywhere, tokens, bar_rate=0.5, rate=1.0)
    assert aligned_lape(everywhere, tokens, bar_rate=0.5, rate=1.0, weight=0.0).values.shape == (3,)
    with pytest.raises(SelectionError, match="there are 1; give two or more"):
        lape(everywhere[:1], tokens[:1])
    with pytest.raises(SelectionError, match="has 0 tokens"):
        activation_probabilities(everywhere, np.array([10, 0]))


def test_the_rate_of_two_percent_selects_twice_as_many():
    over_zero = np.random.default_rng(1).integers(0, 100, (3, 1_000))
    scores = lape(over_zero, np.array([100, 100, 100]))
    assert [int(scores.selected(rate).any(axis=0).sum()) for rate in (0.01, 0.02)] == [10, 20]
