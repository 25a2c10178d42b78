"""Token-budget batches: sentences of like length together, padding and BOS known, original order kept.

Mixed lengths padded together waste most of the work (38% of the slots were real text for 64 mixed sentences), so
sentences are sorted by length and cut into batches of a fixed number of token slots.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.errors import ModelError, require_choice

PaddingSide = Literal["left", "right"]
TOKEN_BUDGET = 2048
"""Token slots in a batch: see the benchmark for how it was chosen."""


@dataclass(frozen=True)
class Batch:
    """Some sentences as tokens."""

    tokens: Int[Tensor, "batch pos"]
    """Token ids, padded on one side."""

    attended: Bool[Tensor, "batch pos"]
    """True at BOS and text, False at padding."""

    pooled: Bool[Tensor, "batch pos"]
    """True at text only: what may enter a pool, a mean or a score."""

    indices: Int[Tensor, " batch"]
    """The place of each sentence in the original order."""

    @property
    def padded(self) -> bool:
        """Whether any slot is padding."""
        return not bool(self.attended.all())


@dataclass(frozen=True)
class TokenPolicy:
    """How text becomes tokens for one model. EOS is never added."""

    tokenizer: Any
    """A Hugging Face tokenizer."""

    bos: int | None
    """Prepended to every sentence (and kept out of every pool); None: nothing is prepended."""

    pad: int
    """Fills up rows; any id will do, since padding is never attended to nor pooled."""

    context: int
    """The most tokens the model reads, BOS included."""

    def encode(self, texts: Sequence[str], *, truncate: bool = False) -> list[list[int]]:
        """Token ids of each text, without any special token.

        Raises:
            ModelError: a text has no token, or more than fit in the context and `truncate` is False.
        """
        encoded: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        room = self.context - (self.bos is not None)
        for index, ids in enumerate(encoded):
            if not ids:
                raise ModelError(f"sentence {index} ({texts[index][:60]!r}) has no token; remove it")
            if len(ids) > room and not truncate:
                raise ModelError(
                    f"sentence {index} ({texts[index][:60]!r}...) has {len(ids)} tokens, the model reads {room}; "
                    "split it, or pass truncate=True to keep its beginning"
                )
        return [ids[:room] for ids in encoded]


def make_batches(
    encoded: Sequence[Sequence[int]],
    policy: TokenPolicy,
    *,
    token_budget: int = TOKEN_BUDGET,
    padding_side: PaddingSide = "right",
    places: Sequence[int] | None = None,
    part: int | None = None,
) -> list[Batch]:
    """Sort by length, cut into batches of at most `token_budget` slots, and pad.

    The longest sentences come first, so that memory runs out at once or never. A sentence longer than the budget is
    a batch of its own.

    Args:
        encoded: token ids of each sentence, at least one each.
        policy: BOS and padding.
        token_budget: slots (sentences x longest sentence of the batch) in a batch; 1 gives batches of one sentence.
        padding_side: causal models read right-padded text without any mask; left is for generation.
        places: only these sentences; None: all.
        part: no batch goes beyond a multiple of so many sentences, in the order of length: what lies between two is
            batched alike whoever computes it, and whatever else is computed.

    Raises:
        ModelError: the budget is below 1 or the side unknown.
    """
    require_choice(padding_side, ("left", "right"), "padding_side", ModelError)
    if token_budget < 1:
        raise ModelError(f"token_budget is {token_budget}; expected at least 1 token slot")
    lead = policy.bos is not None
    order = sorted(range(len(encoded)) if places is None else places, key=lambda index: (-len(encoded[index]), index))
    groups: list[list[int]] = []
    for place, index in enumerate(order):
        width = len(encoded[groups[-1][0]]) + lead if groups else 0
        within = part is None or place % part != 0
        if groups and within and (len(groups[-1]) + 1) * width <= token_budget:
            groups[-1].append(index)
        else:
            groups.append([index])
    return [_pad(group, encoded, policy, padding_side) for group in groups]


def first_places(texts: Sequence[str]) -> NDArray[np.int64]:
    """For every sentence, where it stands for the first time: what is computed there holds for its repetitions.

    Examples:
        >>> first_places(["a", "b", "a"])
        array([0, 1, 0])
    """
    first: dict[str, int] = {}
    return np.array([first.setdefault(text, place) for place, text in enumerate(texts)], dtype=np.int64)


def fill_repeats(values: Shaped[Tensor, "sentence ..."], texts: Sequence[str]) -> None:
    """Copy the rows of sentences that were run to their repetitions, in place."""
    first = first_places(texts)
    again = np.flatnonzero(first != np.arange(len(first)))
    values[torch.from_numpy(again)] = values[torch.from_numpy(first[again])]


def count_tokens(batches: Sequence[Batch]) -> int:
    """How many real tokens (BOS included) the batches hold: what a progress bar counts."""
    return sum(int(batch.attended.sum()) for batch in batches)


def _pad(group: list[int], encoded: Sequence[Sequence[int]], policy: TokenPolicy, side: PaddingSide) -> Batch:
    lead = [] if policy.bos is None else [policy.bos]
    width = len(lead) + max(len(encoded[index]) for index in group)
    tokens = torch.full((len(group), width), policy.pad, dtype=torch.long)
    attended = torch.zeros(len(group), width, dtype=torch.bool)
    pooled = torch.zeros_like(attended)
    for row, index in enumerate(group):
        ids = [*lead, *encoded[index]]
        start = 0 if side == "right" else width - len(ids)
        tokens[row, start : start + len(ids)] = torch.tensor(ids)
        attended[row, start : start + len(ids)] = True
        pooled[row, start + len(lead) : start + len(ids)] = True
    return Batch(tokens, attended, pooled, torch.tensor(group))
