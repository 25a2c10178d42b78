"""The layer's norm, kept: an intervention that turns each token's activation but does not lengthen it."""

from typing import Any

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor

from tl_experts.errors import InterventionError
from tl_experts.models import Hook, HookFunction


def rescaled(after: Float[Tensor, "batch pos *width"], before: Float[Tensor, "batch pos *width"]) -> Tensor:
    """``after x |before| / |after|`` for each token; tokens that are equal in both, or zero afterwards, as they are.

    Norms are taken over everything the layer holds for a token, in float32 at least.
    """
    old, new = (_norms(activation) for activation in (before, after))
    factor = old / new
    changed = reduce(after != before, "batch pos ... -> batch pos", "any") & factor.isfinite()
    ones = (1,) * (after.ndim - 2)
    factor, changed = factor.reshape(*factor.shape, *ones), changed.reshape(*changed.shape, *ones)
    return torch.where(changed, (after * factor).to(after.dtype), after)


def keeping_norm(hook: Hook) -> Hook:
    """The hook with its result rescaled, per token, to the norm the activation had before."""
    name, function = hook
    return name, _rescaling(function)


def require_keep_norm(keep_norm: object) -> None:
    """Refuse anything but True or False.

    Raises:
        InterventionError: it is something else.
    """
    if not isinstance(keep_norm, bool):
        raise InterventionError(f"keep_norm is {keep_norm!r}; expected True or False")


def _rescaling(function: HookFunction) -> HookFunction:
    def intervene(activation: Tensor, hook: Any) -> Tensor | None:
        after = function(activation, hook=hook)
        return None if after is None else rescaled(after, activation)

    return intervene


def _norms(activation: Tensor) -> Float[Tensor, "batch pos"]:
    flat = rearrange(activation, "batch pos ... -> batch pos (...)")
    norms: Tensor = torch.linalg.vector_norm(flat, dim=-1, dtype=torch.promote_types(flat.dtype, torch.float32))
    return norms
