"""Scorings: how neurons are ranked for each language, from what one pass of the model gives.

A scoring is a function of `Evidence` that returns scores ``[neuron language]``: the higher, the better; -inf is never
selected. `SCORINGS` holds those with a name, and a user's own function is accepted wherever a name is. A scoring with a
``selected`` method has a selection rule of its own, used where neither a number nor a threshold is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer
from numpy.typing import NDArray

from tl_experts.errors import SelectionError, near
from tl_experts.experts.expertise import Expertise
from tl_experts.experts.lape import LapeScores, aligned_lape, lape
from tl_experts.responses.collect import Responses
from tl_experts.responses.store import StoredResponses
from tl_experts.responses.token_statistics import TokenStatistics

_BLOCK_BYTES = 2**26
"""Responses that are read at once for their deviations."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a scoring may use, all of one model, corpus and reading.

    Raises:
        SelectionError: the responses are of another corpus, the statistics of other languages, or either of other
            neurons or another model.
    """

    expertise: Expertise
    """AUROC, average precision and statistics of responses, ``[neuron language]``."""

    responses: Responses | StoredResponses | None = None
    """The pooled responses, ``[sentence neuron]``."""

    tokens: TokenStatistics | None = None
    """Counts and sums over tokens, ``[language neuron]``."""

    def __post_init__(self) -> None:
        """Check that the parts fit each other."""
        if self.tokens is not None:
            self._require_same("tokens", self.tokens, languages=self.tokens.languages)
        if self.responses is not None:
            self._require_same("responses", self.responses, corpus=self.responses.corpus.fingerprint)

    def _require_same(self, what: str, part: Any, **further: Any) -> None:
        found = {name: getattr(part, name) for name in ("neurons", "site", "fingerprint")} | further
        for name, value in found.items():
            own = getattr(self.expertise, name)
            if value != own:
                raise SelectionError(
                    f"`{what}` and the expertise differ in {name}: {value!r:.200} and {own!r:.200}; take both from "
                    "one pass (`collect_both`)"
                )

    def need_tokens(self) -> TokenStatistics:
        """The statistics of tokens.

        Raises:
            SelectionError: there are none.
        """
        if self.tokens is None:
            raise SelectionError("this scoring needs statistics of tokens; pass tokens=collect_statistics(...)")
        return self.tokens

    def need_responses(self) -> Responses | StoredResponses:
        """The responses.

        Raises:
            SelectionError: there are none.
        """
        if self.responses is None:
            raise SelectionError("this scoring needs the responses; pass responses=collect_responses(...)")
        return self.responses


Scoring = Callable[[Evidence], NDArray[Any]]
"""Scores of every neuron for every language, ``[neuron language]``; `scored` checks what it returns."""


def auroc(evidence: Evidence) -> Float[np.ndarray, "neuron language"]:
    """Probability that a sentence of the language has a larger response than one of another (Sundar et al. 2025)."""
    return evidence.expertise.auroc


def average_precision(evidence: Evidence) -> Float[np.ndarray, "neuron language"]:
    """Average precision of the responses (Suau et al. 2022; Kojima et al. 2024)."""
    return evidence.expertise.ap


@dataclass(frozen=True)
class Lape:
    """Low entropy of activation probabilities (Tang et al. 2024), by the sign of the gate where the MLP is gated.

    The score is the negative entropy; -inf for a language whose activation probability does not exceed the bar. Its own
    rule selects the ``round(rate x neurons)`` neurons of lowest entropy, each for every language above the bar.

    Raises:
        SelectionError: a rate outside 0 to 1.

    Examples:
        >>> Lape(rate=0.02)  # Gurgurov et al. 2025
        Lape(rate=0.02, bar_rate=0.95)
    """

    rate: float = 0.01
    """Share of the neurons that are selected."""

    bar_rate: float = 0.95
    """Share of all activation probabilities that the bar is not below."""

    def __post_init__(self) -> None:
        """Check the rates."""
        _require_rates(self)

    def __call__(self, evidence: Evidence) -> Float64[np.ndarray, "neuron language"]:
        """The negative scores of neurons by language."""
        return _by_language(self._scores(evidence))

    def selected(self, evidence: Evidence) -> Bool[np.ndarray, "neuron language"]:
        """The neurons of each language by the authors' rule."""
        return self._scores(evidence).selected(self.rate).T

    def _scores(self, evidence: Evidence) -> LapeScores:
        tokens = evidence.need_tokens()
        return lape(tokens.gate_over_zero, tokens.tokens, bar_rate=self.bar_rate)


