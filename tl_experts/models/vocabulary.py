"""Cross-entropy without logits: the unembedding, a piece of the vocabulary at a time.

With a large vocabulary the logits are most of a pass's memory (262,144 numbers a token for Gemma 3), and writing them
to memory that is new each time takes a third of the unembedding. A piece that fits the processor's cache is summed at
once and overwritten by the next.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from tl_experts.models.hooks import Model
from tl_experts.models.lean_block import changed, hooked_everywhere
from tl_experts.models.lens import COMPONENTS, is_bridge

_ROWS = 512
"""Tokens at a time."""

_NUMBERS = 2**20
"""Logits at a time: 4 MiB in float32."""


def unembeds_plainly(model: Model) -> bool:
    """Whether the logits are the product with ``W_U``, its bias and a soft cap, and no hook reads or changes them."""
    if COMPONENTS is None or is_bridge(model) or hooked_everywhere():
        return False
    # The model itself may have pre-hooks: those of `steer` follow its passes.
    if model._forward_hooks or "forward" in model.__dict__ or type(model.unembed) is not COMPONENTS.unembed:
        return False
    return not any(changed(point) for point in (model.unembed, model.unembed.hook_in, model.unembed.hook_out))


def losses_by_piece(
    model: Model, states: Float[Tensor, "token d_model"], own: Int[Tensor, " token"]
) -> Float[Tensor, " token"]:
    """The cross-entropy of tokens, in nats, in float32.

    Args:
        model: one that unembeds plainly.
        states: what is unembedded to predict each token: the last hidden states.
        own: their ids.
    """
    weights = model.unembed.W_U
    rows = zip(*(torch.split(each.to(weights.device), _ROWS) for each in (states, own)), strict=True)
    return torch.cat([_losses(model, *some) for some in rows])


def _losses(model: Model, states: Tensor, own: Tensor) -> Tensor:
    weights, bias = model.unembed.W_U, model.unembed.b_U
    needed = bias if bool(bias.any()) else None
    cap = float(getattr(model.cfg, "output_logits_soft_cap", None) or 0)
    width = _NUMBERS // max(1, len(states))
    normalisers, chosen = [], torch.zeros(len(states), dtype=torch.float32, device=weights.device)
    for begin in range(0, weights.shape[1], width):
        part = slice(begin, begin + width)
        logits = functional.linear(states, weights[:, part].T, None if needed is None else needed[part])
        if cap > 0:
            logits = logits.div_(cap).tanh_().mul_(cap)
        wide = logits.float()
        # Every row is looked up, not those of the piece only: a GPU would have to wait for their number.
        places = (own - begin).clamp(0, wide.shape[1] - 1)
        inside = (own >= begin) & (own < begin + width)
        chosen = torch.where(inside, wide.gather(-1, places[:, None])[:, 0], chosen)
        normalisers.append(wide.logsumexp(-1))
    return torch.stack(normalisers).logsumexp(0) - chosen
