"""One pass of the model that keeps some neurons' activations at every token."""

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.corpus.sentences import Corpus
from tl_experts.models import Batching, Hook, Model, forward_batches, hook_name, text_batches, text_pieces
from tl_experts.models.batches import Batch

Neuron = tuple[int, int]
"""Layer and index within it."""


@dataclass(frozen=True, eq=False)
class TokenActivations:
    """Activations of some neurons at every token of every sentence."""

    neurons: tuple[Neuron, ...]
    corpus: Corpus

    values: Float[np.ndarray, "token neuron"]
    """float32; the sentences one after the other."""

    starts: NDArray[np.int64]
    """Index of each sentence's first token, and the number of tokens at the end."""

    pieces: tuple[tuple[str, ...], ...]
    """The text of each token of each sentence; empty if its character continues in the next token."""

    def of(self, sentence: int) -> Float[np.ndarray, "token neuron"]:
        """The activations at the tokens of one sentence."""
        return self.values[self.starts[sentence] : self.starts[sentence + 1]]

    def drawn(self, sentence: int) -> Float[np.ndarray, "piece neuron"]:
        """The activations of one sentence's `drawn_pieces`: the largest over each piece's tokens."""
        return np.maximum.reduceat(self.of(sentence), self._firsts(sentence), axis=0)

    def piece_of(self, sentence: int, token: int) -> tuple[int, int]:
        """The sentence, and the number of the drawn piece that one of its tokens (by its position) belongs to."""
        return sentence, bisect_right(self._firsts(sentence), token) - 1

    @cached_property
    def drawn_pieces(self) -> tuple[tuple[str, ...], ...]:
        """The text of each sentence in pieces that can be seen: tokens that share a character are one piece."""
        return tuple(
            tuple("".join(pieces[begin:end]) for begin, end in zip(firsts, [*firsts[1:], len(pieces)], strict=True))
            for pieces, firsts in zip(self.pieces, map(self._firsts, range(len(self.pieces))), strict=True)
        )

    def _firsts(self, sentence: int) -> list[int]:
        # Of the sentences that are shown only: those of one neuron are few.
        if sentence not in self._known_firsts:
            self._known_firsts[sentence] = first_tokens(self.pieces[sentence])
        return self._known_firsts[sentence]

    @cached_property
    def _known_firsts(self) -> dict[int, list[int]]:
        return {}

    def pooled(self, pooling: str) -> Float[np.ndarray, "sentence neuron"]:
        """Responses: the largest value over a sentence's tokens, or their mean."""
        if pooling == "max":
            return np.maximum.reduceat(self.values, self.starts[:-1], axis=0)
        sums = np.add.reduceat(self.values, self.starts[:-1], axis=0, dtype=np.float64)
        return np.asarray(sums / np.diff(self.starts)[:, None], dtype=np.float32)


def first_tokens(pieces: Sequence[str]) -> list[int]:
    """Index of the first token of every piece of a sentence that can be seen.

    A token without text belongs to the piece that its character ends in. A token of marks without a width (accents,
    vowel signs, joiners) belongs to the piece before it, since nothing can be drawn on it.

    >>> first_tokens(["a", "", "", "猫", "b"])
    [0, 1, 4]
    """
    firsts: list[int] = []
    begin = 0
    for index, piece in enumerate(pieces):
        if piece:
            if not firsts or not _has_no_width(piece):
                firsts.append(begin)
            begin = index + 1
    return firsts or [0]


def _has_no_width(piece: str) -> bool:
    return all(unicodedata.category(letter) in ("Mn", "Me", "Cf") for letter in piece)


def gather(
    model: Model, corpus: Corpus, neurons: Sequence[Neuron], site: str, *, progress: bool = True
) -> TokenActivations:
    """Run the sentences once; takes tokens x neurons x 4 bytes of memory.

    Sentences longer than the model's context are truncated.

    Raises:
        SiteError: the model does not have the site.
        ModelError: a sentence without a token.
    """
    batches = text_batches(model, corpus.texts, Batching(truncate=True))
    counts = np.zeros(len(corpus), dtype=np.int64)
    for batch in batches:
        counts[batch.indices.numpy()] = batch.pooled.sum(dim=1).numpy()
    starts = np.concatenate([[0], np.cumsum(counts)])
    values = np.empty((starts[-1], len(neurons)), dtype=np.float32)
    by_layer: dict[int, list[int]] = {}
    for column, (layer, _) in enumerate(neurons):
        by_layer.setdefault(layer, []).append(column)

    def readers(batch: Batch) -> list[Hook]:
        rows = _rows(batch, starts)
        return [
            (hook_name(layer, site), _reader(batch, rows, columns, [neurons[column][1] for column in columns], values))
            for layer, columns in by_layer.items()
        ]

    passes = forward_batches(
        model, batches, readers, last_layer=max(by_layer), description="activations", progress=progress
    )
    for _ in passes:
        pass
    pieces = tuple(
        tuple(text_pieces(model, text, int(count))) for text, count in zip(corpus.texts, counts, strict=True)
    )
    return TokenActivations(tuple(neurons), corpus, values, starts, pieces)


def _rows(batch: Batch, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of the result that the batch's tokens fill, sentence by sentence."""
    counts = batch.pooled.sum(dim=1).tolist()
    return np.concatenate(
        [starts[index] + np.arange(count) for index, count in zip(batch.indices.tolist(), counts, strict=True)]
    )


def _reader(
    batch: Batch, rows: NDArray[np.int64], columns: list[int], neurons: list[int], out: NDArray[np.float32]
) -> Any:
    together = columns == list(range(columns[0], columns[0] + len(columns)))

    def read(activation: Tensor, hook: Any) -> None:  # noqa: ARG001 (TransformerLens's signature)
        # Heads by their dimensions are neurons, too: "batch pos head d_head".
        every = rearrange(activation, "batch pos ... -> batch pos (...)")
        if neurons != list(range(every.shape[-1])):
            every = every[..., torch.tensor(neurons, device=activation.device)]
        chosen = every[batch.pooled.to(every.device)].float().cpu().numpy()
        if together:  # whole rows are copied several times faster than single numbers
            out[rows, columns[0] : columns[-1] + 1] = chosen
        else:
            out[rows[:, None], columns] = chosen

    return read
