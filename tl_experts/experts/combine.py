"""Union, intersection and difference of two sets of experts, language by language; neurons that languages share."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tl_experts.errors import SelectionError, whole_count
from tl_experts.responses.neurons import NeuronTable

if TYPE_CHECKING:
    from tl_experts.experts.experts import Experts

Rows = NDArray[np.int64]


def union(one: "Experts", other: "Experts") -> "Experts":
    """The experts of either: those of `one` in their order and with their statistics, then the others of `other`.

    Statistics that only one of them has are left out, and so is the score unless both were ranked by one metric.

    Raises:
        SelectionError: of another model, hook site or pooling.
    """
    _require_same(one, other, "|")
    languages = tuple(dict.fromkeys((*one.languages, *other.languages)))
    shared = [name for name in one.statistics if name in other.statistics]
    names = [name for name in shared if name != "score" or one.metric == other.metric]
    parts = [(_rows(one, language), _new_rows(other, one, language)) for language in languages]

    def column(read: Callable[["Experts"], NDArray[Any]]) -> NDArray[Any]:
        mine, theirs = read(one), read(other)
        return np.concatenate([values for left, right in parts for values in (mine[left], theirs[right])])

    return replace(
        one,
        languages=languages,
        language_of=np.repeat(np.arange(len(languages)), [len(left) + len(right) for left, right in parts]),
        layer=column(lambda experts: experts.layer),
        neuron=column(lambda experts: experts.neuron),
        statistics={name: column(lambda experts, name=name: experts.statistics[name]) for name in names},  # type: ignore[misc]
        candidates=_joined(one.candidates, other.candidates),
        **_words(one, other, "|"),
    )


def intersection(one: "Experts", other: "Experts") -> "Experts":
    """The experts of `one` that are experts of the same language in `other`, with the statistics of `one`.

    Raises:
        SelectionError: of another model, hook site or pooling.
    """
    _require_same(one, other, "&")
    return _kept(one, [np.setdiff1d(_rows(one, c), _new_rows(one, other, c)) for c in one.languages], other, "&")


def difference(one: "Experts", other: "Experts") -> "Experts":
    """The experts of `one` that are not experts of the same language in `other`, with the statistics of `one`.

    Raises:
        SelectionError: of another model, hook site or pooling.
    """
    _require_same(one, other, "-")
    return _kept(one, [_new_rows(one, other, language) for language in one.languages], other, "-")


def shared(experts: "Experts", by: int, up_to: int | None = None) -> "Experts":
    """The experts whose neuron is an expert of `by` languages, or of `by` to `up_to`. See `Experts.shared`.

    Raises:
        SelectionError: a number of languages that these experts cannot have.
    """
    most = whole_count(by if up_to is None else up_to, "up_to", SelectionError)
    least, languages = whole_count(by, "by", SelectionError), len(experts.languages)
    if not 1 <= least <= most <= languages:
        raise SelectionError(
            f"shared by {least} to {most} languages; these experts are of {languages}: give 1 to {languages}"
        )
    pairs = np.stack([experts.layer, experts.neuron], axis=1)
    named = np.unique(np.column_stack([pairs, experts.language_of]), axis=0)  # a language counts once
    neurons, counts = np.unique(named[:, :2], axis=0, return_counts=True)
    members = dict(zip(map(tuple, neurons.tolist()), counts.tolist(), strict=True))
    rows = np.flatnonzero([least <= members[pair] <= most for pair in map(tuple, pairs.tolist())])
    told = f"{least}" if least == most else f"{least} to {most}"
    return replace(_at(experts, rows), selection=f"{experts.selection}, neurons shared by {told} languages")


def at_most(experts: "Experts", k: int) -> "Experts":
    """The k best of every language, or all of a language that has fewer. Languages without any are left out.

    Raises:
        SelectionError: no language has any.
    """
    if not experts.total:
        languages = ", ".join(experts.languages)
        raise SelectionError(f"none of the languages {languages} has an expert; select some, by k or a lower threshold")
    ranks = np.concatenate([np.arange(count) for count in experts.counts.values()])
    chosen = _at(experts, np.flatnonzero(ranks < k))
    return chosen.only([language for language, count in chosen.counts.items() if count])


def _kept(one: "Experts", rows: Sequence[Rows], other: "Experts", sign: str) -> "Experts":
    return replace(_at(one, np.concatenate(rows)), **_words(one, other, sign))


def _at(experts: "Experts", rows: Rows) -> "Experts":
    return replace(
        experts,
        language_of=experts.language_of[rows],
        layer=experts.layer[rows],
        neuron=experts.neuron[rows],
        statistics={name: column[rows] for name, column in experts.statistics.items()},
    )


def _rows(experts: "Experts", language: str) -> Rows:
    """The rows of a language; none if it is not among the languages."""
    if language not in experts.languages:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(experts.language_of == experts.languages.index(language))


def _new_rows(experts: "Experts", known: "Experts", language: str) -> Rows:
    """The rows of a language whose neurons are not experts of it in `known`."""
    rows, others = _rows(experts, language), _rows(known, language)
    pairs = set(zip(known.layer[others].tolist(), known.neuron[others].tolist(), strict=True))
    mine = zip(experts.layer[rows].tolist(), experts.neuron[rows].tolist(), strict=True)
    new: Rows = rows[np.array([pair not in pairs for pair in mine], dtype=bool)]
    return new


def _joined(one: NeuronTable, other: NeuronTable) -> NeuronTable:
    widths = dict(zip(other.layers, other.widths, strict=True)) | dict(zip(one.layers, one.widths, strict=True))
    layers = tuple(sorted(widths))
    return NeuronTable(layers, tuple(widths[layer] for layer in layers))


def _words(one: "Experts", other: "Experts", sign: str) -> dict[str, Any]:
    """Selection, metric and corpus of the result: that of both, or both side by side."""
    metric = one.metric if one.metric == other.metric else f"{one.metric} {sign} {other.metric}"
    corpus = one.corpus if one.corpus == other.corpus else f"{one.corpus} {sign} {other.corpus}"
    return {"selection": f"({one.selection}) {sign} ({other.selection})", "metric": metric, "corpus": corpus}


def _require_same(one: "Experts", other: object, sign: str) -> None:
    if not isinstance(other, type(one)):
        raise SelectionError(f"experts {sign} {type(other).__name__}; expected Experts on both sides")
    for name in ("site", "pooling"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine != theirs:
            raise SelectionError(f"the experts differ in {name}: {mine!r} and {theirs!r}; find both with one Reading")
    for name in ("weights", "tokenizer"):
        mine, theirs = one.fingerprint.get(name), other.fingerprint.get(name)
        if mine != theirs:
            raise SelectionError(f"the experts are of two models: their {name} are {mine} and {theirs}; use one model")