@dataclass(frozen=True)
class AlignedLape:
    """LAPE that prefers neurons that fire often, without a filter (Zhu et al. 2026).

    The score is the negative of ``entropy / ln K - weight x largest probability / norm``.

    Raises:
        SelectionError: a rate outside 0 to 1, or a weight that is not a number of 0 or more.

    Examples:
        >>> AlignedLape(weight=0.1)
        AlignedLape(rate=0.01, bar_rate=0.95, weight=0.1)
    """

    rate: float = 0.01
    """Share of the neurons that are selected."""

    bar_rate: float = 0.95
    """Share of all activation probabilities that the bar is not below."""

    weight: float | None = None
    """None: the largest multiple of 1/64 for which no selected neuron belongs to all languages."""

    def __post_init__(self) -> None:
        """Check the rates and the weight."""
        _require_rates(self)
        if self.weight is not None and not (_is_number(self.weight) and 0 <= self.weight < np.inf):
            raise SelectionError(f"weight is {self.weight!r}; expected a number of 0 or more, such as 0.1, or None")

    def __call__(self, evidence: Evidence) -> Float64[np.ndarray, "neuron language"]:
        """The negative scores of neurons by language."""
        return _by_language(self._scores(evidence))

    def selected(self, evidence: Evidence) -> Bool[np.ndarray, "neuron language"]:
        """The neurons of each language by the authors' rule."""
        return self._scores(evidence).selected(self.rate).T

    def _scores(self, evidence: Evidence) -> LapeScores:
        tokens = evidence.need_tokens()
        return aligned_lape(
            tokens.gate_over_zero, tokens.tokens, bar_rate=self.bar_rate, rate=self.rate, weight=self.weight
        )


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


def token_mean_difference(evidence: Evidence) -> Float64[np.ndarray, "neuron language"]:
    """Cohen's d of the activations at the language's tokens and at those of all others; see `mean_difference`."""
    tokens = evidence.need_tokens()
    return cohens_d(
        (tokens.mean, tokens.std**2, tokens.tokens), (tokens.other_mean, tokens.other_std**2, tokens.other_tokens)
    ).T


BOUNDED = ("auroc", "ap")
"""Those that lie between 0 and 1."""


def scoring_of(scoring: Any) -> Scoring:
    """A scoring by name, or a user's own.

    Raises:
        SelectionError: an unknown name, or something that cannot be called.
    """
    if isinstance(scoring, str) and scoring in SCORINGS:
        return SCORINGS[scoring]
    if isinstance(scoring, type) or not callable(scoring):
        raise SelectionError(f"scoring {scoring!r} is not known; {near(scoring, SCORINGS)}, or give a function")
    found: Scoring = scoring
    return found


def needs_tokens(scoring: Scoring) -> bool:
    """Whether one of this module's scorings needs statistics of tokens."""
    return scoring is token_mean_difference or isinstance(scoring, Lape | AlignedLape)


def scoring_name(scoring: Any) -> str:
    """How a scoring is called: its name, a function's own, or the value in words."""
    return scoring if isinstance(scoring, str) else str(getattr(scoring, "__name__", scoring))


def scored(scoring: Scoring, evidence: Evidence) -> Float[np.ndarray, "neuron language"]:
    """The scores of all neurons, checked.

    Raises:
        SelectionError: not an array of numbers of the expected shape, or a NaN.
    """
    scores = scoring(evidence)
    expected = (evidence.expertise.neurons.total, len(evidence.expertise.languages))
    if not isinstance(scores, np.ndarray) or scores.shape != expected or scores.dtype.kind != "f":
        shape = f"{scores.dtype} {scores.shape}" if isinstance(scores, np.ndarray) else type(scores).__name__
        raise SelectionError(
            f"scoring {scoring_name(scoring)!r} returned {shape}; expected a float array of shape {expected}: "
            "neurons x languages"
        )
    if np.isnan(scores).any():
        neuron, language = np.argwhere(np.isnan(scores))[0]
        raise SelectionError(
            f"scoring {scoring_name(scoring)!r} is NaN for neuron {evidence.expertise.neurons.describe(int(neuron))} "
            f"and {evidence.expertise.languages[int(language)]}; use -inf for a neuron that must not be selected"
        )
    return scores


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


def _by_language(scores: LapeScores) -> Float64[np.ndarray, "neuron language"]:
    return np.where(scores.members, -scores.values, -np.inf).T


def _require_rates(scoring: Lape | AlignedLape) -> None:
    for name in ("rate", "bar_rate"):
        rate = getattr(scoring, name)
        if not (_is_number(rate) and 0 < rate <= 1):
            raise SelectionError(f"{name} is {rate!r}; expected a share above 0 and at most 1, such as 0.01")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


SCORINGS: dict[str, Scoring] = {
    "auroc": auroc,
    "ap": average_precision,
    "mean_difference": mean_difference,
    "token_mean_difference": token_mean_difference,
    "lape": Lape(),
    "aligned_lape": AlignedLape(),
}
"""Scorings by name."""

SENTENCE_SCORINGS = (auroc, average_precision, mean_difference)
"""Those that need no statistics of tokens."""
