"""Which positions of a pass are steered."""

from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from tl_experts.errors import InterventionError, require_choice
from tl_experts.models import PassTracker

Positions = Literal["all", "last", "generated"]
POSITIONS = ("all", "last", "generated")


def require_positions(positions: object) -> None:
    """Refuse anything but one of `POSITIONS`.

    Raises:
        InterventionError: it is something else.
    """
    require_choice(positions, POSITIONS, "positions", InterventionError)


def require_followed(positions: str, passes: PassTracker | None) -> None:
    """Refuse ``"generated"`` without a tracker, which alone knows what was generated.

    Raises:
        InterventionError: no tracker was given.
    """
    if positions == "generated" and passes is None:
        raise InterventionError("positions='generated' needs to follow the model's passes; use steer(...)")


def skipped(positions: str, passes: PassTracker | None) -> bool:
    """Whether the running pass is not steered at all."""
    return positions == "generated" and passes is not None and not passes.continues


def steered_positions(
    positions: str, passes: PassTracker | None, activation: Tensor
) -> Bool[Tensor, "batch pos"] | None:
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
