"""The hook function that edits some neurons of a layer and leaves the others alone."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.errors import InterventionError
from tl_experts.models import HookFunction, PassTracker
from tl_experts.steering.edits import Edited, Prepare, Prepared, chosen, editing_hook, kept
from tl_experts.steering.operations import Edit, Plan
from tl_experts.steering.positions import Positions


def neuron_hook(
    neurons: NDArray[np.int64], plan: Plan, positions: Positions, passes: PassTracker | None = None
) -> HookFunction:
    """A hook function for one layer.

    Args:
        neurons: which of the layer's.
        plan: what is done to them, one amount per neuron.
        positions: see `Steering`.
        passes: a tracker of the model's passes; with it padding is left alone.
    """
    index, amounts = torch.from_numpy(neurons.copy()), torch.from_numpy(plan.amounts.copy())
    if plan.edit is None:
        return editing_hook(_over_the_width(index, amounts), _set, positions, passes)
    return editing_hook(_of_the_neurons(index, amounts), _editing(plan.edit), positions, passes)


def _over_the_width(neurons: Tensor, amounts: Tensor) -> Prepare:
    """Which neurons of the layer are set, and each neuron's value."""

    def prepare(flat: Tensor, hook: Any) -> Prepared:
        width = _width(neurons, flat, hook)
        mine = torch.zeros(width, dtype=torch.bool).index_fill(0, neurons, True)
        values = torch.zeros(width, dtype=amounts.dtype).index_copy(0, neurons, amounts)
        return kept(mine, flat.device), kept(values, flat.device, flat.dtype)

    return prepare


def _set(flat: Tensor, prepared: Prepared, where: Tensor | None) -> Tensor:
    """One choice between value and activation over the layer's whole width: the least there is to do a token."""
    mine, values = prepared
    return torch.where(mine if where is None else mine & where, values, flat)


def _of_the_neurons(neurons: Tensor, amounts: Tensor) -> Prepare:
    """The neurons and their amounts."""

    def prepare(flat: Tensor, hook: Any) -> Prepared:
        _width(neurons, flat, hook)
        return kept(neurons, flat.device), kept(amounts, flat.device, flat.dtype)

    return prepare


def _editing(edit: Edit) -> Edited:
    """Read the neurons, edit them, and put them back."""

    def edited(flat: Tensor, prepared: Prepared, where: Tensor | None) -> Tensor:
        index, amounts = prepared
        before = flat.index_select(-1, index)
        return flat.index_copy(-1, index, chosen(edit(before, amounts), before, where))

    return edited


def _width(neurons: Tensor, flat: Tensor, hook: Any) -> int:
    """The layer's width; refuses neurons of a wider model, which `steer(check=False)` lets come this far."""
    width = flat.shape[-1]
    if int(neurons.max()) >= width:
        raise InterventionError(
            f"neuron {int(neurons.max())} at {getattr(hook, 'name', 'this hook')}: the model has neurons 0 to "
            f"{width - 1} there; use the experts of a model of this width"
        )
    return width
