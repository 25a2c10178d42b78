"""The words that a neuron promotes, suppresses and reads, and the later neurons that read what it writes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
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
"""Words and their scores, the first first."""


@dataclass(frozen=True)
class Words:
    """What the weights of one neuron say; all empty where its site is no MLP neuron."""

    promoted: Scored = ()
    suppressed: Scored = ()

    read: Scored = ()
    """Words whose bare embedding excites it most."""

    readers: tuple[tuple[int, int, float], ...] = ()
    """Later neurons (layer, neuron) whose input lies most along what it writes, with the cosine."""


def neuron_words(model: Model, neurons: Sequence[Neuron], site: str, *, count: int = 12) -> list[Words]:
    """The words of several neurons, layer by layer.

    Args:
        model: either class.
        neurons: layer and place.
        site: those of an MLP have weights to look at; for others everything is empty.
        count: words and readers a list.
    """
    if site not in MLP_SITES:
        return [Words() for _ in neurons]
    found: dict[int, Words] = {}
    names = _names(model)
    for layer in sorted({layer for layer, _ in neurons}):
        places = [place for place, (where, _) in enumerate(neurons) if where == layer]
        inside = [neurons[place][1] for place in places]
        directions = written_directions(model, layer, inside)
        logits = promoted_logits(model, directions)[:, : len(names)]
        read = read_scores(model, layer, inside)[:, : len(names)]
        readers = _readers(model, layer, directions, count)
        for row, place in enumerate(places):
            found[place] = Words(
                _top(logits[row], names, count),
                _top(-logits[row], names, count, -1),
                _top(read[row], names, count),
                readers[row],
            )
    return [found[place] for place in range(len(neurons))]


def _names(model: Model) -> list[str]:
    """Every word as its tokenizer writes it; weights may have a few more rows than that."""
    tokenizer = model.tokenizer
    size = min(len(tokenizer), int(model.W_E.shape[0]))
    return [_readable(tokenizer, token) for token in range(size)]


def _readable(tokenizer: object, token: int) -> str:
    return str(tokenizer.decode([token]))  # type: ignore[attr-defined]


def _top(scores: Tensor, names: Sequence[str], count: int, sign: int = 1) -> Scored:
    values, places = scores.topk(min(count, len(scores)))
    return tuple((names[place], sign * value) for value, place in zip(values.tolist(), places.tolist(), strict=True))


def _readers(model: Model, layer: int, directions: Tensor, count: int) -> list[tuple[tuple[int, int, float], ...]]:
    """By cosine, either sign: a neuron that is silenced by the direction reads it, too."""
    best: list[list[tuple[int, int, float]]] = [[] for _ in directions]
    for later in range(layer + 1, int(model.cfg.n_layers)):
        cosines = reading_cosines(model, later, directions)
        places = cosines.abs().topk(min(count, cosines.shape[1]), dim=1).indices
        values = torch.gather(cosines, 1, places)
        for row, (where, seen) in enumerate(zip(places.tolist(), values.tolist(), strict=True)):
            best[row] += [(later, neuron, value) for neuron, value in zip(where, seen, strict=True)]
    return [tuple(sorted(rows, key=lambda row: -abs(row[2]))[:count]) for rows in best]
