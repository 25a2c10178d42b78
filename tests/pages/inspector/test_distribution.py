"""The histogram counts every token once; examples come from every interval, and the last holds the largest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tl_experts.pages.inspector.distribution import BINS, LEVELS, distribution, interval_examples

VALUES = np.random.default_rng(0).normal(size=4000).astype(np.float32)
SENTENCE_OF = np.repeat(np.arange(400), 10)


def test_a_distribution_is_numpys_histogram_and_quantiles():
    own = SENTENCE_OF < 40
    found = distribution(VALUES, own)
    counts, _ = np.histogram(VALUES, BINS, (VALUES.min(), VALUES.max()))
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_array_equal(found.own, np.histogram(VALUES[own], BINS, (VALUES.min(), VALUES.max()))[0])
    np.testing.assert_allclose(found.quantiles, np.quantile(VALUES, LEVELS))


@given(arrays(np.float32, st.integers(1, 50), elements=st.floats(-100, 100, width=32)))
def test_every_token_is_counted_once(values):
    found = distribution(values, np.ones(len(values), dtype=bool))
    assert found.counts.sum() == found.own.sum() == len(values)
    intervals = interval_examples(values, np.arange(len(values)), found.quantiles, count=len(values))
    assert sorted(token for tokens in intervals for token in tokens) == list(range(len(values)))


def test_examples_lie_in_their_interval_and_are_of_different_sentences():
    quantiles = distribution(VALUES, SENTENCE_OF < 40).quantiles
    intervals = interval_examples(VALUES, SENTENCE_OF, quantiles, count=3)
    edges = [-np.inf, *quantiles, np.inf]
    for tokens, low, high in zip(intervals, edges[:-1], edges[1:], strict=True):
        assert len(tokens) == 3
        assert len(set(SENTENCE_OF[tokens])) == 3
        assert ((low <= VALUES[tokens]) & (VALUES[tokens] < high)).all()


def test_the_last_interval_shows_the_largest_and_the_others_are_spread():
    quantiles = distribution(VALUES, SENTENCE_OF < 40).quantiles
    *others, last = interval_examples(VALUES, SENTENCE_OF, quantiles, count=2)
    assert last[0] == VALUES.argmax()
    first, final = others[0]
    assert SENTENCE_OF[first] < 20
    assert SENTENCE_OF[final] > 380


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_neuron_that_never_varies_has_one_bin(value):
    found = distribution(np.full(9, value, dtype=np.float32), np.zeros(9, dtype=bool))
    assert found.counts.tolist() == [9, *[0] * (BINS - 1)]
    assert (found.low, found.high, found.own.sum()) == (value, value, 0)
