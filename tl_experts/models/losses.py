"""Cross-entropy of many texts, batched: how well a model predicts each text's tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int64
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from tl_experts.errors import ModelError
from tl_experts.models.batches import DEFAULT_BATCHING, Batch, Batching, count_tokens, fill_repeats
from tl_experts.models.forward import position_logits, position_states
from tl_experts.models.hooks import Model, require_model
from tl_experts.models.tokens import text_batches
from tl_experts.models.vocabulary import losses_by_piece, unembeds_plainly

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
            losses = token_losses(model, batch.tokens, own, attended=batch.needed_mask)
            nats[batch.indices] = text_sums(losses, own)
            tokens[batch.indices] = own.sum(dim=1)
            bar.update(int(batch.attended.sum()))
    fill_repeats(nats, texts)
    fill_repeats(tokens, texts)
    return TextLosses(nats.numpy(), tokens.numpy())


def scored(batch: Batch) -> Bool[Tensor, "batch next"]:
    """Which tokens after the first are text that follows BOS or text: those that a model predicts."""
    return batch.pooled[:, 1:] & batch.attended[:, :-1]


def text_sums(values: Float[Tensor, " scored"], own: Bool[Tensor, "batch next"]) -> Float64[Tensor, " batch"]:
    """The sum of each text's values, one for each of its tokens in `own`."""
    spread = torch.zeros(own.shape, dtype=torch.float64)
    spread[own] = values.double().cpu()
    return spread.sum(dim=1)


def scored_logits(model: Model, batch: Batch) -> Float[Tensor, "scored d_vocab"]:
    """The logits that predict the tokens of `scored`, text by text."""
    return position_logits(model, batch.tokens, _predicting(scored(batch)), attended=batch.needed_mask)


def token_losses(
    model: Model,
    tokens: Int[Tensor, "batch pos"],
    wanted: Bool[Tensor, "batch next"],
    *,
    attended: Bool[Tensor, "batch pos"] | None = None,
) -> Float[Tensor, " wanted"]:
    """The cross-entropy of some of the tokens after the first, text by text, in nats.

    Args:
        model: either class.
        tokens: token ids.
        wanted: which tokens after the first.
        attended: as in `forward_pass`.
    """
    positions = _predicting(wanted)
    own: Int[Tensor, " wanted"] = tokens[:, 1:][wanted]
    if unembeds_plainly(model):
        states = position_states(model, tokens, positions, attended=attended)
        with torch.inference_mode():
            return losses_by_piece(model, states, own)
    logits = position_logits(model, tokens, positions, attended=attended)
    with torch.inference_mode():
        # Without log_softmax, which would hold a second copy of the logits. Of a model on several GPUs the logits come
        # from the last.
        wide = logits.float()
        losses: Tensor = wide.logsumexp(-1) - wide.gather(-1, own[:, None].to(logits.device))[..., 0]
    return losses


def _predicting(wanted: Bool[Tensor, "batch next"]) -> Bool[Tensor, "batch pos"]:
    """The positions that predict the wanted tokens; nothing follows the last one."""
    return functional.pad(wanted, (0, 1))
