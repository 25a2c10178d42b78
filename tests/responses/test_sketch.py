"""The fixed sketch: values in their bins, quantiles near NumPy's, tokens counted as often as their sentences occur."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tl_experts.responses.sketch import BINS, EDGES, TokensOfLanguages, bins_of, quantile_of


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1))
def test_each_value_is_between_the_edges_of_its_bin(values):
    array = np.array(values, dtype=np.float32)
    found = bins_of(torch.from_numpy(array)).numpy()
    inside = array.astype(np.float64).clip(EDGES[0], EDGES[-1])
    assert ((EDGES[found] <= inside) & (inside <= EDGES[found + 1])).all()
    assert (found[array > 0] >= BINS // 2).all()
    assert (found[array < 0] < BINS // 2).all()


def test_the_edges_ascend_evenly_in_relative_terms_and_are_symmetric():
    assert len(EDGES) == BINS + 1
    np.testing.assert_array_equal(EDGES, -EDGES[::-1])
    widths = np.diff(EDGES)
    assert (widths > 0).all()
    assert (widths[201:] <= EDGES[201:-1] / 8).all()
    assert (EDGES[0], EDGES[200], EDGES[-1]) == (-4096, 0, 4096)
    assert EDGES[201] < 2**-12


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_values_of_other_dtypes_are_counted_as_float32(dtype):
    values = torch.tensor([-3.0, 0.25, 100.0], dtype=dtype)
    assert torch.equal(bins_of(values), bins_of(values.float()))


@pytest.mark.parametrize("q", [0.0, 0.01, 0.25, 0.5, 0.9, 1.0])
def test_quantiles_are_within_an_eighth_of_the_exact_ones(q):
    values = np.random.default_rng(0).standard_normal((3, 4, 2_000)).astype(np.float32) * np.float32(5)
    bins = bins_of(torch.from_numpy(values)).numpy()
    counts = np.stack([[np.bincount(own, minlength=BINS) for own in rows] for rows in bins]).astype(np.int32)
    exact = np.quantile(values, q, axis=2)
    np.testing.assert_allclose(quantile_of(counts, q), exact, rtol=1 / 8, atol=0.02)


def test_the_quantile_of_a_constant_is_in_its_bin():
    counts = np.zeros((1, 1, BINS), dtype=np.int32)
    counts[0, 0, 304] = 7
    assert [float(quantile_of(counts, q)[0, 0]) for q in (0.0, 0.5, 1.0)] == [1.0, 1.0625, 1.125]


def test_tokens_count_as_often_as_their_sentence_occurs_and_padding_never():
    pooled = torch.tensor([[False, True, True], [True, False, False]])
    weights = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    activation = torch.tensor([[[9.0, 9.0], [1.0, -1.0], [1.0, 2.0]], [[4.0, -4.0], [9.0, 9.0], [9.0, 9.0]]])
    counts = torch.zeros(3, 2, BINS, dtype=torch.int32)
    for _ in range(2):
        TokensOfLanguages.of(pooled, weights).count(activation, counts)
    expected = torch.zeros_like(counts)
    once = [(0, 0, 1.0, 4), (0, 1, -1.0, 2), (0, 1, 2.0, 2), (1, 0, 1.0, 2), (1, 0, 4.0, 1)]
    for language, neuron, value, count in [*once, (1, 1, -1.0, 1), (1, 1, 2.0, 1), (1, 1, -4.0, 1)]:
        expected[language, neuron, bins_of(torch.tensor([value]))] = 2 * count
    assert torch.equal(counts, expected)
