"""Selecting experts: the neurons of highest score for each language, over all layers together.

Sources: Sundar et al. 2025, section 3 (AUROC; k = 100 for Bloom-7b, 2000 for Aya-8b and PolyLM-13b); Kojima et al. 2024
(average precision, ``how="both"``); those of the other scorings are in `tl_experts.experts.scorings`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import SelectionError, require_choice, require_enough, whole_count
from tl_experts.experts.auroc import OPTIONAL, STATISTICS
from tl_experts.experts.control import random_stream
from tl_experts.experts.evidence import Evidence, Scoring, needs_quantiles, needs_tokens, require_library
from tl_experts.experts.expertise import Expertise, score_responses
from tl_experts.experts.experts import Experts, Floats, Integers
from tl_experts.experts.measured import statistics_at
from tl_experts.experts.scorings import BOUNDED, scored, scoring_name, scoring_of
from tl_experts.jobs.workers import Workers
from tl_experts.models import ModelLike, as_model
from tl_experts.responses.collect import Responses, collect_responses, neuron_table
from tl_experts.responses.collect_to_disk import begin_store, fill_store, worker_loader
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.reading import DEFAULT_READING, Reading
from tl_experts.responses.statistics_pass import collect_both
from tl_experts.responses.store import StoredResponses
from tl_experts.responses.token_statistics import TokenStatistics

DEFAULT_K = 500
How = Literal["top", "bottom", "both"]
Order = How | Literal["random"]
HOWS: tuple[How, ...] = get_args(How)
ORDERS: tuple[Order, ...] = (*HOWS, "random")


def find_experts(
    model: ModelLike,
    sentences: Corpus,
    *,
    k: int | None = None,
    threshold: float | None = None,
    scoring: str | Scoring = "auroc",
    how: How = "top",
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
        k: experts per language; default 500, all above the threshold, or as many as the scoring's own rule selects.
        threshold: only neurons whose score is at least this (``how="bottom"``: at most).
        scoring: one of `tl_experts.experts.scorings.SCORINGS`, or a function of `Evidence`: ``"auroc"`` (the paper's),
            ``"ap"``, ``"mean_difference"``, ``"probe"`` (extra ``probe``), and from statistics of tokens, which the
            same pass collects, ``"token_mean_difference"``, ``"lape"``, ``"aligned_lape"`` and ``"dln"``.
        how: ``"top"``, ``"bottom"`` or ``"both"`` (k of each); `select_experts` also draws at random.
        reading: which neurons, how responses are pooled, their dtype, how the text is batched.
        folder: where responses and statistics of tokens are kept in shards (`store_responses`): memory does not grow
            with the sentences, and the same call resumes a run that was killed. None: in memory.
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
    require_choice(how, HOWS, "how", SelectionError)
    scorer = scoring_of(scoring)
    k = None if k is None else whole_count(k, "k", SelectionError)
    _require_selection(k, threshold, scoring, how)
    if workers is not None and folder is None:
        raise SelectionError("workers need a folder for their shards; give folder=...")
    require_library(scorer)
    load = None if workers is None else worker_loader(model, workers)
    loaded = as_model(model)
    neurons = neuron_table(loaded, reading).total
    if threshold is None and not _own_rule(scorer, k):  # before the long part
        require_enough(k or DEFAULT_K, neurons, how)
    responses: Responses | StoredResponses
    tokens: TokenStatistics | None = None
    counted, quantiles = needs_tokens(scorer) is not False, needs_quantiles(scorer)
    if folder is not None:
        store = begin_store(loaded, sentences, folder, reading, statistics=counted)
        fill_store(
            store, loaded, statistics=counted, quantiles=quantiles, workers=workers, load=load, progress=progress
        )
        responses, tokens = store.responses(), store.statistics(quantiles=quantiles) if counted else None
    elif not counted:
        responses = collect_responses(loaded, sentences, reading=reading, progress=progress)
    else:
        responses, tokens = collect_both(loaded, sentences, reading=reading, quantiles=quantiles, progress=progress)
    expertise = score_responses(responses, progress=progress)
    return select_experts(
        expertise, k=k, threshold=threshold, scoring=scoring, how=how, responses=responses, tokens=tokens
    )


def select_experts(
    expertise: Expertise,
    *,
    k: int | None = None,
    threshold: float | None = None,
    scoring: str | Scoring = "auroc",
    how: Order = "top",
    layers: Sequence[int] | None = None,
    languages: Sequence[str] | None = None,
    seed: int = 0,
    responses: Responses | StoredResponses | None = None,
    tokens: TokenStatistics | None = None,
) -> Experts:
    """Select experts of every language by a score.

    Equal scores are taken in the order of layer and neuron, so that the result is always the same.

    Args:
        expertise: from `score_responses`.
        k: per language; default 500, all that pass the threshold, or as many as the scoring's own rule selects (LAPE).
        threshold: of the score.
        scoring: see `find_experts`.
        how: ``"top"`` (best first), ``"bottom"`` (worst first), ``"both"`` (the k best, then the k worst, worst first)
            or ``"random"`` (with their own statistics; for the paper's control see `Experts.random_control`).
        layers: only neurons of these layers.
        languages: only experts of these languages, in this order; they are still told from all others.
        seed: of ``how="random"``.
        responses: what the expertise was scored from; ``"mean_difference"`` and ``"probe"`` need them.
        tokens: of the same pass (`collect_both`); scorings of tokens need them. The experts then hold their mean over
            the language's tokens (``token_mean``) and over all others (``token_negative_mean``).

    Raises:
        SelectionError: k beyond the neurons, a threshold that no neuron reaches, an unknown scoring or layer, no
            language, or something that the scoring needs and was not given.
        ResponseError: a language that was not scored.

    Examples:
        >>> from tl_experts import collect_responses, load_model, load_sentences, score_responses
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> expertise = score_responses(collect_responses(model, sentences, progress=False), progress=False)
        >>> select_experts(expertise, threshold=0.95).counts["ru"] > 10
        True
    """
    scorer = scoring_of(scoring)
    k = None if k is None else whole_count(k, "k", SelectionError)
    _require_selection(k, threshold, scoring, how)
    threshold = None if threshold is None else float(threshold)  # a NumPy one would compare in double precision
    evidence = Evidence(expertise, responses, tokens)
    scores = scored(scorer, evidence)
    allowed = _allowed(expertise.neurons, layers)
    rule = threshold is None and _own_rule(scorer, k) and how != "random"
    wanted = _wanted(expertise, languages)
    if rule:
        candidates = _by_own_rule(scorer, evidence, scores, allowed)
        chosen = [candidates[at][np.argsort(-scores[candidates[at], at], kind="stable")] for at in wanted]
    else:
        chosen = [_choose(scores[:, at], allowed, k, threshold, how, seed, expertise.languages[at]) for at in wanted]
    columns, sizes = np.concatenate(chosen), [len(part) for part in chosen]
    return Experts(
        languages=tuple(expertise.languages[at] for at in wanted),
        language_of=np.repeat(np.arange(len(wanted)), sizes),
        layer=expertise.neurons.layer_of[columns],
        neuron=expertise.neurons.neuron_of[columns],
        statistics=_statistics(evidence, scores, columns, np.repeat(wanted, sizes), named=scoring not in BOUNDED),
        candidates=expertise.neurons if layers is None else expertise.neurons.only(layers),
        site=expertise.site,
        pooling=expertise.pooling,
        metric=scoring_name(scoring),
        selection=_words("its own rule" if rule else how, k, threshold, seed, layers),
        corpus=expertise.corpus,
        fingerprint=expertise.fingerprint,
    )


def _wanted(expertise: Expertise, languages: Sequence[str] | None) -> list[int]:
    """The columns of the languages."""
    if languages is None:
        return list(range(len(expertise.languages)))
    if isinstance(languages, str) or not languages:
        raise SelectionError(f"languages is {languages!r}; give a list of at least one, such as ['es']")
    return list(dict.fromkeys(expertise.column(language) for language in languages))


def _require_selection(k: int | None, threshold: float | None, scoring: Any, how: str) -> None:
    require_choice(how, ORDERS, "how", SelectionError)
    if k is not None and k < 1:
        raise SelectionError(f"k is {k}; expected at least 1 expert per language")
    if threshold is None:
        if how in ("bottom", "both") and _own_rule(scoring_of(scoring), k):
            raise SelectionError(f"how={how!r} needs k: the rule of {scoring_name(scoring)!r} selects the top only")
        return
    if scoring in BOUNDED and not 0 <= threshold <= 1:
        raise SelectionError(f"threshold is {threshold}; AUROC and AP lie between 0 and 1")
    if not np.isfinite(threshold):
        raise SelectionError(f"threshold is {threshold}; expected a finite number")
    if how in ("both", "random"):
        raise SelectionError(f"how={how!r} takes k, not a threshold")


def _own_rule(scorer: Scoring, k: int | None) -> bool:
    """Whether a scoring selects by a rule of its own."""
    return k is None and hasattr(scorer, "selected")


def _by_own_rule(scorer: Any, evidence: Evidence, scores: NDArray[Any], allowed: Integers) -> list[Integers]:
    """The neurons of each language by the scoring's own rule."""
    selected = scorer.selected(evidence, scores)
    return [allowed[selected[allowed, at]] for at in range(len(evidence.expertise.languages))]


def _statistics(
    evidence: Evidence, scores: NDArray[Any], columns: Integers, language_of: Integers, *, named: bool
) -> dict[str, Floats]:
    """The columns of the experts; `named`: with the score, where that is neither AUROC nor average precision."""
    found = statistics_at(evidence, columns, language_of)
    if named:
        found["score"] = scores[columns, language_of].astype(np.float32)
    return {name: found[name] for name in (*STATISTICS, *OPTIONAL) if name in found}


def _allowed(neurons: NeuronTable, layers: Sequence[int] | None) -> Integers:
    if layers is None:
        return np.arange(neurons.total)
    unknown = sorted(set(layers) - set(neurons.layers))
    if unknown or not layers:
        scored = ", ".join(map(str, neurons.layers))
        raise SelectionError(f"layers {list(layers)}: choose among those that were scored, {scored}")
    return np.flatnonzero(np.isin(neurons.layer_of, list(layers)))


def _choose(
    scores: NDArray[Any],
    allowed: Integers,
    k: int | None,
    threshold: float | None,
    how: str,
    seed: int,
    language: str,
) -> Integers:
    if how != "random":
        allowed = allowed[scores[allowed] > -np.inf]
    if threshold is not None:
        if not len(allowed):
            raise SelectionError(f"no neuron can be selected for {language}; give neither k nor a threshold")
        kept = scores[allowed] >= threshold if how == "top" else scores[allowed] <= threshold
        if not kept.any():
            most = f"best is {scores[allowed].max():.3f}" if how == "top" else f"lowest is {scores[allowed].min():.3f}"
            raise SelectionError(f"no neuron reaches threshold {threshold} for {language}; its {most}")
        allowed = allowed[kept]
        k = min(k or len(allowed), len(allowed))
    k = k or DEFAULT_K
    require_enough(k, len(allowed), how)
    if how == "random":
        return random_stream(seed, language, "selection").choice(allowed, size=k, replace=False)
    best = allowed[np.argsort(-scores[allowed], kind="stable")[:k]]
    worst = allowed[np.argsort(scores[allowed], kind="stable")[:k]]
    return {"top": best, "bottom": worst, "both": np.concatenate([best, worst])}[how]


def _words(how: str, k: int | None, threshold: float | None, seed: int, layers: Sequence[int] | None) -> str:
    if how == "its own rule":
        amount = how
    elif threshold is None:
        amount = f"top and bottom {k or DEFAULT_K}" if how == "both" else f"{how} {k or DEFAULT_K}"
    else:
        amount = f"{how} at {threshold}" + (f", at most {k}" if k else "")
    return amount + (f" (seed {seed})" if how == "random" else "") + (f" of layers {sorted(layers)}" if layers else "")
