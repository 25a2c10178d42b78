"""Measures that stages share, by hand: hits by kind of pair, gains, Holm's correction."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tl_experts.errors import TLExpertsWarning
from tl_experts.study.measures import KINDS, accuracy, correct, gain, hits_by_kind, mean_top1

RANKS = {
    ("en", "de"): torch.tensor([0, 1]),
    ("de", "en"): torch.tensor([0, 0]),
    ("de", "ja"): torch.tensor([3, 0]),
    ("ja", "en"): torch.tensor([1, 0]),
}
"""Ranks of two sentences' translations; rank 0 is a hit."""


def test_hits_by_kind_by_hand():
    hits = hits_by_kind(RANKS, "en")
    assert {kind: values.tolist() for kind, values in hits.items()} == {
        "target as query": [1.0, 0.0],
        "target as candidate": [0.5, 1.0],
        "other pairs": [0.0, 1.0],
        "all pairs": [0.5, 0.75],
    }
    assert tuple(hits) == KINDS


def test_a_kind_without_pairs_is_left_out():
    assert "other pairs" in hits_by_kind(RANKS, "en")
    pairs = {pair: ranks for pair, ranks in RANKS.items() if "en" in pair}
    assert "other pairs" not in hits_by_kind(pairs, "en")


def test_mean_top1_is_the_mean_of_the_hits_of_all_pairs():
    assert mean_top1(RANKS.values()) == pytest.approx(hits_by_kind(RANKS, "en")["all pairs"].mean())


def test_a_gain_is_the_mean_difference_inside_its_interval(bench):
    generator = np.random.default_rng(0)
    before = generator.random(60)
    after = before + 0.2 + 0.05 * generator.standard_normal(60)
    found = gain(bench, before, after)
    assert found["gain"] == pytest.approx((after - before).mean())
    assert found["low"] < found["gain"] < found["high"]
    assert found["p"] < 0.05
    assert gain(bench, before, after) == found, "the seed of the study decides"
    reverse = gain(bench, after, before)
    assert reverse["gain"] == pytest.approx(-found["gain"])


def test_equal_hits_are_no_gain(bench):
    same = np.array([0.0, 1.0, 0.5])
    assert gain(bench, same, same) == {"gain": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


def test_holms_correction_by_hand(bench):
    # In ascending order 0.01, 0.03, 0.04 are multiplied by 3, 2, 1 and never fall below their predecessor.
    rows = [{"p": 0.01}, {"p": 0.04}, {"p": 0.03}]
    correct(bench, rows)
    assert [row["p_holm"] for row in rows] == pytest.approx([0.03, 0.06, 0.06])
    assert [row["p"] for row in rows] == [0.01, 0.04, 0.03]


def test_accuracy_is_the_mean_of_the_hits_inside_its_interval(bench):
    hits = np.array([0.0, 1.0] * 20 + [1.0] * 10)
    found = accuracy(bench, hits)
    assert found["top1"] == pytest.approx(0.6)
    assert found["low"] < 0.6 < found["high"]
    assert accuracy(bench, np.ones(5)) == {"top1": 1.0, "low": 1.0, "high": 1.0}


def test_too_few_resamples_for_a_table_give_a_warning(result):
    bench = SimpleNamespace(config=replace(result.config, resamples=200))
    with pytest.warns(TLExpertsWarning, match="p is at least 0.24 .* over 24 gains.*set resamples to 960 or more"):
        correct(bench, [{"p": 0.01} for _ in range(24)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        correct(SimpleNamespace(config=replace(result.config, resamples=960)), [{"p": 0.01} for _ in range(24)])
        correct(bench, [])
