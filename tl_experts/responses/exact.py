"""Activations at all tokens, kept where they fit in memory, from which quantiles are exact.

Beside the counts of the sketch, which any corpus gets. The values of a language are kept in ascending order for each
neuron, so that they are the same bits whatever the order of batches, shards, workers or merged parts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from tl_experts.responses.sketch import TokensOfLanguages

EXACT_BYTES = 2**30
"""Most bytes of activations that are kept: 4 for each neuron and token of the whole corpus."""

_BLOCK_BYTES = 2**26
"""Activations that are copied at once for a quantile."""

ByLanguage = dict[str, Float32[np.ndarray, "neuron _"]]
"""The activations at the tokens of each language."""


def fits(tokens: int, neurons: int) -> bool:
    """Whether the activations at so many tokens are kept.

    Examples:
        >>> fits(37_000, 7_168), fits(38_000, 7_168)
        (True, False)
    """
    return 4 * tokens * neurons <= EXACT_BYTES


class TokenActivations:
    """Room for the activations at all tokens of a corpus or of a shard, which batches fill.

    Args:
        tokens: the number of tokens of each language; those of a repeated sentence count as often as it occurs.
        neurons: the number of neurons.
    """

    def __init__(self, tokens: Int64[Tensor, " language"], neurons: int) -> None:
        self._tokens = tokens.numpy()
        self._values = torch.empty(neurons, int(tokens.sum()))
        self._next = (tokens.cumsum(0) - tokens).tolist()

    def reader(self, own: TokensOfLanguages) -> Callable[[Float[Tensor, "batch pos neuron"], slice], None]:
        """What copies the activations of a layer at the tokens of a batch; called once a batch.

        Args:
            own: the tokens of the batch.

        Returns:
            A function of the activations and of the layer's neurons.
        """
        rows = []
        for language, tokens, occurrences in own.parts:
            start = self._next[language]
            self._next[language] += int(occurrences.sum())
            rows.append((slice(start, self._next[language]), tokens.repeat_interleave(occurrences)))

        def copy(activation: Float[Tensor, "batch pos neuron"], neurons: slice) -> None:
            found = activation[own.pooled.to(activation.device)].float().cpu()
            for at, tokens in rows:
                self._values[neurons, at] = found[tokens].T

        return copy

    def ascending(self) -> Float32[np.ndarray, "neuron token"]:
        """The activations, the languages one after the other; ascending within a language."""
        return _ascending(self._values.numpy(), self._tokens)


def by_language(
    values: Float32[np.ndarray, "neuron token"], languages: Iterable[str], tokens: Int64[np.ndarray, " language"]
) -> ByLanguage:
    """Divide activations at all tokens by language."""
    return dict(zip(languages, np.split(values, np.cumsum(tokens)[:-1], axis=1), strict=True))


def joined(languages: Sequence[str], parts: Sequence[Mapping[str, Float32[np.ndarray, "neuron _"]]]) -> np.ndarray:
    """The activations of several parts of a corpus, ``[neuron token]``, in the order of the languages.

    Args:
        languages: the order.
        parts: activations by language.
    """
    found = [part[language] for language in languages for part in parts if language in part]
    counts = [sum(part[language].shape[1] for part in parts if language in part) for language in languages]
    return _ascending(np.concatenate(found, axis=1), np.array(counts))


def exact_quantile(parts: Sequence[Float32[np.ndarray, "neuron _"]], q: float) -> Float64[np.ndarray, " neuron"]:
    """NumPy's q-quantile of the values of all parts together.

    Args:
        parts: some values of each neuron.
        q: between 0 and 1.

    Examples:
        >>> exact_quantile([np.float32([[1, 2]]), np.float32([[4]])], 0.75).tolist()
        [3.0]
    """
    width = max(1, _BLOCK_BYTES // (8 * sum(part.shape[1] for part in parts)))
    found = []
    for start in range(0, len(parts[0]), width):
        block = np.concatenate([part[start : start + width] for part in parts], axis=1, dtype=np.float64)
        found.append(np.quantile(block, q, axis=1, overwrite_input=True))
    return np.concatenate(found)


def _ascending(
    values: Float32[np.ndarray, "neuron token"], tokens: Int64[np.ndarray, " language"]
) -> Float32[np.ndarray, "neuron token"]:
    values += 0.0  # -0 becomes 0: sorting takes the two for equal
    for own in np.split(values, np.cumsum(tokens)[:-1], axis=1):
        own.sort(axis=1)
    return values
