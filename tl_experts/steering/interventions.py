"""Interventions: from experts to hook functions, and the `steer` context.

Each expert is set to its mean response over the sentences of its language, at every token position, while the model
reads any text (Sundar et al. 2025, section 3). Hook functions are values, ``(hook name, fn)`` pairs as in
TransformerLens's ``fwd_hooks``; they never write in place.
"""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import ArrayLike
from torch import Tensor

from tl_experts.errors import InterventionError, TLExpertsWarning, require_choice
from tl_experts.experts.experts import Experts
from tl_experts.models import Hook, HookFunction, Model, PassTracker, attached, hook_name, track_passes
from tl_experts.steering.norms import keeping_norm
from tl_experts.steering.operations import Edit, Floats, Operation, changes_nothing, plan

Value = Literal["mean", "median", "p90", "zero"]
Positions = Literal["all", "last", "generated"]

VALUES = ("mean", "median", "p90", "zero")
POSITIONS = ("all", "last", "generated")


def intervention_hooks(
    experts: Experts,
    *,
    operation: Operation = "set",
    value: Value | ArrayLike = "mean",
    strength: float = 1.0,
    positions: Positions = "all",
    keep_norm: bool = False,
    passes: PassTracker | None = None,
) -> list[Hook]:
    """The hook functions of an intervention, one per layer that has experts.

    Args:
        experts: of one language.
        operation: ``"set"`` (the paper's), another name from `OPERATIONS`, or a function of your own,
            ``(activation, value) -> activation``, where activation is ``[batch pos expert]`` and value ``[expert]``.
        value: what is set or added: the experts' ``"mean"`` response to their language, ``"median"``, ``"p90"`` or
            ``"zero"``; or a number per expert.
        strength: of the operation, as its formula in `OPERATIONS` states; 0 changes nothing but for ``"scale"``.
        positions: ``"all"``; ``"last"``: the last token of each text in each pass; ``"generated"``: what is fed
            back while generating with the key-value cache (needs `passes`).
        keep_norm: rescale the layer's activation, per token, to the norm it had before.
        passes: a tracker of the model's passes; with it padding is left alone. `steer` supplies one.

    Returns:
        ``(hook name, fn)`` pairs for ``model.run_with_hooks(..., fwd_hooks=...)`` or ``embed(..., hooks=...)``.

    Raises:
        InterventionError: experts of several languages, an unknown option, or one that has no effect.

    Examples:
        >>> from tl_experts import find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> experts = find_experts(model, sentences, k=5, progress=False)
        >>> hooks = intervention_hooks(experts["es"])
        >>> logits = model.run_with_hooks("To open a file,", fwd_hooks=hooks)
    """
    _require_intervention(experts, operation, positions, keep_norm, passes)
    planned = plan(operation, _values(experts, value), experts.statistics["auroc"], strength)
    if changes_nothing(operation, strength):
        return []
    hooks: list[Hook] = []
    for layer in sorted(set(experts.layer.tolist())):
        rows = np.flatnonzero(experts.layer == layer)
        neurons = torch.from_numpy(experts.neuron[rows].copy())
        make = _setting_hook if planned.edit is None else partial(_editing_hook, edit=planned.edit)
        function = make(neurons, torch.from_numpy(planned.amounts[rows].copy()), positions, passes)
        hooks.append((hook_name(layer, experts.site), function))
    return [keeping_norm(hook) for hook in hooks] if keep_norm else hooks


