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
from tl_experts.models.forward import forward_logits
from tl_experts.models.hooks import Model
from tl_experts.models.losses import loss_batches, scored

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
    unchanged: Float[Tensor, "batch pos vocabulary"], changed: Float[Tensor, "batch pos vocabulary"]
) -> Float[Tensor, "batch pos"]:
    """KL(P || Q) of every position, in nats; P is the softmax of the first logits, Q of the second.

    It is the mean extra cross-entropy, on text drawn from the unchanged model, of predicting with the changed one.
    """
    # One text at a time: log-probabilities of a whole batch would take the memory of its logits once more.
    found = []
    for row, other in zip(unchanged, changed, strict=True):
        before, after = row.float().log_softmax(-1), other.float().log_softmax(-1)
        found.append(functional.kl_div(after, before, reduction="none", log_target=True).sum(-1))
    return torch.stack(found)


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
        before = _logits(model, batch)
        for column, condition in enumerate(conditions):
            with condition():
                after = _logits(model, batch)
            with torch.inference_mode():
                found = token_divergences(before, after).double().cpu()
            nats[batch.indices, column] = found.masked_fill(~own, 0).sum(dim=1)
        tokens[batch.indices] = own.sum(dim=1)
    fill_repeats(nats, texts)
    fill_repeats(tokens, texts)
    return TextDivergences(nats.T.numpy(), tokens.numpy())


def _logits(model: Model, batch: Batch) -> Float[Tensor, "batch next d_vocab"]:
    return forward_logits(model, batch.tokens, attended=batch.needed_mask)[:, :-1]
