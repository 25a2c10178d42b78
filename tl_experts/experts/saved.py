"""The columns and header of saved experts, and the checks of what is read."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tl_experts.experts.auroc import OPTIONAL, STATISTICS
from tl_experts.jobs.artefacts import Arrays
from tl_experts.responses.neurons import NeuronTable

if TYPE_CHECKING:
    from tl_experts.experts.experts import Experts

_COLUMNS = ("language_of", "layer", "neuron")
_PLAIN = ("site", "pooling", "metric", "selection", "corpus", "fingerprint")
_MOST = 2**24
"""Limit on the layers of a model and on the neurons of a layer: no file may declare more."""


def arrays_of(experts: "Experts", version: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and a header that JSON can hold: what is saved.

    Args:
        experts: any.
        version: of tl-experts.
    """
    arrays = {name: getattr(experts, name) for name in _COLUMNS} | experts.statistics
    header: dict[str, Any] = {
        "languages": experts.languages,
        "layers": experts.candidates.layers,
        "widths": experts.candidates.widths,
        **{name: getattr(experts, name) for name in _PLAIN},
        "tl_experts": version,
    }
    return arrays, header


def fields_of(arrays: Arrays, header: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Experts` from what `arrays_of` gave.

    Raises:
        ValueError: a value that cannot be one of experts.
        KeyError: something is missing.
        TypeError: something is of another kind.
    """
    layers, widths = tuple(header["layers"]), tuple(header["widths"])
    # The size of a table of neurons depends on the largest layer: a damaged header must not fill the memory.
    if len(layers) != len(widths) or not all(type(n) is int and 0 <= n < _MOST for n in (*layers, *widths)):
        raise ValueError(f"layers {layers!r:.80} and widths {widths!r:.80} are not those of a model")
    if not all(isinstance(language, str) for language in header["languages"]):
        raise ValueError(f"languages {header['languages']!r:.80}; expected their codes")
    return {
        "languages": tuple(header["languages"]),
        **{name: arrays[name] for name in _COLUMNS},
        "statistics": {name: arrays[name] for name in (*STATISTICS, *(n for n in OPTIONAL if n in arrays))},
        "candidates": NeuronTable(layers, widths),
        **{name: header[name] for name in _PLAIN},
    }
