"""Retrieval for every ordered pair: pre, post and mixed, by every measure, with each gain's interval.

Source: Sundar et al. 2025, section 6, figures 4, 5 and 7 to 12.
"""

from collections.abc import Collection, Mapping
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.retrieval import (
    MEASURES,
    all_pair_ranks,
    cosine_similarity,
    hubness,
    mexa,
    mutual_neighbours,
    ordered_pairs,
    scores_of_ranks,
)
from tl_experts.statistics import holm, mean_interval, paired_gain
from tl_experts.study.bench import Bench, Row, Space, Tables

Ranks = Mapping[tuple[str, str], Tensor]
Hits = NDArray[np.float64]

ALL = "all"
"""In the place of a target: over all of them."""

KINDS = ("target as query", "target as candidate", "other pairs", "all pairs")


def retrieval(bench: Bench) -> Tables:
    """Every ordered pair.

    Returns:
        ``retrieval``: top-1, top-5 and MRR by target, condition and measure (a pre row has no target); ``gains``: of
        every kind of pair, with interval and Holm-corrected p; ``pair_gains``: of every pair; ``gain_spread``: median
        and extremes of the latter with the target as query; ``mining``: MEXA, mutual neighbours and hubness of every
        pair.
    """
    pre = bench.space()
    before = {measure: all_pair_ranks(pre, measure=measure) for measure in MEASURES}
    tables: Tables = {"retrieval": [], "mining": _mining("", "pre", pre), "gains": [], "pair_gains": []}
    for measure in MEASURES:
        tables["retrieval"] += _rows("", "pre", measure, before[measure])
    for target in bench.config.targets:
        post = bench.space(bench.experts(target))
        for measure in MEASURES:
            after = all_pair_ranks(post, measure=measure)
            tables["retrieval"] += _rows(target, "post", measure, after)
            mixed = all_pair_ranks(pre, post, measure=measure)
            tables["retrieval"] += _rows(target, "mixed", measure, mixed)
            if measure == "cosine":
                for condition, ranks in (("post", after), ("mixed", mixed)):
                    tables["gains"] += _gains(bench, target, condition, before[measure], ranks)
                tables["pair_gains"] += _pair_gains(bench, target, before[measure], after)
        tables["mining"] += _mining(target, "post", post)
    correct(tables["gains"])
    correct(tables["pair_gains"])
    tables["gain_spread"] = _spread(tables["pair_gains"])
    return tables


def hits_by_kind(ranks: Ranks, target: str) -> dict[str, Hits]:
    """For every sentence the share of pairs in which it finds its translation, by the target's part in the pair."""
    chosen: dict[str, list[Tensor]] = {kind: [] for kind in KINDS}
    for (query, candidate), rank in ranks.items():
        kind = KINDS[0] if query == target else KINDS[1] if candidate == target else KINDS[2]
        chosen[kind].append(rank)
        chosen[KINDS[3]].append(rank)
    return {kind: (torch.stack(found) < 1).double().mean(dim=0).numpy() for kind, found in chosen.items() if len(found)}


def mean_top1(found: Collection[Tensor]) -> float:
    """The mean over pairs of the share of queries that find their translation."""
    return sum(scores_of_ranks(ranks).top1 for ranks in found) / len(found)


def gain(bench: Bench, before: Hits, after: Hits) -> Row:
    """What the same sentences gain, its interval and p."""
    found = paired_gain(before, after, seed=bench.config.seed, resamples=bench.config.resamples)
    return {"gain": found.value, "low": found.low, "high": found.high, "p": found.p}


def correct(rows: list[Row]) -> None:
    """Holm's correction over all gains of a table."""
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = p


def accuracy(bench: Bench, hits: Hits) -> Row:
    """Top-1 and its interval."""
    found = mean_interval(hits, seed=bench.config.seed, resamples=bench.config.resamples)
    return {"top1": found.value, "low": found.low, "high": found.high}


def _rows(target: str, condition: str, measure: str, ranks: Ranks) -> list[Row]:
    return [
        {
            "target": target,
            "condition": condition,
            "measure": measure,
            "query": query,
            "candidate": candidate,
            **vars(scores_of_ranks(rank)),
        }
        for (query, candidate), rank in ranks.items()
    ]


def _gains(bench: Bench, target: str, condition: str, before: Ranks, after: Ranks) -> list[Row]:
    pre, post = hits_by_kind(before, target), hits_by_kind(after, target)
    return [
        {
            "target": target,
            "condition": condition,
            "kind": kind,
            "pre": float(pre[kind].mean()),
            "post": float(post[kind].mean()),
            **gain(bench, pre[kind], post[kind]),
        }
        for kind in pre
    ]


def _pair_gains(bench: Bench, target: str, before: Ranks, after: Ranks) -> list[Row]:
    return [
        {
            "target": target,
            "query": pair[0],
            "candidate": pair[1],
            **gain(bench, (before[pair] < 1).double().numpy(), (after[pair] < 1).double().numpy()),
        }
        for pair in before
        if target in pair
    ]


def _spread(rows: list[Row]) -> list[Row]:
    """Over candidate languages, of each target and of all (as section 6 of the paper tells its gains)."""
    by_target: dict[str, list[float]] = {}
    for row in rows:
        if row["query"] == row["target"]:
            by_target.setdefault(row["target"], []).append(row["gain"])
    everything = [value for values in by_target.values() for value in values]
    return [
        {
            "target": target,
            "candidates": len(values),
            "median": float(np.median(values)),
            "least": min(values),
            "most": max(values),
        }
        for target, values in (by_target | {ALL: everything}).items()
    ]


def _mining(target: str, condition: str, space: Space) -> list[Row]:
    rows = {}
    for one, other in combinations(space, 2):
        similarity = cosine_similarity(space[one], space[other])
        # One product serves both directions, as in `all_pair_ranks`; MEXA is the same either way.
        both = mexa(similarity)
        for query, candidate, seen in ((one, other, similarity), (other, one, similarity.T)):
            mutual = mutual_neighbours(seen)
            rows[query, candidate] = {
                "target": target,
                "condition": condition,
                "query": query,
                "candidate": candidate,
                "mexa": both,
                "mutual_precision": mutual.precision,
                "mutual_recall": mutual.recall,
                "hubness": hubness(seen),
            }
    return [rows[pair] for pair in ordered_pairs(list(space))]
