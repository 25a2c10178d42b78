"""A fixed sketch of activations over tokens: counts in 400 bins, for quantiles and overlaps of distributions.

The bins are the same for every neuron, model and corpus, so sketches of parts are merged by adding them. They are
spaced as floating-point numbers are: eight for each power of two between 2**-13 and 2**12, of either sign. So a
quantile is within an eighth of its value, or within 2**-12 near zero; the outermost bins hold everything beyond.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int32, Int64, Integer
from torch import Tensor

BINS = 400
"""The number of bins."""

_PER_SIGN = BINS // 2
_SHIFT = 20
"""Bits of float32 that a bin leaves out: all of the mantissa but three."""

_LOWEST = (127 - 13) << 3
"""The leading bits of 2**-13: exponent and three bits of the mantissa."""


def _edges() -> Float64[np.ndarray, " edge"]:
    leading = np.arange(_LOWEST, _LOWEST + _PER_SIGN + 1, dtype=np.uint32)
    over_zero = (leading << _SHIFT).view(np.float32).astype(np.float64)
    over_zero[0] = 0.0
    return np.concatenate([-over_zero[:0:-1], over_zero])


EDGES = _edges()
"""The edges of the bins, ascending: bin i holds values from edge i to edge i + 1."""


def bins_of(values: Float[Tensor, "..."]) -> Int32[Tensor, "..."]:
    """The bin of each value.

    Examples:
        >>> bins_of(torch.tensor([-1e9, -1e-9, 0.0, 1.0, 1e9])).tolist()
        [0, 199, 200, 304, 399]
    """
    bits = values.float().contiguous().view(torch.int32)  # a hot path: few passes over the values, most in place
    steps = (bits & 0x7FFFFFFF).bitwise_right_shift_(_SHIFT).sub_(_LOWEST).clamp_(0, _PER_SIGN - 1)
    # The shifted sign is 0 or -1, and x ^ -1 is -1 - x: the steps run downwards from zero.
    return steps.bitwise_xor_(bits >> 31).add_(_PER_SIGN)


@dataclass(frozen=True)
class TokensOfLanguages:
    """Which tokens of a batch belong to which language, and how often each counts."""

    pooled: Bool[Tensor, "batch pos"]
    """True at the tokens that count."""

    parts: tuple[tuple[int, Int64[Tensor, " _"], Int32[Tensor, " _"]], ...]
    """A language, the indices of its tokens among those that count, and the occurrences of each one's sentence."""

    @classmethod
    def of(cls, pooled: Bool[Tensor, "batch pos"], weights: Float64[Tensor, "language batch"]) -> "TokensOfLanguages":
        """From the number of occurrences of each sentence in each language."""
        sentence = pooled.nonzero()[:, 0].cpu()
        parts = []
        for language in weights.any(dim=1).nonzero()[:, 0].tolist():
            occurrences = weights[language][sentence].int()
            tokens = occurrences.nonzero()[:, 0]
            parts.append((language, tokens, occurrences[tokens]))
        return cls(pooled, tuple(parts))

    def count(
        self, activation: Float[Tensor, "batch pos neuron"], counts: Int32[Tensor, "language neuron bin"]
    ) -> None:
        """Add the activations at all tokens to the counts, on the CPU."""
        bins = bins_of(activation[self.pooled.to(activation.device)]).cpu()
        first = torch.arange(bins.shape[1]) * BINS
        for language, tokens, occurrences in self.parts:
            index = bins[tokens] + first
            source = occurrences[:, None].expand(index.shape).flatten()
            counts[language].view(-1).scatter_add_(0, index.flatten(), source)


def quantile_of(counts: Integer[np.ndarray, "language neuron bin"], q: float) -> Float64[np.ndarray, "language neuron"]:
    """The q-quantile of counted values, interpolated linearly within its bin.

    Args:
        counts: at least one in each row.
        q: between 0 and 1.
    """
    found = np.empty(counts.shape[:2])
    for row, own in enumerate(counts):  # one language at a time: sums take twice the memory of counts
        below = own.cumsum(axis=1, dtype=np.int64)
        target = q * below[:, -1]
        at = np.minimum((below < np.maximum(target, 1e-9)[:, None]).sum(axis=1), BINS - 1)
        inside = own[np.arange(len(own)), at]
        share = (target - (below[np.arange(len(own)), at] - inside)) / inside
        found[row] = EDGES[at] + share.clip(0, 1) * (EDGES[at + 1] - EDGES[at])
    return found
