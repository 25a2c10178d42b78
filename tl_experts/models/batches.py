"""Token-budget batches: sentences of similar length together, padding and BOS known, original order kept.

Padding sentences of mixed lengths together wastes most of the work (of 64 mixed sentences, 38% of the token slots were
text), so sentences are sorted by length and cut into batches where that costs least: the slots of all batches, padding
included, and a fixed price for each batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.errors import ModelError, require_choice

PaddingSide = Literal["left", "right"]


@dataclass(frozen=True)
class Batching:
    """How text becomes batches of tokens. Results depend on neither budget nor side, to float tolerance.

    Raises:
        ModelError: the budget is below 1, the side is unknown, or an option has the wrong type.

    Examples:
        >>> Batching(truncate=True)
        Batching(token_budget=2048, padding_side='right', prepend_bos=None, truncate=True)
    """

    token_budget: int = 2048
    """Token slots in a batch (sentences x the longest of them): bounds the memory of a pass. A longer sentence is a
    batch of its own; 1 gives batches of one sentence."""

    padding_side: PaddingSide = "right"
    """Causal models read right-padded text without a mask; left is for generation, and slower."""

    prepend_bos: bool | None = None
    """Whether BOS precedes every sentence (it never counts); None: the model's default."""

    truncate: bool = False
    """Cut sentences that are longer than the model's context; False: raise an error that names the sentence."""

    def __post_init__(self) -> None:
        """Check every option."""
        require_choice(self.padding_side, get_args(PaddingSide), "padding_side", ModelError)
        if isinstance(self.token_budget, bool) or not isinstance(self.token_budget, int) or self.token_budget < 1:
            raise ModelError(f"token_budget is {self.token_budget!r}; expected at least 1 token slot")
        require_choice(self.prepend_bos, (None, True, False), "prepend_bos", ModelError)
        require_choice(self.truncate, (True, False), "truncate", ModelError)


DEFAULT_BATCHING = Batching()

CUT = 3
"""Counts the ways in which text was cut into batches so far. Jobs whose pieces are batches record it: pieces of another
cut would hold other sentences."""

BATCH_PRICE = 128
"""What a further batch costs, in token slots: the calls of a pass beside its products. From passes over one corpus with
several budgets on two cores: about 130 slots for polyglot-mini, 40 for Gemma-3-270M."""


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
    """The index of each sentence in the original order."""

    @property
    def padded(self) -> bool:
        """Whether any slot is padding."""
        return not bool(self.attended.all())

    @property
    def needed_mask(self) -> Bool[Tensor, "batch pos"] | None:
        """The attention mask of left padding; None: none is needed, since causal models never look right."""
        return None if bool(self.attended[:, 0].all()) else self.attended


def plain_tokens(tokenizer: Any, text: str | list[str], **options: Any) -> Any:
    """What a tokenizer makes of text alone: no special token is added, and none is read into the text.

    Args:
        tokenizer: a Hugging Face tokenizer, fast or slow.
        text: one text or several.
        options: of the tokenizer.

    Raises:
        ModelError: it has a special token's id alone for what a text spells.
    """
    encoded = tokenizer(text, add_special_tokens=False, split_special_tokens=True, **options)
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    rows = [encoded["input_ids"]] if isinstance(text, str) else encoded["input_ids"]
    for row, one in zip(rows, [text] if isinstance(text, str) else text, strict=True):
        found = special.intersection(row)
        # GPT-2's kin pad with an ordinary-looking token: only what the text spells out is a special token in it.
        spelt = [token for token in tokenizer.convert_ids_to_tokens(sorted(found)) if token in one]
        if spelt:
            raise ModelError(
                f"{one[:60]!r} spells the special token {spelt[0]!r}, which this tokenizer cannot read as text; "
                "remove it"
            )
    return encoded


