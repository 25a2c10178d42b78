"""Scorings: how neurons are ranked for each language, from what one pass of the model gives.

A scoring is a function of `Evidence` that returns scores ``[neuron language]``: the higher, the better; -inf is never
selected. `SCORINGS` holds those with a name, and a user's own function is accepted wherever a name is.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from tl_experts.errors import SelectionError, near
from tl_experts.experts.differences import mean_difference, token_mean_difference
from tl_experts.experts.dln import Dln
from tl_experts.experts.entropy import AlignedLape, Lape
from tl_experts.experts.evidence import Evidence, Scoring, with_tokens
from tl_experts.experts.probe import SparseProbe


@with_tokens(False)
def auroc(evidence: Evidence) -> Float[np.ndarray, "neuron language"]:
    """Probability that a sentence of the language has a larger response than one of another (Sundar et al. 2025)."""
    return evidence.expertise.auroc


@with_tokens(False)
def average_precision(evidence: Evidence) -> Float[np.ndarray, "neuron language"]:
    """Average precision of the responses (Suau et al. 2022; Kojima et al. 2024)."""
    return evidence.expertise.ap


SCORINGS: dict[str, Scoring] = {
    "auroc": auroc,
    "ap": average_precision,
    "mean_difference": mean_difference,
    "token_mean_difference": token_mean_difference,
    "lape": Lape(),
    "aligned_lape": AlignedLape(),
    "dln": Dln(),
    "probe": SparseProbe(),
}
"""Scorings by name."""

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
