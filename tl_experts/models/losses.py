"""Cross-entropy of many texts, batched: how well a model predicts each text's tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int64
from torch import Tensor
from tqdm import tqdm

from tl_experts.errors import ModelError
from tl_experts.models.batches import DEFAULT_BATCHING, Batch, Batching, count_tokens, fill_repeats
from tl_experts.models.forward import forward_logits
from tl_experts.models.hooks import Model, require_model
from tl_experts.models.tokens import text_batches

LOGITS = 2**27
"""Most logits of a batch: 512 MiB in float32."""


@dataclass(frozen=True, eq=False)
class TextLosses:
    """Cross-entropy of each text."""

    nats: Float64[np.ndarray, " text"]
    """Summed over its tokens."""

    tokens: Int64[np.ndarray, " text"]
    """The number of its tokens that were predicted: all, or all but the first where the model has no BOS."""


def loss_batching(model: Model, *, truncate: bool = False) -> Batching:
    """The default batching with a token budget at which the logits of a batch fit in 512 MiB."""
    budget = max(1, min(DEFAULT_BATCHING.token_budget, LOGITS // int(model.cfg.d_vocab)))
    return Batching(token_budget=budget, truncate=truncate)


def loss_batches(model: Model, texts: Sequence[str], batching: Batching | None = None) -> list[Batch]:
    """Batches of texts for `text_losses`; each text once.

    Args:
        model: either class.
        texts: any number.
        batching: None: `loss_batching`.

    Raises:
        ModelError: a text without a token to predict, or longer than the context.
    """
    require_model(model)
    batches = text_batches(model, texts, batching or loss_batching(model), once=True)
    for batch in batches:
        empty = (scored(batch).sum(dim=1) == 0).nonzero()
        if len(empty):
            index = int(batch.indices[int(empty[0])])
            raise ModelError(
                f"sentence {index} ({texts[index][:60]!r}) has no token to predict: it is a single token, and "
                f"{model.cfg.model_name} reads no BOS before it; give a longer one"
            )
    return batches


def text_losses(
    model: Model,
    texts: Sequence[str],
    batches: Sequence[Batch] | None = None,
    *,
    description: str = "losses",
    progress: bool = True,
) -> TextLosses:
    """The cross-entropy of every text's own tokens, BOS and padding excepted; steered inside `steer`.

    Args:
        model: either class.
        texts: in any order; the result is in this order.
        batches: from `loss_batches`, to tokenize once for several passes; None: the default ones.
        description: of the progress bar, which counts tokens.
        progress: show the bar.

    Raises:
        ModelError: as `loss_batches`.
    """
    batches = loss_batches(model, texts) if batches is None else batches
    nats = torch.zeros(len(texts), dtype=torch.float64)
    tokens = torch.zeros(len(texts), dtype=torch.int64)
    total = count_tokens(batches)
    with tqdm(total=total, desc=description, unit="tok", unit_scale=True, disable=not progress) as bar:
        for batch in batches:
            own = scored(batch)
            losses = _token_losses(model, batch).double().cpu()
            nats[batch.indices] = losses.masked_fill(~own, 0).sum(dim=1)
            tokens[batch.indices] = own.sum(dim=1)
            bar.update(int(batch.attended.sum()))
    fill_repeats(nats, texts)
    fill_repeats(tokens, texts)
    return TextLosses(nats.numpy(), tokens.numpy())


def scored(batch: Batch) -> Bool[Tensor, "batch next"]:
    """Which tokens after the first are text that follows BOS or text: those that a model predicts."""
    return batch.pooled[:, 1:] & batch.attended[:, :-1]


def _token_losses(model: Model, batch: Batch) -> Float[Tensor, "batch next"]:
    logits = forward_logits(model, batch.tokens, attended=batch.needed_mask)[:, :-1]
    # Of a model on several GPUs the logits come from the last.
    wanted: Int[Tensor, "batch next 1"] = batch.tokens[:, 1:, None].to(logits.device)
    with torch.inference_mode():
        wide = logits.float()
        losses: Tensor = wide.logsumexp(-1) - wide.gather(-1, wanted)[..., 0]
    return losses
