"""Pooling: a layer's activations over a sentence's own tokens into one value per neuron."""

from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Pooling = Literal["max", "mean"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


def pool(
    activation: Float[Tensor, "batch pos neuron"], pooled: Bool[Tensor, "batch pos"], pooling: str
) -> Float[Tensor, "batch neuron"]:
    """Pool a layer's activations over each sentence's own tokens.

    Args:
        activation: one layer's activations.
        pooled: True at the tokens that count; at least one in every row.
        pooling: ``"max"`` or ``"mean"``.
    """
    if pooling == "mean":
        weights = pooled.to(torch.float32)
        weights = weights / weights.sum(dim=1, keepdim=True)
        # Zero x inf is NaN: what padding holds must not leak in.
        kept = activation.float().masked_fill(~pooled[..., None], 0.0)
        return torch.einsum("bpn,bp->bn", kept, weights)
    first = int(pooled.int().argmax(dim=1).min())
    inner = pooled[:, first:]
    activation = activation[:, first:]
    # Sentences of a batch are of like length: only behind the shortest is there anything to leave out.
    whole = int(inner.all(dim=0).int().cumprod(dim=0).sum())
    if whole == inner.shape[1]:
        return activation.amax(dim=1)
    rest = activation[:, whole:].masked_fill(~inner[:, whole:, None], float("-inf")).amax(dim=1)
    return torch.maximum(activation[:, :whole].amax(dim=1), rest) if whole else rest
