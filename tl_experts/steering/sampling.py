"""The next token of each text: repetition penalty, temperature, top-p, and a draw.

In `next_tokens` a draw is a number between 0 and 1 that picks a token by the cumulative probabilities, likeliest first.
A text's numbers depend on its prompt and seed alone, so that neither its batch nor the other texts change it; and two
settings that are compared meet the same numbers. In `sampled_tokens` PyTorch's generator draws, as in TransformerLens.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

_LIKELIEST = 1024
"""Tokens that are sorted first; all of a large vocabulary are sorted only where these do not reach top-p."""


def draws(prompt: str, seed: int, count: int) -> Float64[np.ndarray, " token"]:
    """The numbers that pick the tokens of one text."""
    return np.random.default_rng([seed, *prompt.encode()]).random(count)


def penalised(
    logits: Float[Tensor, "batch vocabulary"], seen: Sequence[Sequence[int]], penalty: float
) -> Float[Tensor, "batch vocabulary"]:
    """Logits of the tokens that a text has, divided by the penalty if positive, else multiplied (Keskar et al. 2019).

    Source: CTRL, arXiv 1909.05858, section 4.1, as Hugging Face and vLLM apply it, prompt included.

    Args:
        logits: of the next token.
        seen: the tokens of each text so far.
        penalty: 1 changes nothing.
    """
    if penalty == 1:
        return logits
    changed = logits.clone()
    for row, tokens in zip(changed, seen, strict=True):
        index = torch.tensor(sorted(set(tokens)), device=logits.device)
        values = row[index]
        row[index] = torch.where(values > 0, values / penalty, values * penalty)
    return changed


def next_tokens(
    logits: Float[Tensor, "batch vocabulary"],
    numbers: Float64[np.ndarray, " batch"],
    *,
    temperature: float,
    top_p: float | None,
) -> Int[Tensor, " batch"]:
    """One token a row.

    Args:
        logits: of the next token.
        numbers: one draw a row.
        temperature: 0: the likeliest token.
        top_p: pick among the likeliest tokens of this total probability; None: among all.
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    scaled = logits / temperature
    share = 1.0 if top_p is None else top_p
    tokens, reached, size = _nucleus(scaled, share)
    total = reached.gather(-1, size)
    wanted = torch.from_numpy(numbers).to(total)[:, None] * total
    index = torch.minimum((reached <= wanted).sum(dim=-1, keepdim=True), size)
    return tokens.gather(-1, index)[:, 0]


def sampled_tokens(
    logits: Float[Tensor, "batch vocabulary"], *, temperature: float, top_p: float | None
) -> Int[Tensor, " batch"]:
    """One token a row by PyTorch's own generator, as TransformerLens's ``generate`` draws it from the same state.

    TransformerLens sorts the whole vocabulary for top-p, which takes most of the time of a step where it is large.

    Args:
        logits: of the next token.
        temperature: positive.
        top_p: as in `next_tokens`.
    """
    scaled = logits / temperature
    if top_p is not None:
        tokens, _, size = _nucleus(scaled, top_p)
        inside = torch.arange(tokens.shape[-1], device=tokens.device) <= size
        likely = scaled.gather(-1, tokens).masked_fill(~inside, -torch.inf)
        scaled = torch.full_like(scaled, -torch.inf).scatter(-1, tokens, likely)
    # By the steps of TransformerLens, so that the same numbers draw the same tokens.
    probabilities: Tensor = torch.distributions.Categorical(logits=scaled, validate_args=False).probs
    return probabilities.multinomial(1, replacement=True)[:, 0]


def _nucleus(
    scaled: Float[Tensor, "batch vocabulary"], share: float
) -> tuple[Int[Tensor, "batch likeliest"], Float64[Tensor, "batch likeliest"], Int[Tensor, "batch 1"]]:
    """The fewest tokens whose probability reaches a share (Holtzman et al. 2020).

    Returns:
        The likeliest tokens, the total probability of each with those before it, and the place of the last token.
    """
    normaliser = scaled.logsumexp(dim=-1, keepdim=True)
    for count in (min(_LIKELIEST, scaled.shape[-1]), scaled.shape[-1]):
        values, tokens = scaled.topk(count, dim=-1)
        reached = (values - normaliser).exp().double().cumsum(dim=-1)
        if count == scaled.shape[-1] or bool((reached[:, -1] >= share).all()):
            break
    return tokens, reached, (reached < share).sum(dim=-1, keepdim=True).clamp(max=count - 1)
