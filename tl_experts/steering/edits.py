"""The frame of every hook function that edits a layer: which passes and positions, and what is prepared once."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tl_experts.models import HookFunction, PassTracker
from tl_experts.steering.positions import Positions, skipped, steered_positions

Prepared = tuple[Tensor, ...]

Prepare = Callable[[Tensor, Any], Prepared]
"""``(activation [batch pos width], hook)`` to what the edit needs, on the activation's device: once a device and
dtype."""

Edited = Callable[[Tensor, Prepared, Tensor | None], Tensor]
"""``(activation [batch pos width], prepared, where)`` to the new activation; `where` is True at the positions to edit,
``[batch pos 1]``, or None for all."""


def editing_hook(prepare: Prepare, edited: Edited, positions: Positions, passes: PassTracker | None) -> HookFunction:
    """A hook function that edits a layer's whole width, heads side by side.

    Args:
        prepare: called at the first pass on each device and in each dtype.
        edited: called in every pass that is steered; it must not write in place.
        positions: see `Steering`.
        passes: a tracker of the model's passes; with it padding is left alone.
    """
    prepared: dict[tuple[torch.device, torch.dtype], Prepared] = {}

    # A hot path, once a layer and pass: plain views cost less than einops.
    def intervene(activation: Tensor, hook: Any) -> Tensor | None:
        if skipped(positions, passes):
            return None
        flat = activation.flatten(2)
        key = (activation.device, activation.dtype)
        if key not in prepared:
            prepared[key] = prepare(flat, hook)
        where = steered_positions(positions, passes, flat)
        return edited(flat, prepared[key], None if where is None else where[..., None]).view(activation.shape)

    return intervene


def chosen(
    after: Float[Tensor, "batch pos width"],
    before: Float[Tensor, "batch pos width"],
    where: Bool[Tensor, "#batch #pos #width"] | None,
) -> Float[Tensor, "batch pos width"]:
    """What is edited at some positions, and as it was at the others; None: edited at all."""
    return after if where is None else torch.where(where, after, before)


def kept(tensor: Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """A copy on a device that a later backward pass may save.

    PyTorch refuses to save for a gradient what was made in inference mode (by an embedding, say).
    """
    with torch.inference_mode(False):
        return tensor.to(device, dtype).clone()
