"""What a neuron's weights say: the tokens it promotes, suppresses and reads, and the later neurons that read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tl_experts.models import (
    MLP_SITES,
    Model,
    promoted_logits,
    read_scores,
    reading_cosines,
    written_directions,
)
from tl_experts.pages.inspector.gather import Neuron

Scored = tuple[tuple[str, float], ...]
"""Tokens and their scores, strongest first."""

Readers = tuple[tuple[int, int, float], ...]
"""Later neurons (layer, neuron) with the cosine between their input weights and what a neuron writes."""


@dataclass(frozen=True)
class WeightView:
    """What the weights of one neuron say; all empty if its site is not one of MLP neurons."""

    promoted: Scored = ()
    suppressed: Scored = ()

    read: Scored = ()
    """The tokens whose embedding alone excites the neuron most."""

    readers: Readers = ()
    """The neurons with the largest cosines, of either sign: one that the direction silences reads it, too."""


def weight_views(model: Model, neurons: Sequence[Neuron], site: str, *, count: int = 12) -> list[WeightView]:
    """The views of several neurons, computed layer by layer.

    Args:
        model: either class.
        neurons: layer and index of each.
        site: MLP neurons have weights to look at; at other sites every view is empty.
        count: tokens or neurons per list.
    """
    if site not in MLP_SITES:
        return [WeightView() for _ in neurons]
    found: dict[int, WeightView] = {}
    # The text of each token is decoded when it is listed: a vocabulary may have 262,144, which takes seconds. The
    # weights may have a few more rows than the tokenizer has tokens.
    size = min(len(model.tokenizer), int(model.W_E.shape[0]))
    for layer in sorted({layer for layer, _ in neurons}):
        columns = [column for column, (its_layer, _) in enumerate(neurons) if its_layer == layer]
        inside = [neurons[column][1] for column in columns]
        directions = written_directions(model, layer, inside)
        logits = promoted_logits(model, directions)[:, :size]
        read = read_scores(model, layer, inside)[:, :size]
        readers = _readers(model, layer, directions, count)
        for row, column in enumerate(columns):
            found[column] = WeightView(
                _top(logits[row], model.tokenizer, count),
                _top(-logits[row], model.tokenizer, count, -1),
                _top(read[row], model.tokenizer, count),
                readers[row],
            )
    return [found[column] for column in range(len(neurons))]


def _top(scores: Float[Tensor, " token"], tokenizer: Any, count: int, sign: int = 1) -> Scored:
    values, tokens = scores.topk(min(count, len(scores)))
    texts = [str(tokenizer.decode([token])) for token in tokens.tolist()]
    return tuple((text, sign * value) for value, text in zip(values.tolist(), texts, strict=True))


def _readers(model: Model, layer: int, directions: Float[Tensor, "direction d_model"], count: int) -> list[Readers]:
    best: list[list[tuple[int, int, float]]] = [[] for _ in directions]
    for later in range(layer + 1, int(model.cfg.n_layers)):
        cosines = reading_cosines(model, later, directions)
        nearest = cosines.abs().topk(min(count, cosines.shape[1]), dim=1).indices
        values = torch.gather(cosines, 1, nearest)
        for row, (neurons, cosine) in enumerate(zip(nearest.tolist(), values.tolist(), strict=True)):
            best[row] += [(later, neuron, value) for neuron, value in zip(neurons, cosine, strict=True)]
    return [tuple(sorted(rows, key=lambda row: -abs(row[2]))[:count]) for rows in best]
