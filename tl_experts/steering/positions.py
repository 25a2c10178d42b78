"""Which passes are steered, and at which positions."""

from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from tl_experts.errors import InterventionError, TLExpertsError, require_choice
from tl_experts.models import PassTracker

Positions = Literal["all", "last", "generated"] | int
"""One of `POSITIONS`, or a number n: all positions, while the first n tokens of a text are chosen. These are the pass
over the prompt and the n - 1 passes that continue its key-value cache; later tokens follow from what was written."""

POSITIONS = ("all", "last", "generated")


def require_positions(positions: object, error: type[TLExpertsError] = InterventionError) -> None:
    """Refuse anything but one of `POSITIONS` or a number of tokens.

    Args:
        positions: what was given.
        error: what is raised.

    Raises:
        InterventionError: it is something else; or the given error.
    """
    if isinstance(positions, str):
        require_choice(positions, POSITIONS, "positions", error)
    elif isinstance(positions, bool) or not isinstance(positions, int) or positions < 1:
        names = ", ".join(map(repr, POSITIONS))
        raise error(f"positions is {positions!r}; expected {names}, or a whole number of tokens from 1")


def positions_in_words(positions: Positions) -> str:
    """Which positions, for a line about an intervention.

    Examples:
        >>> positions_in_words("all")
        'all positions'
        >>> positions_in_words(4)
        'until 4 tokens are written'
    """
    if isinstance(positions, int):
        return f"until {positions} token{'s are' if positions > 1 else ' is'} written"
    return f"{positions} positions"


def require_followed(positions: Positions, passes: PassTracker | None) -> None:
    """Refuse ``"generated"`` and numbers without a tracker, which alone knows what was generated.

    Raises:
        InterventionError: no tracker was given.
    """
    if passes is None and (positions == "generated" or isinstance(positions, int)):
        raise InterventionError(f"positions={positions!r} needs to follow the model's passes; use steer(...)")


def skipped(positions: Positions, passes: PassTracker | None) -> bool:
    """Whether the running pass is not steered at all."""
    if passes is None:
        return False
    if isinstance(positions, int):
        return passes.step >= positions
    return positions == "generated" and not passes.continues


def steered_positions(
    positions: Positions, passes: PassTracker | None, activation: Tensor
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
