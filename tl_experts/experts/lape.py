"""Language activation probability entropy (LAPE): which neurons fire for few languages only, from counts of tokens.

A neuron's activation probability for a language is the share of its tokens at which the neuron is above zero (of a
gated MLP: the gate). Neurons whose probabilities, normalised over languages, have a low entropy are specific to few
languages. A selected neuron belongs to every language whose probability exceeds a bar, so to several at times; a
language may have none, and keeps its row.

Sources: Tang et al., ACL 2024 (arXiv 2402.16438; RUCAIBox/Language-Specific-Neurons, ``identify.py``): `lape`.
Zhu et al., AAAI 2026 (NJUNLP/Language-Neurons-Alignment): `aligned_lape`. Probabilities are float32, as theirs;
entropies are float64. Equal scores are taken in the order of the neurons.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Integer

from tl_experts.errors import SelectionError


@dataclass(frozen=True, eq=False)
class LapeScores:
    """Scores of all neurons, and which language each may belong to."""

    values: Float64[np.ndarray, " neuron"]
    """The lower, the more specific; +inf: never selected."""

    members: Bool[np.ndarray, "language neuron"]
    """Whether the activation probability exceeds the bar."""

    bar: float
    """The bar."""

    def selected(self, rate: float) -> Bool[np.ndarray, "language neuron"]:
        """The ``round(rate x neurons)`` neurons of lowest score, each in every language that it belongs to."""
        count = min(round(rate * len(self.values)), int(np.isfinite(self.values).sum()))
        lowest = np.zeros(len(self.values), dtype=bool)
        lowest[np.argsort(self.values, kind="stable")[:count]] = True
        return self.members & lowest


def lape(
    over_zero: Integer[np.ndarray, "language neuron"],
    tokens: Integer[np.ndarray, " language"],
    *,
    bar_rate: float = 0.95,
) -> LapeScores:
    """LAPE: the entropy of a neuron's activation probabilities, +inf for one that exceeds the bar in no language.

    Args:
        over_zero: number of tokens at which the activation is above zero.
        tokens: number of tokens.
        bar_rate: share of all probabilities that the bar is not below.

    Examples:
        >>> counts = np.array([[9, 0, 5, 1], [0, 0, 5, 1]])
        >>> scores = lape(counts, np.array([10, 10]), bar_rate=0.75)
        >>> scores.selected(0.25).tolist()
        [[True, False, False, False], [False, False, False, False]]
    """
    shares = activation_probabilities(over_zero, tokens)
    bar = value_at_rank(shares, bar_rate)
    members = shares > bar
    return LapeScores(np.where(members.any(axis=0), entropies(shares), np.inf), members, float(bar))


def aligned_lape(
    over_zero: Integer[np.ndarray, "language neuron"],
    tokens: Integer[np.ndarray, " language"],
    *,
    bar_rate: float = 0.95,
    rate: float = 0.01,
    weight: float | None = None,
) -> LapeScores:
    """Zhu et al.: ``entropy / ln K - weight x largest probability / norm``, ``norm = (1/K) x sum of 1/k``, unfiltered.

    A neuron that is never above zero has no normalised probabilities and is never selected.

    Args:
        over_zero: number of tokens at which the activation is above zero.
        tokens: number of tokens.
        bar_rate: share of all probabilities that the bar is not below.
        rate: share of the neurons that is going to be selected; decides the weight where that is None.
        weight: of the largest probability; None: the largest multiple of 1/64 for which no selected neuron belongs
            to all K languages.

    Examples:
        >>> counts = np.array([[9, 0, 5, 1], [0, 0, 5, 1]])
        >>> scores = aligned_lape(counts, np.array([10, 10]), bar_rate=0.75, weight=0.1)
        >>> scores.values.round(3).tolist()
        [-0.12, inf, 0.933, 0.987]
    """
    shares = activation_probabilities(over_zero, tokens)
    bar = value_at_rank(shares, bar_rate)
    languages = len(shares)
    norm = sum(1 / k for k in range(1, languages + 1)) / languages
    spread = np.where(shares.any(axis=0), entropies(shares) / np.log(languages), np.inf)
    largest = shares.max(axis=0).astype(np.float64) / norm

    def scores(used: float) -> LapeScores:
        return LapeScores(spread - used * largest, shares > bar, float(bar))

    return _largest_without_universal(scores, rate) if weight is None else scores(weight)


def activation_probabilities(
    over_zero: Integer[np.ndarray, "language neuron"], tokens: Integer[np.ndarray, " language"]
) -> Float32[np.ndarray, "language neuron"]:
    """Share of each language's tokens at which each neuron is above zero; divided in float32.

    Raises:
        SelectionError: fewer than two languages, or one without a token.
    """
    if len(tokens) < 2:
        raise SelectionError(f"LAPE compares languages, and there are {len(tokens)}; give two or more")
    if not (tokens > 0).all():
        raise SelectionError(f"a language has {tokens.min()} tokens; LAPE needs at least 1 of each language")
    return over_zero.astype(np.float32) / tokens.astype(np.float32)[:, None]


def entropies(shares: Float32[np.ndarray, "language neuron"]) -> Float64[np.ndarray, " neuron"]:
    """Entropy (natural logarithm) of probabilities normalised over languages; 0 log 0 = 0, and 0 where all are 0."""
    exact = shares.astype(np.float64)
    sums = exact.sum(axis=0)
    normalised = exact / np.where(sums > 0, sums, 1.0)
    logarithms = np.log(normalised, out=np.zeros_like(normalised), where=normalised > 0)
    found: Float64[np.ndarray, " neuron"] = -(normalised * logarithms).sum(axis=0)
    return found


def value_at_rank(shares: Float32[np.ndarray, "language neuron"], rate: float) -> np.float32:
    """The value at rank ``round(rate x size)``, counted from 1, of all values in ascending order (PyTorch's kthvalue).

    Examples:
        >>> float(value_at_rank(np.array([[0.25, 0.5], [1.0, 0.75]], dtype=np.float32), 0.5))
        0.5
    """
    rank = min(max(round(rate * shares.size), 1), shares.size)
    found: np.float32 = np.partition(shares.ravel(), rank - 1)[rank - 1]
    return found


_STEP = 1 / 64
"""Resolution of the weight: the published one is 7/64."""


def _largest_without_universal(scores: Callable[[float], LapeScores], rate: float) -> LapeScores:
    """The scores of the largest weight below 1 for which no selected neuron belongs to every language.

    The number of such neurons grows with the weight, so the search halves its range.

    Raises:
        SelectionError: there are some even without a weight.
    """

    def universal(step: int) -> bool:
        return bool(scores(step * _STEP).selected(rate).all(axis=0).any())

    if universal(0):
        raise SelectionError(
            "some selected neurons belong to all languages even where the weight is 0; lower the rate, or give a weight"
        )
    low, high = 0, 64
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if universal(middle) else (middle, high)
    return scores(low * _STEP)
