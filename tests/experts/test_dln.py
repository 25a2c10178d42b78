"""DLN equals the definition: overlaps, the best of all splits, the bar, and the languages of the smaller side."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from tests.experts.by_hand import pairs_of, select
from tl_experts.errors import SelectionError
from tl_experts.experts.dln import Dln, overlaps_of, split
from tl_experts.responses.sketch import BINS


def drawn(seed, languages, neurons=40, tokens=30, spread=12):
    """Counts in a few bins, the tokens of each language around a bin of its own."""
    generator = np.random.default_rng(seed)
    counts = np.zeros((languages, neurons, BINS), dtype=np.int32)
    for language in range(languages):
        for neuron in range(neurons):
            chosen = generator.integers(0, 30) + generator.integers(0, spread, size=tokens + language)
            np.add.at(counts[language, neuron], chosen, 1)
    return counts


def by_hand(counts):
    """The definition in plain Python: overlaps, and for each neuron the best of all two-way splits."""
    languages, neurons = range(len(counts)), range(counts.shape[1])
    shares = [[[c / sum(own) for c in own] for own in rows] for rows in counts.tolist()]
    overlap = {
        (a, b, n): sum(map(min, shares[a][n], shares[b][n])) for a in languages for b in languages for n in neurons
    }
    sides = [set(side) for size in range(1, len(languages) // 2 + 1) for side in combinations(languages, size)]
    best = []
    for n in neurons:
        across = {tuple(side): max(overlap[a, b, n] for a in side for b in set(languages) - side) for side in sides}
        least = min(across.values())
        best.append((least, [set(side) for side, value in across.items() if value <= least + 1e-12]))
    return overlap, best


@pytest.mark.parametrize("languages", [2, 3, 4, 5])
def test_the_split_is_the_best_of_all(languages):
    counts = drawn(languages, languages)
    overlap, best = by_hand(counts)
    overlaps = overlaps_of(counts)
    for (a, b, neuron), value in overlap.items():
        assert overlaps[a, b, neuron] == pytest.approx(value, abs=1e-12)
    across, members = split(overlaps)
    for neuron, (least, sides) in enumerate(best):
        assert across[neuron] == pytest.approx(least, abs=1e-12)
        smallest = min(map(len, sides))
        expected = set().union(*(side for side in sides if len(side) == smallest))
        assert set(np.flatnonzero(members[:, neuron]).tolist()) == expected, neuron


def test_overlaps_do_not_depend_on_how_many_neurons_are_compared_at_once(monkeypatch):
    counts = drawn(0, 3)
    whole = overlaps_of(counts)
    monkeypatch.setattr("tl_experts.experts.dln._CHUNK", 7 * 3 * BINS)
    np.testing.assert_array_equal(overlaps_of(counts), whole)
    assert (whole[np.arange(3), np.arange(3)] == 1).all()


def test_its_own_rule_selects_what_is_below_the_percentile_of_all_overlaps(evidence):
    counts = evidence.tokens.gate_counts()
    overlap, best = by_hand(counts)
    every = [value for (a, b, _), value in overlap.items() if a < b]
    bar = np.quantile(every, 0.05)
    table = evidence.expertise.neurons
    for groups in (True, False):
        experts = select(evidence, scoring=Dln(percentile=5, groups=groups))
        assert sum(experts.counts.values()) > 0
        for at, language in enumerate(experts.languages):
            chosen = [
                (least, neuron)
                for neuron, (least, sides) in enumerate(best)
                if least < bar and sides[0] >= {at} and (groups or len(sides[0]) == 1)
            ]
            expected = [(int(table.layer_of[n]), int(table.neuron_of[n])) for _, n in sorted(chosen)]
            assert sorted(pairs_of(experts, language)) == sorted(expected)
            assert (np.diff(experts[language].statistics["score"]) <= 0).all()


def test_equal_histograms_belong_to_all_languages_and_are_never_below_the_bar():
    across, members = split(overlaps_of(np.ones((3, 2, BINS), dtype=np.int32)))
    np.testing.assert_allclose(across, 1)
    assert members.all()


def test_what_it_needs_is_named(evidence):
    none = np.zeros((0, 0, 0), np.int32)
    exact = np.zeros((0, 0), np.float32)
    plain = replace(evidence.tokens, histogram=none, gate_histogram=none, activations=exact)
    with pytest.raises(SelectionError, match="quantiles=True"):
        select(replace(evidence, tokens=plain), scoring="dln")
    with pytest.raises(SelectionError, match="DLN compares languages, and there are 1"):
        overlaps_of(np.ones((1, 2, BINS), dtype=np.int32))
