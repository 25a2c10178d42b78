"""`AffineMap`: every neuron of some layers mapped by ``slope x z + intercept``: transport maps, language vectors."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tl_experts.errors import InterventionError, require_choice
from tl_experts.jobs.artefacts import complete, load_artefact, save_artefact
from tl_experts.models import SITES, Hook, HookFunction, Model, PassTracker, hook_name, require_same_model
from tl_experts.responses.neurons import NeuronTable, saved_neurons
from tl_experts.steering.choices import layer_columns
from tl_experts.steering.edits import Prepared, chosen, editing_hook, kept
from tl_experts.steering.norms import keeping_norm, require_keep_norm
from tl_experts.steering.operations import ANY_STRENGTH, SHARE, Floats, require_strength
from tl_experts.steering.positions import Positions, positions_in_words, require_followed, require_positions

COLUMNS = ("slope", "intercept", "lowest", "highest")
KINDS = {
    "vector": "language vector",
    "lda": "LDA direction",
    "probe": "probe direction",
    "mean": "Mean-AcT",
    "gaussian": "Gaussian transport",
    "linear": "Linear-AcT",
    "dimensions": "language dimensions",
}
ADDED = ("vector", "lda", "probe")
"""Kinds that add a vector, whose strength is any number; that of the other kinds is a share."""

OTHERS = "the others"
"""The source, where it is not a single language."""


@dataclass(frozen=True, eq=False)
class AffineMap:
    """Maps a source language's activations onto a target's; `steer` takes it as it takes a `Steering`.

    The activation z becomes ``z + strength x (slope x z + intercept - z)`` where ``lowest <= z <= highest``, and is
    left alone elsewhere. The strength of a vector or direction is any number, that of the other maps a share, 0 to 1.
    Change strength, positions or norm with `dataclasses.replace`.

    Raises:
        InterventionError: an option that is not defined, or columns that do not fit the neurons.
    """

    kind: str
    """A name from `KINDS`."""

    target: str
    """Language code."""

    source: str
    """Language code, or ``"the others"``."""

    neurons: NeuronTable
    """The columns."""

    site: str
    """Hook site."""

    slope: Floats
    """``[neuron]``, as the other columns."""

    intercept: Floats
    lowest: Floats
    highest: Floats

    fingerprint: dict[str, str]
    """Fingerprint of the model."""

    strength: float = 1.0

    positions: Positions = "all"
    """As in `Steering`."""

    keep_norm: bool = False
    """As in `Steering`."""

    def __post_init__(self) -> None:
        """Check options and columns, and close the columns for writing."""
        require_choice(self.kind, KINDS, "kind", InterventionError)
        require_choice(self.site, SITES, "site", InterventionError)
        if not (isinstance(self.target, str) and isinstance(self.source, str)):
            raise InterventionError(f"target {self.target!r}, source {self.source!r}; expected language codes")
        require_strength(KINDS[self.kind], ANY_STRENGTH if self.kind in ADDED else SHARE, self.strength)
        require_positions(self.positions)
        require_keep_norm(self.keep_norm)
        for name in COLUMNS:
            column = getattr(self, name)
            if column.shape != (self.neurons.total,) or column.dtype != np.float32 or np.isnan(column).any():
                raise InterventionError(
                    f"{name} is {column.dtype} {column.shape}; expected {self.neurons.total} numbers"
                )
            column.setflags(write=False)
        if not (np.isfinite(self.slope).all() and np.isfinite(self.intercept).all()):
            raise InterventionError("slope and intercept must be finite")

    def __str__(self) -> str:
        """The map in a line."""
        norm = ", norm kept" if self.keep_norm else ""
        layers = ", ".join(map(str, self.neurons.layers))
        return (
            f"{KINDS[self.kind]} from {self.source} to {self.target} at strength {self.strength:g}, "
            f"{positions_in_words(self.positions)}{norm}: {self.site} of layers {layers}"
        )

    def only(self, layers: Sequence[int]) -> "AffineMap":
        """The map of some of the layers.

        Raises:
            InterventionError: no layer, or one without a map.
        """
        table, columns = layer_columns(self.neurons, layers)
        return replace(self, neurons=table, **{name: getattr(self, name)[columns] for name in COLUMNS})

    def hooks(self, passes: PassTracker | None = None) -> list[Hook]:
        """The hook functions, one a layer.

        Args:
            passes: a tracker of the model's passes; with it padding is left alone. `steer` supplies one.

        Raises:
            InterventionError: ``positions="generated"`` or a number, without a tracker.
        """
        require_followed(self.positions, passes)
        if self.strength == 0:
            return []
        hooks = [
            (hook_name(layer, self.site), self._function(self.neurons.span(layer), passes))
            for layer in self.neurons.layers
        ]
        return [keeping_norm(hook) for hook in hooks] if self.keep_norm else hooks

    def _function(self, span: slice, passes: PassTracker | None) -> HookFunction:
        gain = np.float32(self.strength) * (self.slope[span] - 1)
        shift = np.float32(self.strength) * self.intercept[span]
        bounds = (self.lowest[span], self.highest[span])
        everywhere = bool(np.isneginf(bounds[0]).all() and np.isposinf(bounds[1]).all())
        columns = [torch.from_numpy(column.copy()) for column in (gain, shift, *(() if everywhere else bounds))]
        return _affine_hook(columns, self.positions, passes)

    def require_model(self, model: Model) -> None:
        """Refuse a model that the map was not fitted on.

        Raises:
            ArtefactError: naming what differs.
        """
        fix = "fit it on this model, or pass check=False if you mean it"
        require_same_model(model, self.fingerprint, f"the numbers of this map ({KINDS[self.kind]})", fix)

    def save_pretrained(self, path: str | Path) -> Path:
        """Save as a folder, or as one file if named ``*.safetensors``.

        Raises:
            ArtefactError: the path cannot be written.
        """
        options = {name: getattr(self, name) for name in _OPTIONS} | {"strength": float(self.strength)}
        header = {"layers": self.neurons.layers, "widths": self.neurons.widths, "map": options}
        return save_artefact(path, "affine_map", {name: getattr(self, name) for name in COLUMNS}, header)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "AffineMap":
        """Load what `save_pretrained` wrote.

        Raises:
            ArtefactError: the artefact is missing, damaged, or something else.
        """
        arrays, header = load_artefact(path, "affine_map")
        with complete(path, "affine map"):
            options: dict[str, Any] = {name: header["map"][name] for name in _OPTIONS}
            options |= {name: arrays[name] for name in COLUMNS}
            return cls(neurons=saved_neurons(header), **options)


_OPTIONS = tuple(field.name for field in fields(AffineMap) if field.name not in ("neurons", *COLUMNS))


def _affine_hook(columns: list[Tensor], positions: Positions, passes: PassTracker | None) -> HookFunction:
    """``z + (gain x z + shift)`` within the bounds, in float32 at least."""

    def prepare(flat: Tensor, hook: Any) -> Prepared:
        if flat.shape[-1] != len(columns[0]):
            raise InterventionError(
                f"{getattr(hook, 'name', 'this hook')} has {flat.shape[-1]} neurons, the map {len(columns[0])}; use "
                "the map of this model"
            )
        return tuple(kept(column, flat.device) for column in columns)

    def edited(flat: Tensor, prepared: Prepared, where: Tensor | None) -> Tensor:
        gain, shift, *bounds = prepared
        wide = flat.to(torch.promote_types(flat.dtype, torch.float32))
        after = (wide + (gain * wide + shift)).to(flat.dtype)
        if bounds:
            inside = (wide >= bounds[0]) & (wide <= bounds[1])
            where = inside if where is None else inside & where
        return chosen(after, flat, where)

    return editing_hook(prepare, edited, positions, passes)
