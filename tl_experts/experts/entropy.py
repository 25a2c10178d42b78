"""Scorings by the entropy of activation probabilities: LAPE and its variants, as values with their options."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float64

from tl_experts.errors import SelectionError
from tl_experts.experts.evidence import Evidence
from tl_experts.experts.lape import LapeScores, aligned_lape, lape


@dataclass(frozen=True)
class _ByEntropy(ABC):
    """A scoring by entropy: the ``round(rate x neurons)`` best are selected, each for every language above the bar."""

    needs_tokens: ClassVar[bool] = True

    rate: float = 0.01
    """Share of the neurons that are selected."""

    bar_rate: float = 0.95
    """Share of all activation probabilities that the bar is not below."""

    def __post_init__(self) -> None:
        """Check the rates."""
        for name in ("rate", "bar_rate"):
            rate = getattr(self, name)
            if not (_is_number(rate) and 0 < rate <= 1):
                raise SelectionError(f"{name} is {rate!r}; expected a share above 0 and at most 1, such as 0.01")

    def __call__(self, evidence: Evidence) -> Float64[np.ndarray, "neuron language"]:
        """The negative scores of neurons by language."""
        scores = self._scores(evidence)
        return np.where(scores.members, -scores.values, -np.inf).T

    def selected(
        self,
        evidence: Evidence,
        scores: Float64[np.ndarray, "neuron language"],  # noqa: ARG002 (without a bar, they do not hold every neuron)
    ) -> Bool[np.ndarray, "neuron language"]:
        """The neurons of each language by the authors' rule."""
        return self._scores(evidence).selected(self.rate).T

    @abstractmethod
    def _scores(self, evidence: Evidence) -> LapeScores:
        """The scores, the lower the better."""


@dataclass(frozen=True)
class Lape(_ByEntropy):
    """Low entropy of activation probabilities (Tang et al. 2024), by the sign of the gate where the MLP is gated.

    The score is the negative entropy; -inf for a language whose activation probability does not exceed the bar. Its own
    rule selects the ``round(rate x neurons)`` neurons of lowest entropy, each for every language above the bar.

    Raises:
        SelectionError: a rate outside 0 to 1.

    Examples:
        >>> Lape(rate=0.02)  # Gurgurov et al. 2025
        Lape(rate=0.02, bar_rate=0.95)
    """

    def _scores(self, evidence: Evidence) -> LapeScores:
        tokens = evidence.need_tokens()
        return lape(tokens.gate_over_zero, tokens.tokens, bar_rate=self.bar_rate)


@dataclass(frozen=True)
class AlignedLape(_ByEntropy):
    """LAPE that prefers neurons that fire often, without a filter (Zhu et al. 2026).

    The score is the negative of ``entropy / ln K - weight x largest probability / norm``.

    Raises:
        SelectionError: a rate outside 0 to 1, or a weight that is not a number of 0 or more.

    Examples:
        >>> AlignedLape(weight=0.1)
        AlignedLape(rate=0.01, bar_rate=0.95, weight=0.1)
    """

    weight: float | None = None
    """None: the largest multiple of 1/64 for which no selected neuron belongs to all languages."""

    def __post_init__(self) -> None:
        """Check the rates and the weight."""
        super().__post_init__()
        if self.weight is not None and not (_is_number(self.weight) and 0 <= self.weight < np.inf):
            raise SelectionError(f"weight is {self.weight!r}; expected a number of 0 or more, such as 0.1, or None")

    def _scores(self, evidence: Evidence) -> LapeScores:
        tokens = evidence.need_tokens()
        return aligned_lape(
            tokens.gate_over_zero, tokens.tokens, bar_rate=self.bar_rate, rate=self.rate, weight=self.weight
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
