"""Scorings by the standardised difference of means, Cohen's d, of sentences or of tokens."""

import numpy as np
from jaxtyping import Float, Float64, Integer

from tl_experts.errors import SelectionError
from tl_experts.experts.evidence import Evidence, with_tokens

_BLOCK_BYTES = 2**26
"""Responses that are read at once for their deviations."""


@with_tokens(False)
def mean_difference(evidence: Evidence) -> Float64[np.ndarray, "neuron language"]:
    """Cohen's d of the responses to the language's sentences and to all others.

    ``(mean - other mean) / s``, where s is the pooled standard deviation, ``s^2 = (SS + other SS) / (n + other n - 2)``
    with sums of squared deviations SS. Source: Cohen, Statistical Power Analysis, 1988, chapter 2.
    """
    responses = evidence.need_responses()
    labels = np.array(responses.corpus.labels)
    rows = (labels == np.array(evidence.expertise.languages)[:, None]).astype(np.float64)
    total = evidence.expertise.neurons.total
    width = max(1, _BLOCK_BYTES // (8 * len(labels)))
    found = [_of_responses(responses.columns(at, min(at + width, total)), rows) for at in range(0, total, width)]
    return np.concatenate(found, axis=1).T


@with_tokens(True)
def token_mean_difference(evidence: Evidence) -> Float64[np.ndarray, "neuron language"]:
    """Cohen's d of the activations at the language's tokens and at those of all others; see `mean_difference`."""
    tokens = evidence.need_tokens()
    return cohens_d(
        (tokens.mean, tokens.std**2, tokens.tokens), (tokens.other_mean, tokens.other_std**2, tokens.other_tokens)
    ).T


Moments = tuple[
    Float64[np.ndarray, "language neuron"], Float64[np.ndarray, "language neuron"], Integer[np.ndarray, " language"]
]
"""Mean, variance (of the population) and number of values."""


def cohens_d(one: Moments, other: Moments) -> Float64[np.ndarray, "language neuron"]:
    """Cohen's d of two samples given by their moments; without any spread: 0, or the largest float32 of its sign.

    Raises:
        SelectionError: fewer than three values together.
    """
    (mean, variance, count), (other_mean, other_variance, other_count) = one, other
    freedom = count + other_count - 2
    if (freedom < 1).any():
        raise SelectionError("a standardised difference needs three sentences or tokens; there are two")
    squares = count[:, None] * variance + other_count[:, None] * other_variance
    spread = np.sqrt(squares / freedom[:, None])
    difference = mean - other_mean
    found: Float64[np.ndarray, "language neuron"] = np.sign(difference) * float(np.finfo(np.float32).max)
    np.divide(difference, spread, out=found, where=spread > 0)
    return found


def _of_responses(
    block: Float[np.ndarray, "sentence neuron"], rows: Float64[np.ndarray, "language sentence"]
) -> Float64[np.ndarray, "language neuron"]:
    # Centred first: differences of sums of squares would lose digits.
    values = block.astype(np.float64)
    values -= values.mean(axis=0)
    count = rows.sum(axis=1).astype(np.int64)
    sums, squares = rows @ values, rows @ values**2
    return cohens_d_of_sums(sums, squares, count)


def cohens_d_of_sums(
    sums: Float64[np.ndarray, "language neuron"],
    squares: Float64[np.ndarray, "language neuron"],
    count: Integer[np.ndarray, " language"],
) -> Float64[np.ndarray, "language neuron"]:
    """Cohen's d between each language's values and those of all others.

    Args:
        sums: of the values, about a centre near their mean: differences of sums of squares lose digits elsewhere.
        squares: sums of their squares.
        count: number of values.

    Raises:
        SelectionError: fewer than three values together.
    """
    return cohens_d(
        _moments(sums, squares, count),
        _moments(sums.sum(axis=0) - sums, squares.sum(axis=0) - squares, count.sum() - count),
    )


def _moments(
    sums: Float64[np.ndarray, "language neuron"],
    squares: Float64[np.ndarray, "language neuron"],
    count: Integer[np.ndarray, " language"],
) -> Moments:
    mean = sums / count[:, None]
    return mean, np.maximum(squares / count[:, None] - mean**2, 0.0), count
