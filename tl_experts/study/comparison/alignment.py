"""Which method brings translations together: top-1 retrieval over all pairs of languages, beside baselines."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.analysis.statistics import detectable_difference, mean_interval, paired_gain
from tl_experts.analysis.subspace import LanguageSubspace, language_subspace
from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.embeddings import Layer
from tl_experts.jobs.stages import Row, Tables
from tl_experts.steering.tuning.space import Setting
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.comparison.ceiling import CEILING, CEILING_VIEW
from tl_experts.study.comparison.methods import UNSTEERED
from tl_experts.study.comparison.views import (
    BEST,
    LAST,
    VIEWS,
    best_rank,
    hits_by_kind,
    language_groups,
    removes,
    space_measures,
    viewed,
)
from tl_experts.study.spaces import Hits, Space, every_layer, hits_of, layer_name, setting_spaces, spaces_read

CHOOSING = 30
"""Most rows of the dev split on which settings and layers are chosen."""

NOTHING_CHOSEN = {"setting": "", "layer": "", "rank": math.nan, "dev_top1": math.nan}
"""What a row of the ceiling says of its choice."""


@dataclass(frozen=True)
class _Choice:
    """The setting and layer that did best on the dev split."""

    top1: float
    setting: Setting | None
    layer: Layer
    subspace: LanguageSubspace | None
    """What the view removes, fitted on the dev split."""


@dataclass(frozen=True)
class _Seen:
    """A space of the test split, for each group of languages."""

    hits: Mapping[str, Mapping[str, Hits]]
    """By group and kind of pair."""

    measures: Mapping[str, Mapping[str, float]]


def alignment(bench: CompareBench, target: str) -> Tables:
    """Retrieval and shape of every method in each view; setting, layer and rank are chosen on the dev split.

    Returns:
        ``alignment``: a row per method, view and group of languages (all, and those of one script), with the gain over
        the best baseline, which is chosen on the dev split as well; ``spaces``: MEXA, distances and isotropy of the
        same vectors.
    """
    ceiling = bench.ceiling_space if bench.ceiling else None  # first, since it may be missing
    tried = _tried(bench, target)
    found = _choices(bench, target, [setting for settings in tried.values() for setting in settings])
    chosen = {
        (name, view): max((found[setting][view] for setting in settings), key=lambda choice: choice.top1)
        for name, settings in tried.items()
        for view in VIEWS
        if settings
    }
    seen = _all_seen(bench, target, chosen)
    best = max(VIEWS, key=lambda view: chosen[UNSTEERED, view].top1)
    told = {key: _told(choice) for key, choice in chosen.items()}
    if ceiling is not None:
        seen[CEILING, CEILING_VIEW] = _see(ceiling, target)
        told[CEILING, CEILING_VIEW] = NOTHING_CHOSEN
    rows: list[Row] = []
    shapes: list[Row] = []
    for (name, view), how in told.items():
        own = seen[name, view]
        for languages, hits in own.hits.items():
            which = {"target": target, "languages": languages, "method": name, "view": view}
            gained = _measured(bench, hits, seen[UNSTEERED, best].hits[languages])
            rows.append(which | how | gained | {"best_baseline": best})
            shapes.append(which | dict(own.measures[languages]))
    return {f"alignment-{target}": rows, f"spaces-{target}": shapes}


def choosing_rows(bench: CompareBench) -> Corpus:
    """The sentences on which settings, layers and ranks are chosen, and language subspaces are fitted."""
    return bench.dev.head(CHOOSING).only(bench.test.languages)


def _tried(bench: CompareBench, target: str) -> dict[str, list[Setting | None]]:
    """The settings of every method that are possible, after no intervention."""
    tried: dict[str, list[Setting | None]] = {UNSTEERED: [None]}
    return tried | {method.name: [*bench.retrieval_settings(target, method)] for method in bench.methods}


def _choices(
    bench: CompareBench, target: str, settings: Sequence[Setting | None]
) -> dict[Setting | None, dict[str, _Choice]]:
    """For each setting and view, the best layer of the view on the dev split.

    The rank of the language subspace is chosen for each layer without intervention, which is the first of the settings.
    """
    corpus = choosing_rows(bench)
    ranks: dict[Layer, int] = {}
    found: dict[Setting | None, dict[str, _Choice]] = {}
    layers = every_layer(bench.model)
    for setting, spaces in setting_spaces(bench.model, bench.builder(target), settings, corpus, layers):
        ranks = ranks or {layer: best_rank(space) for layer, space in spaces.items()}
        subspaces = {layer: language_subspace(space, rank=ranks[layer]) for layer, space in spaces.items()}
        found[setting] = {}
        for last, best in zip(LAST, BEST, strict=True):
            top1 = {
                layer: float(hits_of(viewed(space, best, subspaces[layer]), centred=False).mean())
                for layer, space in spaces.items()
            }
            for view, layer in ((last, None), (best, max(top1, key=lambda one: top1[one]))):
                removed = subspaces[layer] if removes(view) else None
                found[setting][view] = _Choice(top1[layer], setting, layer, removed)
    return found


def _all_seen(
    bench: CompareBench, target: str, chosen: Mapping[tuple[str, str], _Choice]
) -> dict[tuple[str, str], _Seen]:
    """The test split, which each chosen setting reads once."""
    reads = {key: (choice.setting, choice.layer) for key, choice in chosen.items()}
    return {
        key: _see(viewed(space, key[1], chosen[key].subspace), target)
        for key, space in spaces_read(bench.model, bench.builder(target), reads, bench.test)
    }


def _see(space: Space, target: str) -> _Seen:
    ranks = all_pair_ranks(space)
    groups = language_groups(tuple(space))
    return _Seen(
        {name: hits_by_kind(ranks, own, target) for name, own in groups.items()},
        {name: space_measures({language: space[language] for language in own}) for name, own in groups.items()},
    )


def _told(choice: _Choice) -> dict[str, Any]:
    return {
        "setting": "" if choice.setting is None else str(choice.setting),
        "layer": layer_name(choice.layer),
        "rank": math.nan if choice.subspace is None else choice.subspace.rank,
        "dev_top1": choice.top1,
    }


def _measured(bench: CompareBench, hits: Mapping[str, Hits], baseline: Mapping[str, Hits]) -> dict[str, float | None]:
    """Top-1 of every kind of pair with its interval, and the gain over the best baseline over all pairs.

    ``detectable`` is the smallest gain that this number of rows would have shown with a probability of 80%.
    """
    options = {"seed": bench.config.seed, "resamples": bench.config.resamples}
    top1, gain = mean_interval(hits["all"], **options), paired_gain(baseline["all"], hits["all"], **options)
    row: dict[str, float | None] = {"top1": top1.value, "low": top1.low, "high": top1.high}
    for kind in ("from_target", "to_target"):
        found = mean_interval(hits[kind], **options) if kind in hits else None
        for name, value in (("", "value"), ("_low", "low"), ("_high", "high")):
            row[f"{kind}{name}"] = math.nan if found is None else getattr(found, value)
    return row | {
        "gain": gain.value,
        "gain_low": gain.low,
        "gain_high": gain.high,
        "p": gain.p,
        "detectable": detectable_difference(hits["all"] - baseline["all"]),
    }
