"""Which method brings translations together: top-1 retrieval over all pairs of languages, beside baselines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.analysis.statistics import mean_interval, paired_gain
from tl_experts.analysis.vectors import centre
from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.conditions import embed_conditions
from tl_experts.embeddings.embeddings import Layer
from tl_experts.jobs.stages import Tables
from tl_experts.steering.tuning.space import Setting
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.comparison.methods import UNSTEERED

LAST_RAW = "last layer"
LAST_CENTRED = "last layer, centred"
BEST_RAW = "best layer"
BEST_CENTRED = "best layer, centred"
VIEWS = (LAST_RAW, LAST_CENTRED, BEST_RAW, BEST_CENTRED)
"""How embeddings are read: from which layer, and with each language's mean subtracted or not."""

CENTRED = (LAST_CENTRED, BEST_CENTRED)
"""The views in which each language's mean is subtracted."""

TOGETHER = 2**28
"""Bytes of embeddings that are held at once, a quarter of a GiB."""

CHOOSING = 60
"""Most rows of the dev split on which settings and layers are chosen."""

Hits = Float[Tensor, " row"]
"""The share of ordered pairs of languages in which a row's sentence finds its translation."""


@dataclass(frozen=True)
class _Choice:
    """The setting and layer that did best on the dev split."""

    top1: float
    setting: Setting | None
    layer: Layer


def alignment(bench: CompareBench, target: str) -> Tables:
    """Top-1 of every method in each view; setting and layer are chosen on the dev split.

    Returns:
        ``alignment``: a row per method and view, with the gain over the best baseline, which is chosen on the dev split
        as well.
    """
    tried: dict[str, list[Setting | None]] = {UNSTEERED: [None]}
    for method in bench.methods:
        tried[method.name] = [
            one for one in method.retrieval_settings(bench.config) if bench.builder(target).possible(one)
        ]
    found = _choices(bench, target, [setting for settings in tried.values() for setting in settings])
    chosen = {
        (name, view): max((found[setting][view] for setting in settings), key=lambda choice: choice.top1)
        for name, settings in tried.items()
        for view in VIEWS
        if settings
    }
    hits = _hits(bench, target, chosen)
    best = max(VIEWS, key=lambda view: chosen[UNSTEERED, view].top1)
    rows = [
        _row(bench, target, name, view, choice, hits[name, view], hits[UNSTEERED, best])
        for (name, view), choice in chosen.items()
    ]
    return {f"alignment-{target}": [row | {"best_baseline": best} for row in rows]}


def _choices(
    bench: CompareBench, target: str, settings: Sequence[Setting | None]
) -> dict[Setting | None, dict[str, _Choice]]:
    """For each setting and view, the best layer of the view on the dev split."""
    corpus = bench.dev.head(CHOOSING).only(bench.test.languages)
    found: dict[Setting | None, dict[str, _Choice]] = {}
    for setting, spaces in _spaces(bench, target, settings, corpus, _wanted(bench)):
        top1 = {
            (layer, centred): float(_found(_viewed(space, centred)).mean())
            for layer, space in spaces.items()
            for centred in (False, True)
        }
        found[setting] = {}
        for view in VIEWS:
            layers = [None] if view in (LAST_RAW, LAST_CENTRED) else _wanted(bench)
            centred = view in CENTRED
            layer = max(layers, key=lambda one: top1[one, centred])
            found[setting][view] = _Choice(top1[layer, centred], setting, layer)
    return found


def _hits(bench: CompareBench, target: str, chosen: Mapping[tuple[str, str], _Choice]) -> dict[tuple[str, str], Hits]:
    """On the test split, which each chosen setting reads once."""
    settings = [choice.setting for choice in chosen.values()]
    layers = sorted({choice.layer for choice in chosen.values()}, key=lambda layer: (layer is None, layer or 0))
    found = {}
    for setting, spaces in _spaces(bench, target, settings, bench.test, layers):
        for key, choice in chosen.items():
            if choice.setting == setting:
                found[key] = _found(_viewed(spaces[choice.layer], key[1] in CENTRED))
    return found


def _spaces(
    bench: CompareBench, target: str, settings: Sequence[Setting | None], corpus: Corpus, layers: Sequence[Layer]
) -> Iterator[tuple[Setting | None, dict[Layer, dict[str, Tensor]]]]:
    """The embeddings of each setting by language and layer, as many settings at once as fit in `TOGETHER` bytes."""
    different = list(dict.fromkeys(settings))
    size = max(2, TOGETHER // (4 * len(corpus) * len(layers) * int(bench.model.cfg.d_model)))
    for start in range(0, len(different), size):
        some = different[start : start + size]
        conditions = [None if setting is None else bench.builder(target).build(setting) for setting in some]
        embedded = embed_conditions(bench.model, corpus, conditions, layers=layers, progress=False)
        for setting, found in zip(some, embedded, strict=True):
            yield setting, {layer: embeddings.parallel() for layer, embeddings in found.items()}


def _wanted(bench: CompareBench) -> list[Layer]:
    return [*range(int(bench.model.cfg.n_layers)), None]


def _viewed(space: Mapping[str, Tensor], centred: bool) -> dict[str, Tensor]:
    return {language: centre(vectors) if centred else vectors for language, vectors in space.items()}


def _found(space: Mapping[str, Tensor]) -> Hits:
    ranks = torch.stack(list(all_pair_ranks(space).values()))
    return (ranks < 1).double().mean(dim=0)


def _row(
    bench: CompareBench, target: str, method: str, view: str, choice: _Choice, hits: Hits, baseline: Hits
) -> dict[str, Any]:
    options = {"seed": bench.config.seed, "resamples": bench.config.resamples}
    top1, gain = mean_interval(hits, **options), paired_gain(baseline, hits, **options)
    return {
        "target": target,
        "method": method,
        "view": view,
        "setting": "" if choice.setting is None else str(choice.setting),
        "layer": "last" if choice.layer is None else str(choice.layer),
        "dev_top1": choice.top1,
        "top1": top1.value,
        "low": top1.low,
        "high": top1.high,
        "gain": gain.value,
        "gain_low": gain.low,
        "gain_high": gain.high,
        "p": gain.p,
    }
