"""Transport maps: each neuron's responses to one language carried onto its responses to another (AcT).

Rodriguez et al. 2025 (ICLR, arXiv 2410.23054; apple/ml-act). Neurons are mapped independently of each other, and each
map is affine, ``z -> slope x z + intercept``, fitted to the two samples of responses:

- ``"mean"``: ``z + mean(target) - mean(source)``;
- ``"gaussian"``: ``(z - mean(source)) / std(source) x std(target) + mean(target)``; the identity where either standard
  deviation is 1e-4 or less;
- ``"linear"``: least squares of the sorted target on the sorted source, ``slope = cov / var``, ``intercept =
  mean(target) - slope x mean(source)``; as ``"mean"`` where the source does not vary.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from tl_experts.errors import InterventionError

Coefficients = Float64[np.ndarray, " neuron"]
Fit = Callable[[NDArray[Any], NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]

LEAST_DEVIATION = 1e-4
"""Standard deviation up to which ``"gaussian"`` leaves a neuron alone (apple/ml-act)."""


def fit_mean(
    source: Float64[np.ndarray, "sentence neuron"], target: Float64[np.ndarray, "other_sentence neuron"]
) -> tuple[Coefficients, Coefficients]:
    """Slope and intercept of Mean-AcT."""
    return np.ones(source.shape[1]), target.mean(axis=0) - source.mean(axis=0)


def fit_gaussian(
    source: Float64[np.ndarray, "sentence neuron"], target: Float64[np.ndarray, "other_sentence neuron"]
) -> tuple[Coefficients, Coefficients]:
    """Slope and intercept of the map between two normal distributions."""
    before, after = source.std(axis=0), target.std(axis=0)
    varies = (before > LEAST_DEVIATION) & (after > LEAST_DEVIATION)
    slope = np.where(varies, after / np.where(varies, before, 1.0), 1.0)
    return slope, np.where(varies, target.mean(axis=0) - slope * source.mean(axis=0), 0.0)


def fit_linear(
    source: Float64[np.ndarray, "sentence neuron"], target: Float64[np.ndarray, "other_sentence neuron"]
) -> tuple[Coefficients, Coefficients]:
    """Slope and intercept of Linear-AcT: sorted target on sorted source, by least squares.

    Samples of unequal size are paired by their quantiles, as many as the smaller one has.
    """
    size = min(len(source), len(target))
    x, y = _quantiles(source, size), _quantiles(target, size)
    centred = x - x.mean(axis=0)
    variance = (centred**2).mean(axis=0)
    covariance = (centred * (y - y.mean(axis=0))).mean(axis=0)
    # Rounding leaves a constant sample a variance of about the square of an epsilon.
    varies = variance > (np.finfo(np.float64).eps * np.abs(x).max(axis=0)) ** 2 * size
    slope = np.where(varies, covariance / np.where(varies, variance, 1.0), 1.0)
    return slope, y.mean(axis=0) - slope * x.mean(axis=0)


KINDS: dict[str, Fit] = {"mean": fit_mean, "gaussian": fit_gaussian, "linear": fit_linear}
"""The maps by name."""


def source_range(
    source: Float64[np.ndarray, "sentence neuron"], quantiles: tuple[float, float] | None
) -> tuple[Coefficients, Coefficients]:
    """The range of each neuron's source responses within which it is mapped.

    Args:
        source: responses.
        quantiles: lower and upper, 0 to 1; None: no limit.

    Raises:
        InterventionError: quantiles outside 0 to 1, or not in order.
    """
    if quantiles is None:
        infinite = np.full(source.shape[1], np.inf)
        return -infinite, infinite
    try:
        low, high = quantiles
        ordered = 0 <= low < high <= 1
    except (TypeError, ValueError):
        ordered = False
    if not ordered:
        raise InterventionError(
            f"quantiles is {quantiles!r}; expected two numbers such as (0.01, 0.99), or None for no limit"
        )
    lowest, highest = np.quantile(source, (low, high), axis=0)
    return lowest, highest


def _quantiles(sample: NDArray[Any], size: int) -> NDArray[Any]:
    """The sorted sample, or so many of its quantiles if it is larger."""
    if len(sample) == size:
        return np.sort(sample, axis=0)
    found: NDArray[Any] = np.quantile(sample, np.linspace(0, 1, size), axis=0)
    return found
