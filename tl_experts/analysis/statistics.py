"""Uncertainty of a number: bootstrap intervals, paired differences, correlations, many tests at once.

Pure functions. Values are NumPy arrays, PyTorch tensors or lists of numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import NDArray

from tl_experts.analysis.arrays import Array, as_floats
from tl_experts.errors import TLExpertsError, not_finite, require_least

RESAMPLES = 1000
"""Default number of resamples of a bootstrap."""

LEVEL = 0.95
"""Default level of an interval."""

POWER = 0.8
"""Default probability with which a difference that `detectable_difference` tells would be found (Cohen 1988)."""

SIGNIFICANT = 0.05
"""A corrected p below this is called significant."""

_FLAT = 1e-12
"""A product of two norms below this: one of the two does not vary."""

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
    values: Shaped[Array, "..."], *, seed: int, resamples: int = RESAMPLES
) -> Float[np.ndarray, "measure resample"]:
    """The means of every row of ``[measure sentence]`` over the same resampled sentences.

    A resample is a count of how often each sentence was drawn, and all means of all resamples are one matrix product:
    no resampled array is allocated.
    """
    matrix = _matrix(as_floats(values))
    count = matrix.shape[1]
    draws = _draws(count, _count(resamples), seed)
    means: Numbers = (matrix.astype(np.float32) @ draws).astype(np.float64) / count
    return means


@lru_cache(maxsize=2)  # a study asks for the same draws hundreds of times; 10,000 of 1,000 sentences are 40 MB
def _draws(count: int, resamples: int, seed: int) -> Float[np.ndarray, "sentence resample"]:
    """How often each sentence is drawn; read-only."""
    rng = np.random.default_rng(seed)
    drawn: Numbers = rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float32).T
    drawn.setflags(write=False)
    return drawn


def mean_interval(
    values: Shaped[Array, " sentence"], *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> Estimate:
    """The mean over sentences and its percentile bootstrap interval."""
    numbers = as_floats(values)
    means = bootstrap_means(numbers[None], seed=seed, resamples=resamples)[0]
    return Estimate(float(numbers.mean()), *_interval(means, level))


def ratio_interval(
    sums: Shaped[Array, " sentence"],
    counts: Shaped[Array, " sentence"],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """A mean over items that sentences hold several of, such as tokens, and its interval over resampled sentences.

    Args:
        sums: over the items of each sentence.
        counts: of the items of each sentence, at least 1.
        seed: of the bootstrap.
        resamples: of the bootstrap.
        level: of the interval.

    Raises:
        TLExpertsError: not one count a sentence, or a count below 1.

    Examples:
        >>> ratio_interval(np.array([3.0, 5.0]), np.array([1, 3]), seed=0).value
        2.0
    """
    totals, items = as_floats(sums), as_floats(counts)
    if totals.shape != items.shape or not (items >= 1).all():
        raise TLExpertsError(f"{totals.shape} sums and {items.shape} counts; give one count of 1 or more for each sum")
    drawn = bootstrap_means(np.stack([totals, items]), seed=seed, resamples=resamples)
    return Estimate(float(totals.sum() / items.sum()), *_interval(drawn[0] / drawn[1], level))


def paired_gain(
    before: Shaped[Array, " before"],
    after: Shaped[Array, " after"],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """The mean of after - before over the same sentences, its interval, and p by the paired bootstrap.

    p is twice the smaller share of resamples on the other side of 0 (Efron and Tibshirani 1993, ch. 15), and at least
    2 / (resamples + 1), the smallest value that a bootstrap can show (see `smallest_p`).

    Raises:
        TLExpertsError: not the same sentences, or none.
    """
    first, second = as_floats(before), as_floats(after)
    if first.shape != second.shape:
        raise TLExpertsError(f"{first.shape} values before, {second.shape} after; give the same sentences twice")
    differences = second - first
    means = bootstrap_means(differences[None], seed=seed, resamples=resamples)[0]
    tail = min((means <= 0).sum(), (means >= 0).sum())
    p = min(1.0, 2 * (tail + 1) / (resamples + 1))
    return Estimate(float(differences.mean()), *_interval(means, level), p)


def pearson(
    x: Shaped[Array, " x"],
    y: Shaped[Array, " y"],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """Pearson's r with a bootstrap interval over the items (Sundar et al. 2025, table 2: over candidate languages).

    Raises:
        TLExpertsError: fewer than three items, or one of the two does not vary.
    """
    x, y = as_floats(x), as_floats(y)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 3:
        raise TLExpertsError(
            f"shapes {x.shape} and {y.shape}; a correlation needs two lists of the same three or more items"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise TLExpertsError("a correlation needs finite numbers that vary on both sides")
    draws = _drawn_items(len(x), resamples, seed)
    with np.errstate(invalid="ignore"):
        found = _correlations(x[draws], y[draws])
    # A resample in which one side does not vary has no correlation.
    return Estimate(float(_correlations(x[None], y[None])[0]), *_interval(found[np.isfinite(found)], level))


def _drawn_items(count: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """``[resample item]``: the indices of the items that each resample drew."""
    return np.random.default_rng(seed).integers(count, size=(_count(resamples), count))


def _correlations(x: Numbers, y: Numbers) -> Numbers:
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    scale = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return np.where(scale > _FLAT, (x * y).sum(axis=1) / np.where(scale > _FLAT, scale, 1), np.nan)


def fitted_line(
    x: Shaped[Array, " x"],
    y: Shaped[Array, " y"],
    at: Shaped[Array, " point"],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[Numbers, Numbers, Numbers]:
    """The least-squares line of y over x, evaluated at some points, with its bootstrap band over the items.

    Returns:
        The line, the lower edge of the band and its upper edge: one value per point each.

    Raises:
        TLExpertsError: fewer than three items, or x does not vary.
    """
    x, y, at = (as_floats(values) for values in (x, y, at))
    if x.shape != y.shape or x.ndim != 1 or len(x) < 3 or not np.isfinite([x, y]).all() or np.ptp(x) == 0:
        raise TLExpertsError(f"shapes {x.shape} and {y.shape}; a line needs three or more finite points of different x")
    draws = _drawn_items(len(x), resamples, seed)
    # A resample in which x does not vary has no slope.
    draws = draws[np.ptp(x[draws], axis=1) > 0]
    band = np.quantile(_lines(x[draws], y[draws], at), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return _lines(x[None], y[None], at)[0], band[0], band[1]


def _lines(x: Numbers, y: Numbers, at: Numbers) -> Numbers:
    """``[resample point]``: the least-squares line of each row."""
    middle = x.mean(axis=1, keepdims=True)
    slope = ((x - middle) * y).sum(axis=1) / ((x - middle) ** 2).sum(axis=1)
    lines: Numbers = y.mean(axis=1)[:, None] + slope[:, None] * (at - middle)
    return lines


def smallest_p(resamples: int, tests: int = 1) -> float:
    """The smallest p that `paired_gain` can give, after `holm` over some tests.

    Where it is `SIGNIFICANT` or more, no result can be called significant: the test has no power.

    >>> round(smallest_p(200, tests=24), 2), round(smallest_p(10_000, tests=24), 4)
    (0.24, 0.0048)
    """
    return min(1.0, tests * 2 / (resamples + 1))


def enough_resamples(tests: int) -> int:
    """The fewest resamples with which one of some tests can be significant after `holm`.

    >>> enough_resamples(24)
    960
    >>> smallest_p(960, tests=24) < SIGNIFICANT <= smallest_p(959, tests=24)
    True
    """
    return int(2 * tests / SIGNIFICANT)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction: p-values that can each be compared with the level, whatever the number of tests (Holm 1979).

    Examples:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    values = as_floats(p_values)
    if values.size and not ((values >= 0) & (values <= 1)).all():
        raise TLExpertsError(f"p-values are {list(p_values)}; expected numbers from 0 to 1")
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return [float(value) for value in corrected]


def standard_error(values: Shaped[Array, " item"]) -> float:
    """Standard deviation divided by the square root of the count; 0 for a single item."""
    numbers = as_floats(values)
    return float(numbers.std(ddof=1) / len(numbers) ** 0.5) if len(numbers) > 1 else 0.0


def detectable_difference(
    differences: Shaped[Array, " sentence"], *, level: float = LEVEL, power: float = POWER
) -> float:
    """The smallest true mean difference that a paired test on this many sentences would probably have found.

    The minimum detectable effect of Bloom 1995 (Evaluation Review 19, 547-556): the standard error of the mean times
    the sum of two quantiles of the normal distribution, that of the two-sided level and that of the power. At level
    0.95 and power 0.8, 2.80 standard errors.

    Args:
        differences: after - before, of the same sentences; what was measured tells how much they vary.
        level: of the interval, 0.95 for a test at 5%.
        power: the probability that a true difference of this size is found.

    Raises:
        TLExpertsError: no sentence, a value that is not finite, or a level or power that is not between 0 and 1.

    Examples:
        >>> round(detectable_difference(np.tile([0, 1], 50)), 2)
        0.14
    """
    for name, value in (("level", level), ("power", power)):
        if not 0 < value < 1:
            raise TLExpertsError(f"{name} is {value}; expected a number between 0 and 1, such as 0.8")
    numbers = _matrix(as_floats(differences)[None])[0]
    normal = NormalDist()
    return standard_error(numbers) * (normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(power))


def _interval(found: Numbers, level: float) -> tuple[float, float]:
    if not 0 < level < 1:
        raise TLExpertsError(f"level is {level}; expected a number between 0 and 1, such as 0.95")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _count(resamples: int) -> int:
    require_least(resamples, "resamples", 1)
    return resamples


def _matrix(values: Numbers) -> Numbers:
    if values.ndim != 2 or not values.shape[1]:
        raise TLExpertsError(f"values of shape {values.shape}; expected one row per measure and at least one sentence")
    if not np.isfinite(values).all():
        raise TLExpertsError(not_finite("a value"))
    return values
