"""Baselines that need no intervention, compared with it and combined with it: centring, projection, another layer."""

from collections.abc import Callable

from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.analysis.subspace import language_subspace, project_out
from tl_experts.analysis.vectors import centre
from tl_experts.study.bench import Bench, Row, Space, Tables
from tl_experts.study.measures import KINDS, Ranks, accuracy, hits_by_kind, mean_top1
from tl_experts.study.spaces import layer_name

LAST = "last layer"


def baselines(bench: Bench) -> Tables:
    """Each method, pre and post.

    Returns:
        ``baselines``: top-1 with its interval by target, condition, method and kind of pair; ``layers``: top-1 over all
        pairs of every layer without intervention, unchanged and centred.
    """
    methods = _methods(bench.config.subspace_rank)
    rows: list[Row] = []
    pre = bench.space()
    before: dict[str, Ranks] = {name: all_pair_ranks(method(pre)) for name, method in methods.items()}
    layers, best_ranks = _layers(bench)
    before["best layer"] = best_ranks
    for target in bench.config.targets:
        post = bench.space(bench.experts(target))
        for name, ranks in before.items():
            rows += _rows(bench, target, "pre", name, ranks)
        for name, method in methods.items():
            rows += _rows(bench, target, "post", name, all_pair_ranks(method(post)))
    return {"baselines": rows, "layers": layers}


def _methods(rank: int | None) -> dict[str, Callable[[Space], Space]]:
    return {
        LAST: lambda space: space,
        "centred": centred,
        "subspace removed": lambda space: without_subspace(space, rank),
    }


def centred(space: Space) -> Space:
    """The vectors with each language's mean subtracted."""
    return {language: centre(vectors) for language, vectors in space.items()}


def without_subspace(space: Space, rank: int | None) -> Space:
    """The vectors without the directions in which the languages' means differ."""
    subspace = language_subspace(space, rank=rank)
    return {language: project_out(vectors, subspace) for language, vectors in space.items()}


def _layers(bench: Bench) -> tuple[list[Row], Ranks]:
    """Top-1 of every layer, and the ranks of the best.

    The best layer is chosen on the dev split: chosen on the test split, it would look better than it is.
    """
    wanted = [*range(int(bench.model.cfg.n_layers)), None]
    dev = bench.probe.head(bench.config.sweep_rows)
    choosing = {layer: mean_top1(all_pair_ranks(space).values()) for layer, space in bench.each_layer(dev, wanted)}
    best = max(choosing, key=lambda layer: choosing[layer])
    rows = []
    best_ranks: Ranks = {}
    for layer, space in bench.each_layer(bench.test, wanted):
        ranks = all_pair_ranks(space)
        rows.append(
            {
                "layer": layer_name(layer),
                "dev_top1": choosing[layer],
                "top1": mean_top1(ranks.values()),
                "top1_centred": mean_top1(all_pair_ranks(centred(space)).values()),
                "chosen": layer == best,
            }
        )
        if layer == best:
            best_ranks = ranks
    return rows, best_ranks


def _rows(bench: Bench, target: str, condition: str, method: str, ranks: Ranks) -> list[Row]:
    hits = hits_by_kind(ranks, target)
    return [
        {"target": target, "condition": condition, "method": method, "kind": kind, **accuracy(bench, hits[kind])}
        for kind in KINDS
        if kind in hits
    ]
