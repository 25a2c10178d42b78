"""One pass of the model that keeps some neurons' activations at every token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.corpus.sentences import Corpus
from tl_experts.models import Batching, Hook, Model, forward_batches, hook_name, text_batches, text_pieces
from tl_experts.models.batches import Batch

Neuron = tuple[int, int]
"""Layer and place in it."""


@dataclass(frozen=True, eq=False)
class TokenActivations:
    """Activations of some neurons at every token of every sentence."""

    neurons: tuple[Neuron, ...]
    corpus: Corpus

    values: Float[np.ndarray, "token neuron"]
    """float32; the sentences one after the other."""

    starts: NDArray[np.int64]
    """Where each sentence begins; one more at the end."""

    pieces: tuple[tuple[str, ...], ...]
    """What each token of each sentence stands for."""

    def of(self, sentence: int) -> Float[np.ndarray, "token neuron"]:
        """Those of one sentence."""
        return self.values[self.starts[sentence] : self.starts[sentence + 1]]

    def pooled(self, pooling: str) -> Float[np.ndarray, "sentence neuron"]:
        """Responses: the largest value over a sentence's tokens, or their mean."""
        if pooling == "max":
            return np.maximum.reduceat(self.values, self.starts[:-1], axis=0)
        sums = np.add.reduceat(self.values, self.starts[:-1], axis=0, dtype=np.float64)
        return np.asarray(sums / np.diff(self.starts)[:, None], dtype=np.float32)


def gather(
    model: Model, corpus: Corpus, neurons: Sequence[Neuron], site: str, *, progress: bool = True
) -> TokenActivations:
    """Run the sentences once; takes tokens x neurons x 4 bytes of memory.

    Sentences longer than the model's context are cut.

    Raises:
        SiteError: the model has not the site.
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
    """Where the batch's tokens go, row by row."""
    counts = batch.pooled.sum(dim=1).tolist()
    return np.concatenate(
        [starts[index] + np.arange(count) for index, count in zip(batch.indices.tolist(), counts, strict=True)]
    )


def _reader(
    batch: Batch, rows: NDArray[np.int64], columns: list[int], places: list[int], out: NDArray[np.float32]
) -> Any:
    def read(activation: Tensor, hook: Any) -> None:  # noqa: ARG001 (TransformerLens's signature)
        flat = activation.flatten(2)[..., torch.tensor(places, device=activation.device)]
        out[rows[:, None], columns] = flat[batch.pooled.to(flat.device)].float().cpu().numpy()

    return read
