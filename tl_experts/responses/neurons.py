"""The neurons of a model side by side: what the columns of a matrix of responses or expertise are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST = 2**24
"""Layers of a model, or neurons of a layer: no file may declare more."""


@dataclass(frozen=True)
class NeuronTable:
    """Which layer and index within it a column of a neuron matrix stands for: the layers' neurons side by side."""

    layers: tuple[int, ...]
    """The layers, ascending."""

    widths: tuple[int, ...]
    """The number of neurons of each of them."""

    @property
    def total(self) -> int:
        """All neurons."""
        return sum(self.widths)

    @property
    def layer_of(self) -> NDArray[np.int64]:
        """The layer of every column."""
        return np.repeat(np.array(self.layers, dtype=np.int64), self.widths)

    @property
    def neuron_of(self) -> NDArray[np.int64]:
        """The index of every column within its layer."""
        return np.concatenate([np.arange(width, dtype=np.int64) for width in self.widths])

    def span(self, layer: int) -> slice:
        """The columns of a layer."""
        index = self.layers.index(layer)
        start = sum(self.widths[:index])
        return slice(start, start + self.widths[index])

    def holds(self, layer: NDArray[np.int64], neuron: NDArray[np.int64]) -> bool:
        """Whether all these neurons are in the table."""
        widths = np.zeros(max(self.layers) + 1, dtype=np.int64)
        widths[list(self.layers)] = self.widths
        inside = (layer >= 0) & (layer < len(widths)) & (neuron >= 0)
        return bool(inside.all() and (neuron < widths[layer]).all())

    def columns_of(self, layer: NDArray[np.int64], neuron: NDArray[np.int64]) -> NDArray[np.int64]:
        """The columns of neurons given by layer and index."""
        starts = np.zeros(max(self.layers) + 1, dtype=np.int64)
        starts[list(self.layers)] = np.cumsum((0, *self.widths[:-1]))
        return starts[layer] + neuron

    def only(self, layers: Sequence[int]) -> "NeuronTable":
        """The neurons of some of the layers."""
        widths = dict(zip(self.layers, self.widths, strict=True))
        kept = tuple(sorted(set(layers)))
        return NeuronTable(kept, tuple(widths[layer] for layer in kept))

    def describe(self, column: int) -> str:
        """A column as people write it: ``L3 N117``."""
        return f"L{self.layer_of[column]} N{self.neuron_of[column]}"


def saved_neurons(header: Mapping[str, Any]) -> NeuronTable:
    """The table that the ``layers`` and ``widths`` of a saved header state.

    Raises:
        ValueError: they are not those of a model.
        KeyError: one is missing.
        TypeError: one is not a list.
    """
    layers, widths = tuple(header["layers"]), tuple(header["widths"])
    whole = all(type(number) is int and 0 <= number < _MOST for number in (*layers, *widths))
    # Bounds first: a table of neurons is as long as its widths say.
    if not whole or len(layers) != len(widths) or not layers or list(layers) != sorted(set(layers)):
        raise ValueError(f"layers {layers!r:.80} and widths {widths!r:.80} are not those of a model")
    return NeuronTable(layers, widths)
