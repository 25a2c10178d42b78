"""Transport maps against their formulas, and their laws."""

import numpy as np
import pytest

from tl_experts.errors import InterventionError
from tl_experts.steering.maps import KINDS, fit_gaussian, fit_linear, fit_mean, source_range


def sample(size: int, neurons: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, size=(size, neurons))


@pytest.mark.parametrize("kind", KINDS)
def test_transport_of_a_sample_onto_itself_is_the_identity(kind):
    own = sample(40)
    slope, intercept = KINDS[kind](own, own)
    np.testing.assert_allclose(slope, 1, rtol=1e-12)
    np.testing.assert_allclose(intercept, 0, atol=1e-12)


@pytest.mark.parametrize("kind", ["gaussian", "linear"])
@pytest.mark.parametrize(("a", "b"), [(2.0, -1.0), (0.1, 5.0)])
def test_an_affine_change_is_recovered(kind, a, b):
    source = sample(40)
    shuffled = np.random.default_rng(1).permutation(source)  # rows need not correspond
    slope, intercept = KINDS[kind](source, a * shuffled + b)
    np.testing.assert_allclose(slope, a, rtol=1e-5)
    np.testing.assert_allclose(intercept, b, rtol=1e-5, atol=1e-5)


def test_a_shift_is_recovered_by_the_mean():
    slope, intercept = fit_mean(sample(40), sample(40) - 3)
    np.testing.assert_allclose((slope, intercept), (np.ones(5), np.full(5, -3.0)), rtol=1e-12)


def test_hand_worked_responses():
    source, target = np.array([[3.0], [0.0], [1.0], [2.0]]), np.array([[1.0], [7.0], [1.0], [3.0]])
    # Sorted: 0 1 2 3 and 1 1 3 7. Means 1.5 and 3, covariance 2.5, variances 1.25 and 6.
    np.testing.assert_allclose(fit_mean(source, target), [[1.0], [1.5]])
    np.testing.assert_allclose(fit_linear(source, target), [[2.0], [0.0]], atol=1e-12)
    slope = np.sqrt(6 / 1.25)
    np.testing.assert_allclose(fit_gaussian(source, target), [[slope], [3 - 1.5 * slope]])


def test_the_linear_map_is_the_least_squares_line_of_the_sorted_samples():
    source, target = sample(30, seed=2), sample(30, seed=3) ** 2
    slope, intercept = fit_linear(source, target)
    for neuron in range(5):
        line = np.polyfit(np.sort(source[:, neuron]), np.sort(target[:, neuron]), 1)
        np.testing.assert_allclose((slope[neuron], intercept[neuron]), line, rtol=1e-9)


def test_samples_of_unequal_size_are_paired_by_quantiles():
    even = np.linspace(0, 1, 11)[:, None]
    slope, intercept = fit_linear(even, 3 * np.linspace(0, 1, 101)[:, None] + 1)
    np.testing.assert_allclose((slope[0], intercept[0]), (3, 1), rtol=1e-9)


def test_a_neuron_that_does_not_vary():
    constant, target = np.full((4, 1), 0.1), np.array([[1.0], [2.0], [3.0], [6.0]])
    np.testing.assert_allclose(fit_linear(constant, target), [[1.0], [2.9]])
    np.testing.assert_allclose(fit_gaussian(constant, target), [[1.0], [0.0]])
    np.testing.assert_allclose(fit_gaussian(target, constant), [[1.0], [0.0]])
    np.testing.assert_allclose(fit_linear(np.zeros((4, 1)), target), [[1.0], [3.0]])


def test_the_range_of_the_source():
    source = np.arange(101.0)[:, None]
    assert [column.item() for column in source_range(source, (0.01, 0.99))] == [1.0, 99.0]
    assert [column.item() for column in source_range(source, (0, 1))] == [0.0, 100.0]
    assert [column.item() for column in source_range(source, None)] == [-np.inf, np.inf]


@pytest.mark.parametrize("quantiles", [(0.9, 0.1), (-0.1, 1), (0, 1.5), (0.5, 0.5), 0.5, ("a", "b"), (0, np.nan)])
def test_quantiles_that_cannot_be_raise(quantiles):
    with pytest.raises(InterventionError, match="quantiles is"):
        source_range(sample(4), quantiles)
