"""How the inspected neurons tell each language from the others: measures by sentences and by tokens."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64
from numpy.typing import NDArray

from tl_experts.experts.auroc import STATISTICS, score
from tl_experts.experts.differences import cohens_d_of_sums

Table = Float[np.ndarray, "neuron language"]

MEASURES = ("auroc", "ap", "d", "mean", "token_d", "token_mean", "token_share")
"""Names of the columns: AUROC, average precision, Cohen's d and mean of the responses; Cohen's d, mean, and share above
zero of the activations at tokens."""

_BLOCK = 4096
"""Rows that are summed at a time: activations of a large corpus are not copied whole."""


def sentence_measures(
    responses: Float[np.ndarray, "sentence neuron"], labels: Int64[np.ndarray, " sentence"], languages: int
) -> dict[str, Table]:
    """AUROC, average precision, Cohen's d and mean of the responses to each language's sentences.

    Cohen's d is left out where it is not defined, of fewer than three sentences.

    Args:
        responses: one number per sentence and neuron.
        labels: the language of each sentence, by number.
        languages: their number.
    """
    found = dict(zip(STATISTICS, score(np.ascontiguousarray(responses), labels, languages), strict=True))
    sums = _Sums.of(responses, labels, languages)
    return {"auroc": found["auroc"], "ap": found["ap"], **sums.difference("d"), "mean": sums.means}


def token_measures(
    values: Float[np.ndarray, "token neuron"], labels: Int64[np.ndarray, " token"], languages: int
) -> dict[str, Table]:
    """Cohen's d, mean, and share above zero of the activations at each language's tokens."""
    sums = _Sums.of(values, labels, languages)
    return {**sums.difference("token_d"), "token_mean": sums.means, "token_share": sums.shares}


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over each language's rows; values and squares are about the centre, so that they keep their digits."""

    count: Int64[np.ndarray, " language"]
    centre: Float64[np.ndarray, " neuron"]
    total: Float64[np.ndarray, "language neuron"]
    squares: Float64[np.ndarray, "language neuron"]
    over_zero: Float64[np.ndarray, "language neuron"]

    @classmethod
    def of(cls, values: NDArray[np.float32], labels: NDArray[np.int64], languages: int) -> "_Sums":
        member = np.arange(languages)[:, None] == labels
        centre = values.mean(axis=0, dtype=np.float64)
        total, squares, over_zero = (np.zeros((languages, values.shape[1])) for _ in range(3))
        for begin in range(0, len(values), _BLOCK):
            block = values[begin : begin + _BLOCK]
            mine = member[:, begin : begin + _BLOCK].astype(np.float64)
            shifted = block - centre
            total += mine @ shifted
            squares += mine @ shifted**2
            over_zero += mine @ (block > 0)
        return cls(member.sum(axis=1), centre, total, squares, over_zero)

    @property
    def means(self) -> Table:
        found: Table = (self.total / self.count[:, None] + self.centre).T.astype(np.float32)
        return found

    @property
    def shares(self) -> Table:
        found: Table = (self.over_zero / self.count[:, None]).T.astype(np.float32)
        return found

    def difference(self, name: str) -> dict[str, Table]:
        """Cohen's d between each language and all others, under a name."""
        if self.count.sum() < 3:
            return {}
        return {name: cohens_d_of_sums(self.total, self.squares, self.count).T.astype(np.float32)}
