"""Pooling: a layer's activations over a sentence's own tokens into one value per neuron."""

from typing import Literal, get_args

import torch
from einops import einsum
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
        return einsum(kept, weights, "batch pos neuron, batch pos -> batch neuron")
    span, whole, rest = _spans(pooled)
    activation = activation[:, span]
    if not rest.shape[1]:
        return activation.amax(dim=1)
    last = activation[:, whole:].masked_fill(~rest[..., None], float("-inf")).amax(dim=1)
    return torch.maximum(activation[:, :whole].amax(dim=1), last) if whole else last


def own_tokens(
    activation: Float[Tensor, "batch pos neuron"], pooled: Bool[Tensor, "batch pos"]
) -> list[Float[Tensor, "batch _ neuron"]]:
    """A layer's activations in float32 at each sentence's own tokens, zero elsewhere: what sums over tokens add up.

    Args:
        activation: one layer's activations.
        pooled: True at the tokens that count; at least one in every row.

    Returns:
        The positions that are every sentence's own, and the others, if there are such: nothing else is copied.
    """
    span, whole, rest = _spans(pooled)
    activation = activation[:, span]
    parts = [activation[:, :whole], activation[:, whole:].masked_fill(~rest[..., None], 0.0)]
    return [part.float() for part in parts if part.shape[1]]


def _spans(pooled: Bool[Tensor, "batch pos"]) -> tuple[slice, int, Bool[Tensor, "batch rest"]]:
    """The positions from the first that counts, how many of them count in every row, and which of the rest do.

    Sentences of a batch have similar lengths: only positions behind the shortest have to be left out.
    """
    first = int(pooled.int().argmax(dim=1).min())
    inner = pooled[:, first:]
    whole = int(inner.all(dim=0).int().cumprod(dim=0).sum())
    return slice(first, None), whole, inner[:, whole:]
