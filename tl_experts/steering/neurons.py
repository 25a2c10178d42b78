"""The hook function that edits some neurons of a layer and leaves the others alone."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.errors import InterventionError
from tl_experts.models import HookFunction, PassTracker
from tl_experts.steering.operations import Edit, Plan
from tl_experts.steering.positions import skipped, steered_positions


def neuron_hook(
    neurons: NDArray[np.int64], plan: Plan, positions: str, passes: PassTracker | None = None
) -> HookFunction:
    """A hook function for one layer.

    Args:
        neurons: which of the layer's.
        plan: what is done to them, one amount per neuron.
        positions: one of `POSITIONS`.
        passes: a tracker of the model's passes; with it padding is left alone.
    """
    index, amounts = torch.from_numpy(neurons.copy()), torch.from_numpy(plan.amounts.copy())
    if plan.edit is None:
        return _setting_hook(index, amounts, positions, passes)
    return _editing_hook(index, amounts, positions, passes, edit=plan.edit)


_Prepared = dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]]
"""What a hook needs, moved to each layer's device once, not in every pass."""


def _setting_hook(neurons: Tensor, amounts: Tensor, positions: str, passes: PassTracker | None) -> HookFunction:
    """One choice between value and activation over the layer's whole width: the least there is to do a token."""
    prepared: _Prepared = {}

    def prepare(activation: Tensor, width: int) -> tuple[Tensor, Tensor]:
        chosen = torch.zeros(width, dtype=torch.bool).index_fill(0, neurons, True)
        values = torch.zeros(width, dtype=amounts.dtype).index_copy(0, neurons, amounts)
        return kept(chosen, values, activation)

    # A hot path, once a layer and pass: plain views cost less than einops.
    def intervene(activation: Tensor, hook: Any) -> Tensor | None:
        if skipped(positions, passes):
            return None
        flat = activation.flatten(2)
        key = (activation.device, activation.dtype)
        if key not in prepared:
            _require_width(neurons, flat.shape[-1], hook)
            prepared[key] = prepare(activation, flat.shape[-1])
        chosen, values = prepared[key]
        where = steered_positions(positions, passes, flat)
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
        if skipped(positions, passes):
            return None
        flat = activation.flatten(2)
        key = (activation.device, activation.dtype)
        if key not in prepared:
            _require_width(neurons, flat.shape[-1], hook)
            prepared[key] = kept(neurons, amounts, activation)
        index, amount = prepared[key]
        before = flat.index_select(-1, index)
        after = edit(before, amount)
        where = steered_positions(positions, passes, flat)
        if where is not None:
            after = torch.where(where[..., None], after, before)
        return flat.index_copy(-1, index, after).view(activation.shape)

    return intervene


def kept(what: Tensor, amounts: Tensor, activation: Tensor) -> tuple[Tensor, Tensor]:
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