@contextmanager
def steer(
    model: Model,
    experts: Experts,
    *,
    operation: Operation = "set",
    value: Value | ArrayLike = "mean",
    strength: float = 1.0,
    positions: Positions = "all",
    keep_norm: bool = False,
    check: bool = True,
) -> Iterator[Model]:
    """Steer the model with the experts of a language while the block runs.

    Whatever runs inside (the model itself, `generate` with or without the key-value cache, `embed`...) is steered;
    padding is left alone. On leaving, also by an exception or from a nested block, the model computes exactly what
    it did before: nothing in it was changed.

    Args:
        model: the model the experts were found in.
        experts: of one language: ``experts["es"]``.
        operation: see `intervention_hooks`.
        value: see `intervention_hooks`.
        strength: see `intervention_hooks`.
        positions: see `intervention_hooks`.
        keep_norm: see `intervention_hooks`.
        check: refuse experts of another model; False to try them all the same (on a fine-tuned sibling, say).

    Raises:
        InterventionError: as `intervention_hooks`.
        ArtefactError: the experts are of another model.

    Warns:
        TLExpertsWarning: ``positions="generated"`` met no generation with a key-value cache, so nothing was steered.

    Examples:
        >>> from tl_experts import find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> experts = find_experts(model, sentences, k=5, progress=False)
        >>> with steer(model, experts["es"]):
        ...     steered = model("To open a file,")
        >>> bool((steered == model("To open a file,")).all())
        False
    """
    _require_experts(experts)
    if check:
        experts.require_model(model)
    with track_passes(model) as passes:
        hooks = intervention_hooks(
            experts,
            operation=operation,
            value=value,
            strength=strength,
            positions=positions,
            keep_norm=keep_norm,
            passes=passes,
        )
        with attached(model, hooks):
            yield model
    unsteered = _unsteered(positions, passes)
    if unsteered is not None:
        warnings.warn(unsteered, TLExpertsWarning, stacklevel=3)


def describe_intervention(experts: Experts | None, value: str = "mean") -> str:
    """Everything that decides which neurons are set to which values, in a line: for the name of what comes of it.

    Examples:
        >>> describe_intervention(None)
        'none'
    """
    if experts is None:
        return "none"
    digest = hashlib.sha256(experts.layer.tobytes() + experts.neuron.tobytes())
    values = experts.statistics.get(value)
    digest.update(b"zero" if values is None else values.tobytes())
    return f"{experts.languages[0]} {len(experts)} {value} {digest.hexdigest()[:16]}"


def _unsteered(positions: str, passes: PassTracker) -> str | None:
    """Why nothing was steered; None where something was, or no pass was run."""
    if positions == "generated" and passes.passes and not passes.continued:
        return (
            f"positions='generated' steered none of {passes.passes} passes: none continued a key-value cache. "
            "Generate with use_past_kv_cache=True, or use positions='all'"
        )
    if passes.elsewhere and not passes.passes:
        return (
            f"steer(...) steered nothing: {passes.elsewhere} passes ran in other threads, where it does not act. "
            "Enter steer(...) in the thread that runs the model, or start the thread's function with "
            "contextvars.copy_context().run"
        )
    return None


def _require_intervention(
    experts: Experts, operation: object, positions: str, keep_norm: object, passes: PassTracker | None
) -> None:
    _require_experts(experts)
    require_choice(positions, POSITIONS, "positions", InterventionError)
    if not isinstance(keep_norm, bool):
        raise InterventionError(f"keep_norm is {keep_norm!r}; expected True or False")
    if isinstance(operation, str) and operation == "damp" and np.isnan(experts.statistics["auroc"]).any():
        raise InterventionError("operation='damp' needs the neurons' AUROC, which random controls do not have")
    if positions == "generated" and passes is None:
        raise InterventionError("positions='generated' needs to follow the model's passes; use steer(...)")


def _require_experts(experts: object) -> None:
    if not isinstance(experts, Experts):
        raise InterventionError(f"expected Experts, got {type(experts).__name__}; they come from find_experts(...)")
    if len(experts.languages) != 1:
        raise InterventionError(
            f"these are experts of {len(experts.languages)} languages ({', '.join(experts.languages)}); "
            f"steer with those of one: experts[{experts.languages[0]!r}]"
        )


def _values(experts: Experts, value: Value | ArrayLike) -> Floats:
    """The value of every expert."""
    if isinstance(value, str):
        require_choice(value, VALUES, "value", InterventionError)
        return np.zeros(len(experts), dtype=np.float32) if value == "zero" else experts.statistics[value]
    try:
        values = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        values = np.empty(0, dtype=np.float32)
    if values.shape != (len(experts),) or not np.isfinite(values).all():
        raise InterventionError(
            f"value {value!r:.80} is not known; choose one of {', '.join(map(repr, VALUES))}, or give "
            f"{len(experts)} finite numbers, one per expert"
        )
    return values


