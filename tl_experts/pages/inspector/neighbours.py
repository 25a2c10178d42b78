"""The neurons of a model whose responses go most with one's."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from tl_experts.responses.collect import Responses
from tl_experts.responses.store import StoredResponses

COUNT = 10
"""Neurons that are named."""

HELD_BYTES = 2**28
"""Stored responses that take more memory are read from disk for every question."""

_BLOCK = 1024
"""Neurons whose responses are read at a time."""


class Neighbours:
    """Finds the neurons with the largest correlations.

    Args:
        responses: of all neurons.
    """

    def __init__(self, responses: Responses | StoredResponses) -> None:
        self._responses = responses

    def load(self) -> None:
        """Take what the first question would otherwise wait for."""
        _ = self._spread

    def of(self, own: int) -> list[list[Any]]:
        """Layer and index of the neurons whose responses go most with one's, with Pearson's r.

        Args:
            own: the column of the neuron.
        """
        table = self._responses.neurons
        values = self._held.columns(own, own + 1)[:, 0]
        shifted = values - values.mean()
        products = np.concatenate([shifted @ block for block in self._blocks()])
        scale = self._spread * self._spread[own]
        r = np.divide(products, scale, out=np.zeros_like(scale), where=scale > 0)
        r[own] = -np.inf
        nearest = np.argsort(-r, kind="stable")[: min(COUNT, table.total - 1)]
        return [[int(table.layer_of[at]), int(table.neuron_of[at]), round(float(r[at]), 3)] for at in nearest]

    @cached_property
    def _held(self) -> Responses | StoredResponses:
        """The responses, in memory if they are few."""
        found = self._responses
        sentences, neurons = found.shape
        if isinstance(found, StoredResponses) and 4 * sentences * neurons <= HELD_BYTES:
            return found.load()
        return found

    @cached_property
    def _spread(self) -> NDArray[np.float32]:
        """The root of each neuron's summed squared deviations."""
        return np.concatenate([np.sqrt(((block - block.mean(axis=0)) ** 2).sum(axis=0)) for block in self._blocks()])

    def _blocks(self) -> Iterator[Float[np.ndarray, "sentence neuron"]]:
        total = self._responses.neurons.total
        return (self._held.columns(at, min(at + _BLOCK, total)) for at in range(0, total, _BLOCK))
