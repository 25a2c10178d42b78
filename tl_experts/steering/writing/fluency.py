"""Fluency of texts: their perplexity under a model, each after its prompt."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64
from tqdm.auto import tqdm

from tl_experts.errors import ModelError, TLExpertsError
from tl_experts.models import Model, require_model, token_policy
from tl_experts.models.batches import make_batches, plain_tokens
from tl_experts.models.losses import loss_batching, token_losses


def text_perplexities(
    model: Model, texts: Sequence[str], *, prompts: Sequence[str] | None = None, progress: bool = True
) -> Float64[np.ndarray, " text"]:
    """The perplexity of each text, batched; the prompt before it is read, but not scored.

    Call it outside `steer`: the measure is how likely the model itself finds the text.

    Args:
        model: either class.
        texts: any.
        prompts: what stands before each text, in one line with it; None: nothing but BOS.
        progress: show a bar, in texts.

    Returns:
        A perplexity per token for each text; NaN where nothing can be scored: an empty text, or the first token of a
        text that has neither BOS nor a prompt before it.

    Raises:
        ModelError: prompt and text are longer than the context.
        TLExpertsError: not one prompt a text.
    """
    require_model(model)
    before = [""] * len(texts) if prompts is None else list(prompts)
    if len(before) != len(texts):
        raise TLExpertsError(f"{len(texts)} texts and {len(before)} prompts; give one prompt for each text")
    policy = token_policy(model)
    lead = policy.bos is not None
    encoded = [_split(policy.tokenizer, *pair) for pair in zip(before, texts, strict=True)]
    longest = max((len(ids) for ids, _ in encoded), default=0)
    if longest + lead > policy.context:
        raise ModelError(f"a text has {longest} tokens, the model reads {policy.context - lead}; shorten it")
    found = np.full(len(texts), np.nan)
    scorable = [row for row, (ids, start) in enumerate(encoded) if len(ids) > start and len(ids) + lead > 1]
    batches = make_batches([ids for ids, _ in encoded], policy, loss_batching(model), only=scorable)
    with tqdm(total=len(scorable), desc="fluency", unit="text", disable=not progress) as bar:
        for batch in batches:
            wanted = torch.zeros(len(batch.tokens), batch.tokens.shape[1] - 1, dtype=torch.bool)
            for row, index in enumerate(batch.indices.tolist()):
                ids, start = encoded[index]
                # The loss at position p is that of token p + 1.
                wanted[row, max(start + lead - 1, 0) : len(ids) + lead - 1] = True
            losses = token_losses(model, batch.tokens, wanted).double().cpu()
            parts = torch.split(losses, wanted.sum(dim=1).tolist())
            for own, index in zip(parts, batch.indices.tolist(), strict=True):
                found[index] = float(own.mean().exp())
            bar.update(len(batch.indices))
    return found


def _split(tokenizer: object, prompt: str, text: str) -> tuple[list[int], int]:
    """The tokens of prompt and text together, and the first that belongs to the text."""
    if not text.strip():
        return [], 0
    whole: list[int] = plain_tokens(tokenizer, prompt + text)["input_ids"]
    if not prompt:
        return whole, 0
    alone: list[int] = plain_tokens(tokenizer, prompt)["input_ids"]
    same = next((at for at, pair in enumerate(zip(alone, whole, strict=False)) if pair[0] != pair[1]), len(alone))
    return whole, min(same, len(whole) - 1)