@dataclass(frozen=True)
class TokenPolicy:
    """How text becomes tokens for one model. EOS is never added."""

    tokenizer: Any
    """A Hugging Face tokenizer."""

    bos: int | None
    """Prepended to every sentence (and kept out of every pool); None: nothing is prepended."""

    pad: int
    """Fills up rows; any id will do, since padding is neither attended to nor pooled."""

    context: int
    """The most tokens the model reads, BOS included."""

    def encode(self, texts: Sequence[str], *, truncate: bool = False) -> list[list[int]]:
        """Token ids of each text, without any special token: text is text, also where it spells one ("<bos>").

        Raises:
            ModelError: a text has no token, or more than fit in the context and `truncate` is False, or the tokenizer
                has a special token's id alone for what a text spells.
        """
        encoded: list[list[int]] = plain_tokens(self.tokenizer, list(texts))["input_ids"]
        room = self.context - (self.bos is not None)
        for index, ids in enumerate(encoded):
            if not ids:
                raise ModelError(f"sentence {index} ({texts[index][:60]!r}) has no token; remove it")
            if len(ids) > room and not truncate:
                raise ModelError(
                    f"sentence {index} ({texts[index][:60]!r}...) has {len(ids)} tokens, the model reads {room}; "
                    "split it, or pass Batching(truncate=True) to keep its beginning"
                )
        return [ids[:room] for ids in encoded]


def make_batches(
    encoded: Sequence[Sequence[int]],
    policy: TokenPolicy,
    batching: Batching = DEFAULT_BATCHING,
    *,
    only: Sequence[int] | None = None,
    part: int | None = None,
) -> list[Batch]:
    """Sort by length, cut into batches of at most `batching.token_budget` slots, with the least padding, and pad.

    The longest sentences come first, so that memory runs out at once or never.

    Args:
        encoded: token ids of each sentence, at least one each.
        policy: BOS and padding.
        batching: budget and padding side.
        only: indices of the sentences to batch; None: all.
        part: no batch crosses a multiple of so many sentences in the order of length, so that each part is batched
            alike whoever computes it, and whatever else is computed.
    """
    order = sorted(range(len(encoded)) if only is None else only, key=lambda index: (-len(encoded[index]), index))
    lead = policy.bos is not None
    groups: list[list[int]] = []
    for begin in range(0, len(order), part or max(1, len(order))):
        own = order[begin : begin + (part or len(order))]
        cuts = cheapest_cuts([len(encoded[index]) + lead for index in own], batching.token_budget)
        groups += [own[start:end] for start, end in pairwise(cuts)]
    return [_pad(group, encoded, policy, batching.padding_side) for group in groups]


def cheapest_cuts(widths: Sequence[int], budget: int) -> list[int]:
    """Where to cut sorted sentences into batches, so that slots and `BATCH_PRICE` for each batch are fewest.

    Exact, by dynamic programming over the number of sentences that are batched.

    Args:
        widths: tokens of each sentence, the longest first.
        budget: most slots of a batch of several sentences.

    Examples:
        >>> cheapest_cuts([60, 60, 60, 8, 8], budget=2_048)  # one batch: its padding costs less than another batch
        [0, 5]
        >>> cheapest_cuts([60] * 3 + [8] * 5, budget=2_048)
        [0, 3, 8]
    """
    total = len(widths)
    numbers = np.arange(1, total + 1)
    least = np.full(total + 1, np.iinfo(np.int64).max)
    least[0] = 0
    for start, width in enumerate(widths):  # few calls a sentence: there may be 100,000
        room = max(1, budget // width)
        costs = numbers[:room] * width
        costs += least[start] + BATCH_PRICE
        further = least[start + 1 : start + 1 + room]
        np.minimum(further, costs[: len(further)], out=further)
    cuts = [total]
    while cuts[-1]:
        cuts.append(_start_of(cuts[-1], widths, budget, least))
    return cuts[::-1]


def _start_of(end: int, widths: Sequence[int], budget: int, least: NDArray[np.int64]) -> int:
    """Where the last batch begins when the sentences before `end` are batched at least cost: as early as may be."""
    starts = np.arange(max(0, end - budget), end)
    slots = (end - starts) * np.asarray(widths[starts[0] : end])
    fits = (slots <= budget) | (starts == end - 1)
    found: NDArray[np.bool_] = fits & (least[starts] + BATCH_PRICE + slots == least[end])
    return int(starts[found][0])


def first_indices(texts: Sequence[str]) -> NDArray[np.int64]:
    """The index of each sentence's first occurrence, whose results hold for its repetitions.

    Examples:
        >>> first_indices(["a", "b", "a"])
        array([0, 1, 0])
    """
    first: dict[str, int] = {}
    return np.array([first.setdefault(text, index) for index, text in enumerate(texts)], dtype=np.int64)


def fill_repeats(values: Shaped[Tensor, "sentence ..."], texts: Sequence[str]) -> None:
    """Copy the rows of sentences that were run to their repetitions; changes the array."""
    first = first_indices(texts)
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
