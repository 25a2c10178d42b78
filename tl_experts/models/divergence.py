"""How far conditions move a model's next-token distribution: Kullback-Leibler divergences of many texts, batched."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor
from torch.nn import functional

from tl_experts.errors import ModelError
from tl_experts.models.batches import Batch, fill_repeats
from tl_experts.models.hooks import Model
from tl_experts.models.losses import loss_batches, scored, scored_logits, text_sums

TOGETHER = 32
"""Positions whose log-probabilities are held at once."""

Condition = Callable[[], AbstractContextManager[object]]
"""Opens the context in which the model is changed: ``partial(steer, model, experts["es"])``."""


@dataclass(frozen=True, eq=False)
class TextDivergences:
    """KL(unchanged || changed) of the next-token distribution, in nats."""

    nats: Float64[np.ndarray, "condition text"]
    """Summed over the positions whose next token is the text's own."""

    tokens: Int64[np.ndarray, " text"]
    """The number of these positions."""


def token_divergences(
    unchanged: Float[Tensor, "pos vocabulary"], changed: Float[Tensor, "pos vocabulary"]
) -> Float[Tensor, " pos"]:
    """KL(P || Q) of every position, in nats; P is the softmax of the first logits, Q of the second.

    It is the mean extra cross-entropy, on text drawn from the unchanged model, of predicting with the changed one.
    """
    # A few positions at a time: log-probabilities of all would take the memory of their logits once more.
    found = []
    for some, other in zip(torch.split(unchanged, TOGETHER), torch.split(changed, TOGETHER), strict=True):
        before, after = _log_softmax(some), _log_softmax(other)
        found.append(functional.kl_div(after, before, reduction="none", log_target=True).sum(-1))
    return torch.cat(found)


def _log_softmax(logits: Float[Tensor, "pos vocabulary"]) -> Float[Tensor, "pos vocabulary"]:
    """As PyTorch's, whose sum in single precision is off by 1e-5 to 2e-5 on a CPU where the vocabulary is large."""
    wide = logits.float()
    return wide - wide.logsumexp(-1, keepdim=True)


def text_divergences(
    model: Model, texts: Sequence[str], conditions: Sequence[Condition], batches: Sequence[Batch] | None = None
) -> TextDivergences:
    """KL(unchanged || changed) of every text's next-token distributions under each condition.

    Each batch is read by the unchanged model and then under each condition, so the logits of two passes of one batch
    are the most that is held.

    Args:
        model: either class.
        texts: in any order; the result is in this order.
        conditions: at least one.
        batches: from `loss_batches`; None: the default ones.

    Raises:
        ModelError: no condition; or as `loss_batches`.
    """
    if not conditions:
        raise ModelError("there is no condition; give at least one, such as partial(steer, model, experts['es'])")
    batches = loss_batches(model, texts) if batches is None else batches
    nats = torch.zeros(len(texts), len(conditions), dtype=torch.float64)
    tokens = torch.zeros(len(texts), dtype=torch.int64)
    for batch in batches:
        own = scored(batch)
        before = scored_logits(model, batch)
        for column, condition in enumerate(conditions):
            with condition():
                after = scored_logits(model, batch)
            with torch.inference_mode():
                found = token_divergences(before, after)
            nats[batch.indices, column] = text_sums(found, own)
        tokens[batch.indices] = own.sum(dim=1)
    fill_repeats(nats, texts)
    fill_repeats(tokens, texts)
    return TextDivergences(nats.T.numpy(), tokens.numpy())
