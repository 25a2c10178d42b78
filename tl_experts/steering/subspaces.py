"""`SubspaceSwap`: the part of the activation that lies in the language subspace, replaced by the target's mean.

The language subspace of a layer is spanned by the singular vectors of the languages' centred means over tokens (LSAR,
Xie et al. 2022). With P the projector onto it, the activation h becomes ``h + strength x (P mean(target) - P h)``: what
is orthogonal to the subspace stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from tl_experts.analysis.subspace import language_subspace
from tl_experts.corpus.languages import language_code
from tl_experts.errors import InterventionError, require_choice
from tl_experts.jobs.artefacts import complete, load_artefact, save_artefact
from tl_experts.models import SITES, Hook, HookFunction, Model, PassTracker, hook_name, require_same_model
from tl_experts.responses.neurons import NeuronTable, saved_neurons
from tl_experts.responses.token_statistics import TokenStatistics
from tl_experts.steering.choices import layer_columns
from tl_experts.steering.edits import Prepared, chosen, editing_hook, kept
from tl_experts.steering.norms import keeping_norm, require_keep_norm
from tl_experts.steering.operations import SHARE, require_strength
from tl_experts.steering.positions import Positions, positions_in_words, require_followed, require_positions

_KIND = "subspace_swap"
_ARRAYS = ("basis", "goal")
_ORTHONORMAL = 1e-4


@dataclass(frozen=True, eq=False)
class SubspaceSwap:
    """Replaces the language-subspace part of the activation by the target's; `steer` takes it as it takes a `Steering`.

    Change strength, positions or norm with `dataclasses.replace`.

    Raises:
        InterventionError: an option that is not defined, or a basis that does not fit or is not orthonormal.
    """

    target: str
    """Language code."""

    languages: tuple[str, ...]
    """The languages whose means span the subspace."""

    neurons: NeuronTable
    """The columns."""

    site: str
    """Hook site."""

    basis: Float32[np.ndarray, "rank neuron"]
    """Directions of each layer's subspace, layers side by side; orthonormal within a layer."""

    goal: Float32[np.ndarray, "layer rank"]
    """Coordinates of the target's mean."""

    fingerprint: dict[str, str]
    """Fingerprint of the model."""

    strength: float = 1.0
    """Share of the replaced activation, 0 to 1."""

    positions: Positions = "all"
    """As in `Steering`."""

    keep_norm: bool = False
    """As in `Steering`."""

    def __post_init__(self) -> None:
        """Check options and arrays, and make the arrays read-only."""
        require_choice(self.site, SITES, "site", InterventionError)
        if not isinstance(self.target, str) or not all(isinstance(language, str) for language in self.languages):
            raise InterventionError(f"target {self.target!r}, languages {self.languages!r:.80}; expected their codes")
        require_strength("a subspace swap", SHARE, self.strength)
        require_positions(self.positions)
        require_keep_norm(self.keep_norm)
        rank = len(self.basis)
        expected = {"basis": (rank, self.neurons.total), "goal": (len(self.neurons.layers), rank)}
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
                raise InterventionError(f"{name} is {array.dtype} {array.shape}; expected finite float32 {shape}")
            array.setflags(write=False)
        for layer in self.neurons.layers:
            part = self.basis[:, self.neurons.span(layer)].astype(np.float64)
            if not rank or np.abs(part @ part.T - np.eye(rank)).max() > _ORTHONORMAL:
                raise InterventionError(f"the basis of layer {layer} is not orthonormal; use language_swap(...)")

    def __str__(self) -> str:
        """The swap in a line."""
        norm = ", norm kept" if self.keep_norm else ""
        layers = ", ".join(map(str, self.neurons.layers))
        return (
            f"language subspace ({len(self.basis)} dimensions of {', '.join(self.languages)}) set to {self.target} at "
            f"strength {self.strength:g}, {positions_in_words(self.positions)}{norm}: {self.site} of layers {layers}"
        )

    def only(self, layers: Sequence[int]) -> "SubspaceSwap":
        """The swap at some of the layers.

        Raises:
            InterventionError: no layer, or one without a subspace.
        """
        table, columns = layer_columns(self.neurons, layers)
        rows = [self.neurons.layers.index(layer) for layer in table.layers]
        return replace(self, neurons=table, basis=self.basis[:, columns], goal=self.goal[rows])

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
            (hook_name(layer, self.site), self._function(layer, goal, passes))
            for layer, goal in zip(self.neurons.layers, self.goal, strict=True)
        ]
        return [keeping_norm(hook) for hook in hooks] if self.keep_norm else hooks

    def _function(self, layer: int, goal: Float32[np.ndarray, " rank"], passes: PassTracker | None) -> HookFunction:
        basis = torch.from_numpy(self.basis[:, self.neurons.span(layer)].copy())
        strength, coordinates = float(self.strength), torch.from_numpy(goal.copy())

        def prepare(flat: Tensor, hook: Any) -> Prepared:
            if flat.shape[-1] != basis.shape[1]:
                raise InterventionError(
                    f"{getattr(hook, 'name', 'this hook')} has {flat.shape[-1]} neurons, the subspace "
                    f"{basis.shape[1]}; use the subspace of this model"
                )
            return kept(basis, flat.device), kept(coordinates, flat.device)

        def edited(flat: Tensor, prepared: Prepared, where: Tensor | None) -> Tensor:
            directions, wanted = prepared
            wide = flat.to(torch.promote_types(flat.dtype, torch.float32))
            directions, wanted = directions.to(wide.dtype), wanted.to(wide.dtype)
            after = wide + strength * ((wanted - wide @ directions.T) @ directions)
            return chosen(after.to(flat.dtype), flat, where)

        return editing_hook(prepare, edited, self.positions, passes)

    def require_model(self, model: Model) -> None:
        """Refuse a model that the subspace was not computed in.

        Raises:
            ArtefactError: naming what differs.
        """
        fix = "compute it in this model, or pass check=False if you mean it"
        require_same_model(model, self.fingerprint, "the language subspace of this intervention", fix)

    def save_pretrained(self, path: str | Path) -> Path:
        """Save as a folder, or as one file if named ``*.safetensors``.

        Raises:
            ArtefactError: the path cannot be written.
        """
        options = {name: getattr(self, name) for name in _OPTIONS} | {"strength": float(self.strength)}
        header = {"layers": self.neurons.layers, "widths": self.neurons.widths, "swap": options}
        return save_artefact(path, _KIND, {name: getattr(self, name) for name in _ARRAYS}, header)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "SubspaceSwap":
        """Load what `save_pretrained` wrote.

        Raises:
            ArtefactError: the artefact is missing, damaged, or something else.
        """
        arrays, header = load_artefact(path, _KIND)
        with complete(path, "subspace swap"):
            options: dict[str, Any] = {name: header["swap"][name] for name in _OPTIONS}
            options |= {"languages": tuple(options["languages"]), **{name: arrays[name] for name in _ARRAYS}}
            return cls(neurons=saved_neurons(header), **options)


