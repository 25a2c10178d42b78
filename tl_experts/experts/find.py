"""Selecting experts: the neurons of highest expertise for each language, over all layers together.

Source: Sundar et al. 2025, section 3 (k = 100 for Bloom-7b, 2000 for Aya-8b and PolyLM-13b).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import SelectionError, require_choice, require_whole
from tl_experts.experts.auroc import STATISTICS
from tl_experts.experts.expertise import METRICS, Expertise, Metric, score_responses
from tl_experts.experts.experts import Experts, Floats, Integers, random_stream
from tl_experts.jobs.workers import Workers
from tl_experts.models import ModelLike, as_model
from tl_experts.responses.collect import Responses, collect_responses, neuron_table
from tl_experts.responses.collect_to_disk import begin_store, fill_store, worker_loader
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.reading import DEFAULT_READING, Reading
from tl_experts.responses.store import StoredResponses

DEFAULT_K = 500
How = Literal["top", "bottom", "random"]


def find_experts(
    model: ModelLike,
    sentences: Corpus,
    *,
    k: int | None = None,
    threshold: float | None = None,
    metric: Metric = "auroc",
    how: Literal["top", "bottom"] = "top",
    reading: Reading = DEFAULT_READING,
    folder: str | Path | None = None,
    workers: Workers | None = None,
    progress: bool = True,
) -> Experts:
    """Find the experts of every language of a corpus, in one pass of the model.

    `collect_responses`, `score_responses` and `select_experts` in a row; call those to keep the results in between.

    Args:
        model: from `load_model`, any `HookedTransformer` or `TransformerBridge`, or what loads one: a name, a folder, a
            `ModelSource`.
        sentences: labelled sentences of two languages or more.
        k: experts per language; default 500, or all above the threshold.
        threshold: only neurons whose metric is at least this (``how="bottom"``: at most).
        metric: ``"auroc"`` (the paper's) or ``"ap"``.
        how: ``"top"`` or ``"bottom"``; `select_experts` also draws at random.
        reading: which neurons, how responses are pooled, their dtype, how the text is batched.
        folder: where responses are kept in shards (`store_responses`): memory does not grow with the sentences, and
            the same call resumes a run that was killed. None: in memory.
        workers: data-parallel Ray workers, which load the model themselves; needs a folder.
        progress: show progress bars.

    Raises:
        TLExpertsError: from the stage that rejects its input.

    Examples:
        >>> from tl_experts import find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> experts = find_experts(model, sentences, k=5, progress=False)
        >>> experts["ja"].to_pandas()[["rank", "layer", "neuron"]].shape
        (5, 3)
    """
    require_choice(how, ("top", "bottom"), "how", SelectionError)
    _require_selection(k, threshold, metric, how)
    if workers is not None and folder is None:
        raise SelectionError("workers need a folder for their shards; give folder=...")
    load = None if workers is None else worker_loader(model, workers)
    loaded = as_model(model)
    neurons = neuron_table(loaded, reading).total
    if (k or DEFAULT_K) > neurons and threshold is None:  # before the long part
        raise SelectionError(f"k is {k or DEFAULT_K}, but there are {neurons} neurons to choose from; lower k")
    responses: Responses | StoredResponses
    if folder is None:
        responses = collect_responses(loaded, sentences, reading=reading, progress=progress)
    else:
        store = begin_store(loaded, sentences, folder, reading)
        fill_store(store, loaded, workers=workers, load=load, progress=progress)
        responses = store.responses()
    expertise = score_responses(responses, progress=progress)
    return select_experts(expertise, k=k, threshold=threshold, metric=metric, how=how)


def select_experts(
    expertise: Expertise,
    *,
    k: int | None = None,
    threshold: float | None = None,
    metric: Metric = "auroc",
    how: How = "top",
    layers: Sequence[int] | None = None,
    seed: int = 0,
) -> Experts:
    """Select experts of every language by their expertise.

    Equal scores are taken in the order of layer and neuron, so that the result is always the same.

    Args:
        expertise: from `score_responses`.
        k: per language; default 500, or all that pass the threshold.
        threshold: of the metric.
        metric: ``"auroc"`` or ``"ap"``.
        how: ``"top"`` (best first), ``"bottom"`` (worst first) or ``"random"`` (with their own statistics; for the
            paper's control see `Experts.random_control`).
        layers: only neurons of these layers.
        seed: of ``how="random"``.

    Raises:
        SelectionError: k beyond the neurons, a threshold nobody reaches, an unknown metric or layer.

    Examples:
        >>> from tl_experts import collect_responses, load_model, load_sentences, score_responses
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> expertise = score_responses(collect_responses(model, sentences, progress=False), progress=False)
        >>> select_experts(expertise, threshold=0.95).counts["ru"] > 10
        True
    """
    _require_selection(k, threshold, metric, how)
    threshold = None if threshold is None else float(threshold)  # a NumPy one would compare in double precision
    scores: Floats = getattr(expertise, metric)
    allowed = _allowed(expertise.neurons, layers)
    chosen = [
        _choose(scores[:, place], allowed, k, threshold, how, seed, language)
        for place, language in enumerate(expertise.languages)
    ]
    columns = np.concatenate(chosen)
    language_of = np.repeat(np.arange(len(chosen)), [len(part) for part in chosen])
    return Experts(
        languages=expertise.languages,
        language_of=language_of,
        layer=expertise.neurons.layer_of[columns],
        neuron=expertise.neurons.neuron_of[columns],
        statistics={name: getattr(expertise, name)[columns, language_of] for name in STATISTICS},
        candidates=expertise.neurons if layers is None else expertise.neurons.only(layers),
        site=expertise.site,
        pooling=expertise.pooling,
        metric=metric,
        selection=_words(k, threshold, how, seed, layers),
        corpus=expertise.corpus,
        fingerprint=expertise.fingerprint,
    )


def _require_selection(k: int | None, threshold: float | None, metric: str, how: str) -> None:
    require_choice(metric, METRICS, "metric", SelectionError)
    require_choice(how, ("top", "bottom", "random"), "how", SelectionError)
    if k is not None and require_whole(k, "k", SelectionError) < 1:
        raise SelectionError(f"k is {k}; expected at least 1 expert per language")
    if threshold is not None and not 0 <= threshold <= 1:
        raise SelectionError(f"threshold is {threshold}; AUROC and AP lie between 0 and 1")
    if threshold is not None and how == "random":
        raise SelectionError("how='random' takes k, not a threshold")


def _allowed(neurons: NeuronTable, layers: Sequence[int] | None) -> Integers:
    if layers is None:
        return np.arange(neurons.total)
    unknown = sorted(set(layers) - set(neurons.layers))
    if unknown or not layers:
        scored = ", ".join(map(str, neurons.layers))
        raise SelectionError(f"layers {list(layers)}: choose among those that were scored, {scored}")
    return np.flatnonzero(np.isin(neurons.layer_of, list(layers)))


def _choose(
    scores: Floats,
    allowed: Integers,
    k: int | None,
    threshold: float | None,
    how: str,
    seed: int,
    language: str,
) -> Integers:
    if threshold is not None:
        kept = scores[allowed] >= threshold if how == "top" else scores[allowed] <= threshold
        if not kept.any():
            most = f"best is {scores[allowed].max():.3f}" if how == "top" else f"lowest is {scores[allowed].min():.3f}"
            raise SelectionError(f"no neuron reaches threshold {threshold} for {language}; its {most}")
        allowed = allowed[kept]
        k = min(k or len(allowed), len(allowed))
    k = k or DEFAULT_K
    if k > len(allowed):
        raise SelectionError(f"k is {k}, but there are {len(allowed)} neurons to choose from; lower k")
    if how == "random":
        return random_stream(seed, language, "selection").choice(allowed, size=k, replace=False)
    order = np.argsort(-scores[allowed] if how == "top" else scores[allowed], kind="stable")
    return allowed[order[:k]]


def _words(k: int | None, threshold: float | None, how: str, seed: int, layers: Sequence[int] | None) -> str:
    amount = (
        f"{how} {k or DEFAULT_K}" if threshold is None else f"{how} at {threshold}" + (f", at most {k}" if k else "")
    )
    return amount + (f" (seed {seed})" if how == "random" else "") + (f" of layers {sorted(layers)}" if layers else "")
