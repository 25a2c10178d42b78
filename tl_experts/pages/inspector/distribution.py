"""The distribution of a neuron's activations over tokens: a histogram, quantiles, and tokens from between them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64
from numpy.typing import NDArray

LEVELS = (0.5, 0.9, 0.99, 0.999)
"""The quantiles that are marked; examples are shown from each of the five intervals that they bound."""

BINS = 40
EXAMPLES = 3
"""Tokens shown from each interval."""


@dataclass(frozen=True, eq=False)
class Distribution:
    """Activations of one neuron over many tokens."""

    low: float
    high: float
    """The smallest and the largest activation: the edges of the histogram."""

    counts: Int64[np.ndarray, " bin"]
    """Tokens in each of `BINS` bins of equal width."""

    own: Int64[np.ndarray, " bin"]
    """Those of one language."""

    quantiles: Float[np.ndarray, " level"]
    """The activations at `LEVELS`."""


def distribution(values: Float[np.ndarray, " token"], own: Bool[np.ndarray, " token"]) -> Distribution:
    """The distribution of activations.

    Args:
        values: the neuron's activation at every token.
        own: the tokens of the language that is shown on its own.

    Examples:
        >>> found = distribution(np.arange(100.0), np.arange(100) < 10)
        >>> found.counts[:4].tolist(), found.own[:5].tolist()
        ([3, 2, 3, 2], [3, 2, 3, 2, 0])
    """
    low, high = float(values.min()), float(values.max())
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts, mine = (np.histogram(part, edges)[0].astype(np.int64) for part in (values, values[own]))
    return Distribution(low, high, counts, mine, np.quantile(values, LEVELS))


def interval_examples(
    values: Float[np.ndarray, " token"],
    sentence_of: Int64[np.ndarray, " token"],
    quantiles: Float[np.ndarray, " level"],
    *,
    count: int = EXAMPLES,
) -> list[list[int]]:
    """Tokens from every interval between the quantiles, each of another sentence.

    In the last interval they are the largest; in the others they are spread evenly over the corpus, so that they stand
    for the interval and are the same every time.

    Args:
        values: the neuron's activation at every token.
        sentence_of: the sentence of every token.
        quantiles: ascending; an activation on one belongs to the interval above it.
        count: tokens of each interval, fewer where it has fewer sentences.

    Returns:
        Indices of tokens for each interval, from the lowest to the highest.
    """
    interval = np.searchsorted(quantiles, values, side="right")
    found = []
    for number in range(len(quantiles) + 1):
        tokens = np.flatnonzero(interval == number)
        if number == len(quantiles):
            tokens = tokens[np.argsort(-values[tokens], kind="stable")]
            _, first = np.unique(sentence_of[tokens], return_index=True)
            found.append(tokens[np.sort(first)][:count].tolist())
            continue
        _, first = np.unique(sentence_of[tokens], return_index=True)
        found.append(_spread(tokens[first], count))
    return found


def _spread(tokens: NDArray[np.int64], count: int) -> list[int]:
    """As many as `count`, evenly spaced."""
    positions = np.linspace(0, len(tokens) - 1, min(count, len(tokens))).round().astype(int)
    return [int(tokens[position]) for position in positions]
