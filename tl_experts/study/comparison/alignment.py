"""Which method brings translations together: top-1 retrieval over all pairs of languages, beside baselines."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.analysis.statistics import mean_interval, paired_gain
from tl_experts.analysis.vectors import centre
from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.embeddings import Layer, embed_layers
from tl_experts.jobs.stages import Tables
from tl_experts.steering.interventions import steer
from tl_experts.steering.tuning.space import Setting
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.comparison.methods import UNSTEERED

LAST_RAW = "last layer"
LAST_CENTRED = "last layer, centred"
BEST_RAW = "best layer"
BEST_CENTRED = "best layer, centred"
VIEWS = (LAST_RAW, LAST_CENTRED, BEST_RAW, BEST_CENTRED)
"""How embeddings are read: from which layer, and with each language's mean subtracted or not."""

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
    baseline = {view: choice for view, (choice,) in _choices(bench, target, [None]).items()}
    free = {view: _hits(bench, target, choice, view) for view, choice in baseline.items()}
    best = max(baseline, key=lambda view: baseline[view].top1)
    rows = [_row(bench, target, UNSTEERED, view, baseline[view], free[view], free[best]) for view in VIEWS]
    for method in bench.methods:
        settings = [one for one in method.retrieval_settings(bench.config) if bench.builder(target).possible(one)]
        if not settings:
            continue
        for view, choices in _choices(bench, target, settings).items():
            chosen = max(choices, key=lambda choice: choice.top1)
            hits = _hits(bench, target, chosen, view)
            rows.append(_row(bench, target, method.name, view, chosen, hits, free[best]))
    return {f"alignment-{target}": [row | {"best_baseline": best} for row in rows]}


def _choices(bench: CompareBench, target: str, settings: Sequence[Setting | None]) -> dict[str, list[_Choice]]:
    """For each view and setting, the best layer of the view on the dev split."""
    corpus = bench.dev.head(CHOOSING).only(bench.test.languages)
    found: dict[str, list[_Choice]] = {view: [] for view in VIEWS}
    for setting in settings:
        top1 = {
            (layer, centred): float(_found(_viewed(space, centred)).mean())
            for layer, space in _layers(bench, target, setting, corpus, _wanted(bench)).items()
            for centred in (False, True)
        }
        for view in VIEWS:
            layers = [None] if view in (LAST_RAW, LAST_CENTRED) else _wanted(bench)
            centred = view in (LAST_CENTRED, BEST_CENTRED)
            layer = max(layers, key=lambda one: top1[one, centred])
            found[view].append(_Choice(top1[layer, centred], setting, layer))
    return found


def _hits(bench: CompareBench, target: str, choice: _Choice, view: str) -> Hits:
    """On the test split."""
    space = _layers(bench, target, choice.setting, bench.test, [choice.layer])[choice.layer]
    return _found(_viewed(space, view in (LAST_CENTRED, BEST_CENTRED)))


def _layers(
    bench: CompareBench, target: str, setting: Setting | None, corpus: Corpus, layers: Sequence[Layer]
) -> dict[Layer, dict[str, Tensor]]:
    with nullcontext() if setting is None else steer(bench.model, bench.builder(target).build(setting)):
        found = embed_layers(bench.model, corpus, layers, progress=False)
    return {layer: embeddings.parallel() for layer, embeddings in found.items()}


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
