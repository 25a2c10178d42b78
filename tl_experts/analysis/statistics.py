"""How sure a number is: bootstrap intervals, paired differences, correlations, many tests at once. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from tl_experts.errors import TLExpertsError

RESAMPLES = 1000
"""Of a bootstrap, unless told otherwise."""

LEVEL = 0.95
"""Of every interval, unless told otherwise."""

Numbers = NDArray[np.floating]


@dataclass(frozen=True)
class Estimate:
    """A number and its interval."""

    value: float
    low: float
    high: float

    p: float | None = None
    """Two-sided, against 0; None where no test was asked for."""

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap_means(
    values: Float[np.ndarray, "..."], *, seed: int, resamples: int = RESAMPLES
) -> Float[np.ndarray, "measure resample"]:
    """The means of every row of ``[measure sentence]`` over the same resampled sentences.

    A resample is a count of how often each sentence was drawn, and all means of all resamples are one matrix product:
    no resampled array is ever made.
    """
    values = _matrix(values)
    count = values.shape[1]
    means: Numbers = (values.astype(np.float32) @ _draws(count, resamples, seed)).astype(np.float64) / count
    return means


@lru_cache(maxsize=2)  # a study asks for the same draws hundreds of times; 10,000 of 1,000 sentences are 40 MB
def _draws(count: int, resamples: int, seed: int) -> Numbers:
    """How often each sentence is drawn: ``[sentence resample]``, closed for writing."""
    rng = np.random.default_rng(seed)
    drawn: Numbers = rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float32).T
    drawn.setflags(write=False)
    return drawn


def mean_interval(
    values: Float[np.ndarray, " sentence"], *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> Estimate:
    """The mean over sentences and its percentile bootstrap interval."""
    values = np.asarray(values, float)
    means = bootstrap_means(values[None], seed=seed, resamples=resamples)[0]
    return Estimate(float(values.mean()), *_interval(means, level))


def paired_gain(
    before: Float[np.ndarray, " before"],
    after: Float[np.ndarray, " after"],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """The mean of after - before over the same sentences, its interval, and p by the paired bootstrap.

    p is twice the smaller share of resamples on the other side of 0 (Efron and Tibshirani 1993, ch. 15), never below
    2 / (resamples + 1): a bootstrap cannot show less.

    Raises:
        TLExpertsError: not the same sentences, or none.
    """
    before, after = np.asarray(before, float), np.asarray(after, float)
    if before.shape != after.shape:
        raise TLExpertsError(f"{before.shape} values before, {after.shape} after; give the same sentences twice")
    differences = after - before
    means = bootstrap_means(differences[None], seed=seed, resamples=resamples)[0]
    tail = min((means <= 0).sum(), (means >= 0).sum())
    p = min(1.0, 2 * (tail + 1) / (resamples + 1))
    return Estimate(float(differences.mean()), *_interval(means, level), p)


def pearson(
    x: Float[np.ndarray, " x"],
    y: Float[np.ndarray, " y"],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """Pearson's r with a bootstrap interval over the items (Sundar et al. 2025, table 2: over candidate languages).

    Raises:
        TLExpertsError: fewer than three items, or one of the two does not vary.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 3:
        raise TLExpertsError(
            f"shapes {x.shape} and {y.shape}; a correlation needs two lists of the same three or more items"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise TLExpertsError("a correlation needs finite numbers that vary on both sides")
    draws = np.random.default_rng(seed).integers(len(x), size=(resamples, len(x)))
    with np.errstate(invalid="ignore"):
        found = _correlations(x[draws], y[draws])
    # A resample that drew one item only has no correlation.
    return Estimate(float(_correlations(x[None], y[None])[0]), *_interval(found[np.isfinite(found)], level))


def _correlations(x: Numbers, y: Numbers) -> Numbers:
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    scale = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return np.where(scale > 1e-12, (x * y).sum(axis=1) / np.where(scale > 1e-12, scale, 1), np.nan)


def fitted_line(
    x: Float[np.ndarray, " x"],
    y: Float[np.ndarray, " y"],
    at: Float[np.ndarray, " point"],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[Numbers, Numbers, Numbers]:
    """The least-squares line of y over x, read off at some points, with its bootstrap band over the items.

    Returns:
        The line, the band's lower and its upper edge, each one value a point.

    Raises:
        TLExpertsError: fewer than three items, or x does not vary.
    """
    x, y, at = (np.asarray(values, float) for values in (x, y, at))
    if x.shape != y.shape or x.ndim != 1 or len(x) < 3 or not np.isfinite([x, y]).all() or np.ptp(x) == 0:
        raise TLExpertsError(f"shapes {x.shape} and {y.shape}; a line needs three or more finite points of different x")
    draws = np.random.default_rng(seed).integers(len(x), size=(resamples, len(x)))
    # A resample that drew one x only has no slope.
    draws = draws[np.ptp(x[draws], axis=1) > 0]
    band = np.quantile(_lines(x[draws], y[draws], at), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return _lines(x[None], y[None], at)[0], band[0], band[1]


def _lines(x: Numbers, y: Numbers, at: Numbers) -> Numbers:
    """``[resample point]``: the line of each row's least squares."""
    middle = x.mean(axis=1, keepdims=True)
    slope = ((x - middle) * y).sum(axis=1) / ((x - middle) ** 2).sum(axis=1)
    lines: Numbers = y.mean(axis=1)[:, None] + slope[:, None] * (at - middle)
    return lines


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction: p-values that can each be held against the level whatever the number of tests (Holm 1979).

    Examples:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, float)
    if values.size and not ((values >= 0) & (values <= 1)).all():
        raise TLExpertsError(f"p-values {list(p_values)} do not fit; expected numbers from 0 to 1")
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return [float(value) for value in corrected]


def standard_error(values: Float[np.ndarray, " item"]) -> float:
    """Standard deviation over the root of the count; 0 for a single item."""
    values = np.asarray(values, float)
    return float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else 0.0


def _interval(found: Numbers, level: float) -> tuple[float, float]:
    if not 0 < level < 1:
        raise TLExpertsError(f"level {level} does not fit; expected a number between 0 and 1, such as 0.95")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _matrix(values: Numbers) -> Numbers:
    values = np.asarray(values)
    if values.ndim != 2 or not values.shape[1]:
        raise TLExpertsError(f"values of shape {values.shape}; expected one row a measure and at least one sentence")
    if not np.isfinite(values).all():
        raise TLExpertsError("a value is NaN or infinite; a bootstrap needs numbers")
    return values