_Prepared = dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]]
"""What a hook needs, moved to each layer's device once, not in every pass."""


def _setting_hook(neurons: Tensor, amounts: Tensor, positions: str, passes: PassTracker | None) -> HookFunction:
    """One choice between value and activation over the layer's whole width: the least there is to do a token."""
    prepared: _Prepared = {}

    def prepare(activation: Tensor, width: int) -> tuple[Tensor, Tensor]:
        chosen = torch.zeros(width, dtype=torch.bool).index_fill(0, neurons, True)
        values = torch.zeros(width, dtype=amounts.dtype).index_copy(0, neurons, amounts)
        return _kept(chosen, values, activation)

    # A hot path, once a layer and pass: plain views cost less than einops.
    def intervene(activation: Tensor, hook: Any) -> Tensor | None:
        if positions == "generated" and passes is not None and not passes.continues:
            return None
        flat = activation.flatten(2)
        key = (activation.device, activation.dtype)
        if key not in prepared:
            _require_width(neurons, flat.shape[-1], hook)
            prepared[key] = prepare(activation, flat.shape[-1])
        chosen, values = prepared[key]
        where = _where(positions, passes, flat)
        if where is not None:
            chosen = chosen & where[..., None]
        return torch.where(chosen, values, flat).view(activation.shape)

    return intervene


def _editing_hook(
    neurons: Tensor, amounts: Tensor, positions: str, passes: PassTracker | None, *, edit: Edit
) -> HookFunction:
    """Read the experts, edit them, and put them back."""
    prepared: _Prepared = {}

    # A hot path, as above.
    def intervene(activation: Tensor, hook: Any) -> Tensor | None:
        if positions == "generated" and passes is not None and not passes.continues:
            return None
        flat = activation.flatten(2)
        key = (activation.device, activation.dtype)
        if key not in prepared:
            _require_width(neurons, flat.shape[-1], hook)
            prepared[key] = _kept(neurons, amounts, activation)
        index, amount = prepared[key]
        before = flat.index_select(-1, index)
        after = edit(before, amount)
        where = _where(positions, passes, flat)
        if where is not None:
            after = torch.where(where[..., None], after, before)
        return flat.index_copy(-1, index, after).view(activation.shape)

    return intervene


def _kept(what: Tensor, amounts: Tensor, activation: Tensor) -> tuple[Tensor, Tensor]:
    """Both on the activation's device, the amounts in its dtype, as tensors that a later backward pass may save.

    PyTorch refuses to save for a gradient what was made in inference mode (by an embedding, say).
    """
    with torch.inference_mode(False):
        return what.to(activation.device).clone(), amounts.to(activation.device, activation.dtype).clone()


def _require_width(neurons: Tensor, width: int, hook: Any) -> None:
    """Refuse experts of a wider model: `steer(check=False)` lets them come this far."""
    if int(neurons.max()) >= width:
        raise InterventionError(
            f"neuron {int(neurons.max())} at {getattr(hook, 'name', 'this hook')}: the model has neurons 0 to "
            f"{width - 1} there; use the experts of a model of this width"
        )


def _where(positions: str, passes: PassTracker | None, activation: Tensor) -> Bool[Tensor, "batch pos"] | None:
    """Which positions to edit; None: all."""
    batch, length = activation.shape[:2]
    real = passes.real if passes is not None else None
    if real is not None:
        real = real.to(activation.device)
        if real.shape != (batch, length):  # broadcast passes of a single row
            real = real.expand(batch, length)
    if positions != "last":
        return real
    position = torch.arange(length, device=activation.device).expand(batch, length)
    if real is None:
        return position == length - 1
    return position == position.masked_fill(~real, -1).amax(dim=1, keepdim=True)
