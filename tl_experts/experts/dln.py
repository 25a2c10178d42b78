"""DLN: neurons whose activations in some languages hardly overlap with those in the others.

Source: DLN (EMNLP 2026). Every language has a histogram of each neuron's activation over its tokens (of a gated MLP:
the gate after its activation function), in 400 bins. The overlap of two languages is the sum of the minima of their
shares of tokens. A neuron's split of the languages into two sides is the one whose largest overlap across the sides is
the smallest; the neuron is selected where that is below the 1st percentile of all overlaps. It is specific to the
languages of the smaller side. Our bins are fixed (`tl_experts.responses.sketch`), so that one pass is enough.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float64, Integer

from tl_experts.errors import SelectionError
from tl_experts.experts.evidence import Evidence

_CHUNK = 2**22
"""Most counts that are compared at once."""


@dataclass(frozen=True)
class Dln:
    """Little overlap of histograms between the languages of one side and all others (DLN, EMNLP 2026).

    The score is 1 less the largest overlap across the neuron's split, and -inf for languages of the larger side. Where
    both sides are equal, or several splits, the smallest sides count. Its own rule selects every neuron whose overlap
    is below the percentile of all overlaps of two languages.

    Raises:
        SelectionError: a percentile that is not between 0 and 100.

    Examples:
        >>> Dln(groups=False)  # neurons of a single language only
        Dln(percentile=1.0, groups=False)
    """

    needs_tokens: ClassVar[bool] = True
    needs_quantiles: ClassVar[bool] = True

    percentile: float = 1.0
    """Of all overlaps: the bar."""

    groups: bool = True
    """Whether neurons of several languages count, or those of one only."""

    def __post_init__(self) -> None:
        """Check the percentile."""
        number = isinstance(self.percentile, int | float | np.number) and not isinstance(self.percentile, bool)
        if not (number and 0 < self.percentile <= 100):
            raise SelectionError(
                f"percentile is {self.percentile!r}; expected a number above 0 and at most 100, such as 1"
            )

    def __call__(self, evidence: Evidence) -> Float64[np.ndarray, "neuron language"]:
        """1 less the largest overlap across the split; -inf outside the smaller side."""
        across, members = split(self._overlaps(evidence))
        if not self.groups:
            members &= members.sum(axis=0) == 1
        return np.where(members, 1 - across, -np.inf).T

    def selected(
        self, evidence: Evidence, scores: Float64[np.ndarray, "neuron language"]
    ) -> Bool[np.ndarray, "neuron language"]:
        """The neurons below the percentile of all overlaps, for each language of the smaller side."""
        overlaps = self._overlaps(evidence)
        pairs = overlaps[np.triu_indices(len(overlaps), k=1)]
        below: Bool[np.ndarray, "neuron language"] = scores > 1 - np.percentile(pairs, self.percentile)
        return below

    def _overlaps(self, evidence: Evidence) -> Float64[np.ndarray, "language language neuron"]:
        return overlaps_of(evidence.need_quantiles().gate_counts())


def overlaps_of(
    counts: Integer[np.ndarray, "language neuron bin"],
) -> Float64[np.ndarray, "language language neuron"]:
    """The overlap of the histograms of any two languages: the sum over bins of the smaller share.

    Raises:
        SelectionError: fewer than two languages.

    Examples:
        >>> overlaps_of(np.array([[[3, 1]], [[1, 1]]]))[0, 1].tolist()
        [0.75]
    """
    languages, neurons, bins = counts.shape
    if languages < 2:
        raise SelectionError(f"DLN compares languages, and there are {languages}; give two or more")
    found = np.ones((languages, languages, neurons))
    width = max(1, _CHUNK // (languages * bins))
    for start in range(0, neurons, width):
        part = counts[:, start : start + width]
        shares = part / part.sum(axis=2, keepdims=True)
        for one, other in combinations(range(languages), 2):
            overlap = np.minimum(shares[one], shares[other]).sum(axis=1)
            found[one, other, start : start + width] = found[other, one, start : start + width] = overlap
    return found


def split(
    overlaps: Float64[np.ndarray, "language language neuron"],
) -> tuple[Float64[np.ndarray, " neuron"], Bool[np.ndarray, "language neuron"]]:
    """The two-way split of the languages whose largest overlap across the sides is the smallest, for every neuron.

    Returns:
        That overlap, and which languages are on the smaller side; on equal sides, all.

    Examples:
        >>> overlaps = np.array([[1.0, 0.1, 0.2], [0.1, 1.0, 0.9], [0.2, 0.9, 1.0]])[..., None]
        >>> across, members = split(overlaps)
        >>> across.tolist(), members[:, 0].tolist()
        ([0.2], [True, False, False])
    """
    languages = len(overlaps)
    # Two languages stay on one side of every better split if a chain of larger overlaps joins them: the widest path.
    joined = overlaps.copy()
    for through in range(languages):
        np.maximum(joined, np.minimum(joined[:, through, None], joined[None, through]), out=joined)
    across = joined.min(axis=(0, 1))
    size = (joined > across).sum(axis=1)  # of each language's side; 0 where all overlaps are 1
    return across, size == size.min(axis=0)
