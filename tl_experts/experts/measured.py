"""The statistics of chosen neurons, from expertise and statistics of tokens."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tl_experts.errors import SelectionError, near
from tl_experts.experts.auroc import STATISTICS
from tl_experts.experts.evidence import Evidence

if TYPE_CHECKING:
    from tl_experts.experts.experts import Experts


def statistics_at(
    evidence: Evidence, columns: NDArray[np.int64], language_of: NDArray[np.int64]
) -> dict[str, NDArray[np.float32]]:
    """The statistics of some neurons, each for one language.

    Args:
        evidence: expertise and, for the means over tokens, statistics of tokens.
        columns: of the neurons that were scored.
        language_of: index of a language that was scored, for each of them.
    """
    at = columns, language_of
    found = {name: getattr(evidence.expertise, name)[at] for name in STATISTICS}
    if evidence.tokens is not None:
        found["token_mean"] = evidence.tokens.mean.T[at].astype(np.float32)
        found["token_negative_mean"] = evidence.tokens.other_mean.T[at].astype(np.float32)
    return found


def measured(experts: "Experts", evidence: Evidence) -> dict[str, NDArray[np.float32]]:
    """The statistics of experts, measured on a corpus.

    Raises:
        SelectionError: the expertise is of another site, model or pooling, or lacks one of the languages or neurons.
    """
    expertise = evidence.expertise
    for name in ("site", "pooling", "fingerprint"):
        mine, theirs = getattr(experts, name), getattr(expertise, name)
        if mine != theirs:
            raise SelectionError(
                f"the experts and the expertise differ in {name}: {mine!r:.200} and {theirs!r:.200}; score "
                "responses of the same model and Reading"
            )
    missing = next((language for language in experts.languages if language not in expertise.languages), None)
    if missing is not None:
        raise SelectionError(f"language {missing!r} was not scored; {near(missing, expertise.languages)}")
    if not expertise.neurons.holds(experts.layer, experts.neuron):
        raise SelectionError("an expert's layer was not scored; score responses of all layers")
    index_of = np.array([expertise.languages.index(language) for language in experts.languages], dtype=np.int64)
    columns = expertise.neurons.columns_of(experts.layer, experts.neuron)
    return statistics_at(evidence, columns, index_of[experts.language_of])
