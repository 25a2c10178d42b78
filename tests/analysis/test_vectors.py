"""Normalised and centred vectors, and the mean cosine distance between two sets of them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tl_experts.analysis.vectors import centre, mean_cosine_distance, normalise, require_finite
from tl_experts.errors import TLExpertsError

VECTORS = st.integers(2, 12).flatmap(
    lambda n: st.lists(st.lists(st.floats(-10, 10, width=32), min_size=4, max_size=4), min_size=n, max_size=n).map(
        torch.tensor
    )
)


@given(VECTORS, VECTORS)
def test_distance_equals_the_mean_over_all_pairs(a, b):
    pairs = 1 - normalise(a).double() @ normalise(b).double().T
    assert mean_cosine_distance(a, b) == pytest.approx(float(pairs.mean()), abs=1e-6)


def test_distance_is_unchanged_by_a_rotation_and_by_lengths():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 20, 8, generator=generator)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q
    assert mean_cosine_distance(3 * a @ rotation, b @ rotation) == pytest.approx(mean_cosine_distance(a, b), abs=1e-6)


def test_centring_removes_the_mean():
    vectors = torch.randn(9, 5) + 100
    torch.testing.assert_close(centre(vectors).mean(0), torch.zeros(5), atol=1e-4, rtol=0)


def test_normalised_vectors_have_length_one_and_zero_stays_zero():
    units = normalise(np.array([[3.0, 4.0], [0.0, 0.0]]))
    torch.testing.assert_close(units, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_embeddings_that_are_not_finite_raise_an_error(bad):
    require_finite(np.ones((2, 2)), torch.ones(2))
    with pytest.raises(TLExpertsError, match="NaN or infinite"):
        require_finite(np.ones(2), np.array([[1.0, bad]]))