_OPTIONS = tuple(field.name for field in fields(SubspaceSwap) if field.name not in ("neurons", *_ARRAYS))


def language_swap(
    statistics: TokenStatistics, target: str, *, layers: Sequence[int] | None = None, rank: int | None = None
) -> SubspaceSwap:
    """Replace the part of the activation in the language subspace by that of the target's mean over tokens.

    Args:
        statistics: of tokens, from `collect_statistics`; for the residual stream those of ``hook_resid_post``.
        target: the language to steer to.
        layers: where; None: at every layer of the statistics.
        rank: dimensions of the subspace; None: one less than the number of languages.

    Returns:
        A swap of strength 1; ``dataclasses.replace(swap, strength=0.5)`` changes it.

    Raises:
        InterventionError: an unknown layer.
        ResponseError: a language that was not counted.
        TLExpertsError: a rank that is not possible.

    Examples:
        >>> from tl_experts import Reading, collect_statistics, load_model, load_sentences, steer
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> residual = Reading(site="hook_resid_post")
        >>> statistics = collect_statistics(model, sentences, reading=residual, progress=False)
        >>> spanish = language_swap(statistics, "es", layers=[4], rank=3)
        >>> spanish.basis.shape
        (3, 256)
        >>> with steer(model, spanish):
        ...     steered = model("To open a file,")
    """
    table, row = statistics.neurons, statistics.row(target)
    means = statistics.mean
    bases, goals = [], []
    for layer in table.layers:
        here = means[:, table.span(layer)]
        by_language = {code: mean[None] for code, mean in zip(statistics.languages, here, strict=True)}
        space = language_subspace(by_language, rank=rank)
        bases.append(space.basis.numpy())
        goals.append(space.basis.numpy() @ here[row])
    whole = SubspaceSwap(
        target=language_code(target),
        languages=statistics.languages,
        neurons=table,
        site=statistics.site,
        basis=np.concatenate(bases, axis=1).astype(np.float32),
        goal=np.stack(goals).astype(np.float32),
        fingerprint=statistics.fingerprint,
    )
    return whole if layers is None else whole.only(layers)
