"""Bootstrap, correlation and correction against scipy, formulas by hand and laws."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tl_experts.analysis.statistics import (
    SIGNIFICANT,
    bootstrap_means,
    detectable_difference,
    enough_resamples,
    fitted_line,
    holm,
    mean_interval,
    paired_gain,
    pearson,
    ratio_interval,
    smallest_p,
    standard_error,
)
from tl_experts.errors import TLExpertsError

RNG = np.random.default_rng(0)


def test_bootstrap_means_are_means_of_resampled_sentences():
    values = RNG.normal(size=(3, 50))
    means = bootstrap_means(values, seed=1, resamples=4000)
    assert means.shape == (3, 4000)
    np.testing.assert_allclose(means.mean(axis=1), values.mean(axis=1), atol=0.01)
    np.testing.assert_allclose(means.std(axis=1), values.std(axis=1) / 50**0.5, rtol=0.05)
    # The rows share their resamples: a difference of rows is the difference of their means.
    together = bootstrap_means(np.stack([values[0], values[1], values[0] - values[1]]), seed=1)
    np.testing.assert_allclose(together[0] - together[1], together[2], atol=1e-6)


def test_the_interval_is_scipys():
    values = RNG.binomial(1, 0.3, size=200).astype(float)
    ours = mean_interval(values, seed=0, resamples=5000)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=5000, rng=np.random.default_rng(1))
    assert ours.value == values.mean()
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.006)


def test_a_wider_level_gives_a_wider_interval():
    values = RNG.normal(size=80)
    narrow, wide = (mean_interval(values, seed=0, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    with pytest.raises(TLExpertsError, match="level is 95; expected a number between 0 and 1"):
        mean_interval(values, seed=0, level=95)


def test_a_ratio_weighs_every_item_alike_and_resamples_whole_sentences():
    counts = RNG.integers(1, 30, size=120)
    sums = counts * RNG.normal(2, 1, size=120)
    found = ratio_interval(sums, counts, seed=0, resamples=4000)
    draws = np.random.default_rng(1).integers(120, size=(4000, 120))
    low, high = np.quantile(sums[draws].sum(1) / counts[draws].sum(1), [0.025, 0.975])
    assert found.value == pytest.approx(sums.sum() / counts.sum())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)
    with pytest.raises(TLExpertsError, match="one count of 1 or more"):
        ratio_interval(sums, counts - counts[0], seed=0)


def test_a_gain_is_paired():
    before = RNG.binomial(1, 0.4, size=300).astype(float)
    after = before.copy()
    after[np.flatnonzero(before == 0)[:15]] = 1
    gain = paired_gain(before, after, seed=0)
    assert gain.value == pytest.approx(0.05)
    assert 0 < gain.low < gain.high < 0.09
    assert gain.p == pytest.approx(2 / 1001)
    unpaired = paired_gain(before, RNG.permutation(after), seed=0)
    assert unpaired.low < 0 < unpaired.high
    assert unpaired.p > 0.05


def test_no_difference_is_no_gain():
    same = RNG.normal(size=40)
    gain = paired_gain(same, same, seed=0)
    assert (gain.value, gain.low, gain.high, gain.p) == (0, 0, 0, 1)
    with pytest.raises(TLExpertsError, match="same sentences twice"):
        paired_gain(same, same[:-1], seed=0)


def test_p_is_right_about_as_often_as_it_says():
    # Under no effect, p < 0.1 should come up in about one case of ten.
    cases = [RNG.normal(size=(2, 60)) for _ in range(200)]
    share = np.mean([paired_gain(*case, seed=i).p < 0.1 for i, case in enumerate(cases)])
    assert 0.04 < share < 0.19


@settings(max_examples=30)
@given(st.integers(3, 40), st.integers(0, 10**6))
def test_pearson_is_scipys(count, seed):
    x, y = np.random.default_rng(seed).normal(size=(2, count))
    found = pearson(x, y, seed=0, resamples=50)
    assert found.value == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
    assert -1 - 1e-9 <= found.low <= found.high <= 1 + 1e-9


def test_pearson_knows_perfect_correlation_and_refuses_constants():
    x = np.arange(10.0)
    for factor in (2.0, -2.0):
        found = pearson(x, 1 + factor * x, seed=0)
        assert (found.value, found.low, found.high) == pytest.approx((np.sign(factor),) * 3)
    for bad in (np.ones(10), np.full(10, np.nan), x[:9]):
        with pytest.raises(TLExpertsError):
            pearson(x, bad, seed=0)


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_scipys_relative(p_values):
    corrected = holm(p_values)
    assert len(corrected) == len(p_values)
    assert all(p <= c <= 1 for p, c in zip(p_values, corrected, strict=True))
    # By hand: the largest of (n - rank) p over all that are not larger.
    ranked = sorted(p_values)
    for p, c in zip(p_values, corrected, strict=True):
        bound = max((len(ranked) - i) * q for i, q in enumerate(ranked) if q <= p and i <= ranked.index(p))
        assert c == pytest.approx(min(1, bound))


def test_holm_by_hand_and_bad_input():
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([]) == []
    with pytest.raises(TLExpertsError, match="numbers from 0 to 1"):
        holm([0.5, 1.5])


@pytest.mark.parametrize(("resamples", "tests"), [(200, 24), (10_000, 24), (50, 1)])
def test_the_smallest_p_is_that_of_the_largest_gain(resamples, tests):
    gain = paired_gain(np.zeros(9), np.ones(9), seed=0, resamples=resamples)
    assert holm([gain.p, *[1.0] * (tests - 1)])[0] == pytest.approx(smallest_p(resamples, tests))


@pytest.mark.parametrize("tests", [1, 7, 24, 210])
def test_enough_resamples_is_the_first_number_that_gives_power(tests):
    enough = enough_resamples(tests)
    assert smallest_p(enough, tests) < SIGNIFICANT <= smallest_p(enough - 1, tests)


def test_standard_error_is_scipys():
    values = RNG.normal(size=7)
    assert standard_error(values) == pytest.approx(stats.sem(values))
    assert standard_error(values[:1]) == 0


@pytest.mark.parametrize("bad", [np.zeros(4), np.zeros((2, 0)), np.array([[1.0, np.nan]])])
def test_bad_values_are_refused(bad):
    with pytest.raises(TLExpertsError):
        bootstrap_means(bad, seed=0)


@pytest.mark.parametrize("resamples", [0, -1, 10.0, True])
def test_resamples_are_a_count(resamples):
    with pytest.raises(TLExpertsError, match=f"resamples is {resamples}"):
        mean_interval(np.arange(4.0), seed=0, resamples=resamples)
    assert mean_interval(np.arange(4.0), seed=0, resamples=np.int64(10)).value == 1.5


def test_tensors_and_whole_numbers_give_what_arrays_of_floats_give():
    before, after = np.array([0, 1, 0, 1]), np.array([1, 1, 0, 1])
    expected = paired_gain(before.astype(float), after.astype(float), seed=0)
    assert paired_gain(torch.tensor(before).bool(), torch.tensor(after).bfloat16(), seed=0) == expected
    assert paired_gain(before, torch.tensor(after), seed=0) == expected
    x, y = np.arange(4.0), np.array([1.0, 3.0, 2.0, 5.0])
    assert pearson(torch.tensor(x), y, seed=0) == pearson(x, y, seed=0)
    assert standard_error(torch.tensor(y)) == standard_error(y)
    with pytest.raises(TLExpertsError, match="expected numbers"):
        mean_interval(np.array(["one"]), seed=0)


def test_the_seed_decides():
    values = RNG.normal(size=(1, 30))
    assert (bootstrap_means(values, seed=1) == bootstrap_means(values, seed=1)).all()
    assert not (bootstrap_means(values, seed=1) == bootstrap_means(values, seed=2)).all()


def test_a_fitted_line_is_scipys_and_lies_in_its_band():
    rng = np.random.default_rng(4)
    x = rng.normal(size=40)
    y = 0.7 * x - 0.2 + 0.3 * rng.normal(size=40)
    at = np.linspace(-2, 2, 9)
    line, low, high = fitted_line(x, y, at, seed=0)
    reference = stats.linregress(x, y)
    np.testing.assert_allclose(line, reference.slope * at + reference.intercept, rtol=1e-10)
    assert (low < line).all()
    assert (line < high).all()
    # Near the standard error of the mean response: 1.96 of them on either side.
    spread = np.sqrt(np.mean((y - line_at(reference, x)) ** 2) * (1 / 40 + (at - x.mean()) ** 2 / (40 * x.var())))
    np.testing.assert_allclose((high - low) / (2 * 1.96 * spread), 1, atol=0.35)
    again = fitted_line(x, y, at, seed=0)
    assert all(np.array_equal(one, other) for one, other in zip((line, low, high), again, strict=True))


def line_at(reference, x):
    return reference.slope * x + reference.intercept


def test_points_on_a_line_have_no_band():
    x = np.arange(5.0)
    line, low, high = fitted_line(x, 2 * x + 1, np.array([10.0]), seed=0)
    np.testing.assert_allclose([line[0], low[0], high[0]], 21)


@pytest.mark.parametrize(
    ("x", "y"), [([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([1, 2, np.nan], [1, 2, 3]), ([1, 2, 3], [1, 2, np.inf])]
)
def test_no_line_through_too_few_equal_or_missing_points(x, y):
    with pytest.raises(TLExpertsError, match="three or more finite points"):
        fitted_line(np.array(x, float), np.array(y, float), np.array([0.0]), seed=0)


def test_a_detectable_difference_is_found_four_times_in_five():
    count, spread = 80, 3.0
    rng = np.random.default_rng(5)
    difference = detectable_difference(np.tile([-spread, spread], count // 2), power=0.8)
    samples = rng.normal(difference, spread, size=(4000, count))
    found = stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.02)
    assert (stats.ttest_1samp(samples - difference, 0, axis=1).pvalue < 0.05).mean() == pytest.approx(0.05, abs=0.015)


def test_a_detectable_difference_by_its_formula():
    values = RNG.normal(size=50)
    factor = stats.norm.ppf(0.995) + stats.norm.ppf(0.9)
    assert detectable_difference(values, level=0.99, power=0.9) == pytest.approx(factor * stats.sem(values))
    # Four times the sentences show half the difference.
    more = detectable_difference(np.tile(values, 4))
    assert more == pytest.approx(detectable_difference(values) / 2, rel=0.02)
    assert detectable_difference(np.full(9, 0.5)) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [({"power": 80}, "power is 80"), ({"level": 1}, "level is 1"), ({"power": 0.0}, "power is 0")],
)
def test_a_level_or_power_that_is_not_a_probability_is_named(options, message):
    with pytest.raises(TLExpertsError, match=message):
        detectable_difference(np.array([0.0, 1.0]), **options)
    with pytest.raises(TLExpertsError, match="at least one sentence"):
        detectable_difference(np.array([]))
