"""Retrieval for every ordered pair: pre, post and mixed, by every measure, with each gain's interval.

Source: Sundar et al. 2025, section 6, figures 4, 5 and 7 to 12.
"""

from itertools import combinations

import numpy as np

from tl_experts.analysis.retrieval import (
    MEASURES,
    all_pair_ranks,
    cosine_similarity,
    hubness,
    mexa,
    mutual_neighbours,
    ordered_pairs,
    scores_of_ranks,
)
from tl_experts.study.bench import Bench, Row, Space, Tables
from tl_experts.study.measures import Ranks, correct, gain, hits_by_kind

ALL = "all"
"""Instead of a target: over all targets."""


def retrieval(bench: Bench) -> Tables:
    """Every ordered pair.

    Returns:
        ``retrieval``: top-1, top-5 and MRR by target, condition and measure (a pre row has no target); ``gains``: by
        kind of pair, with interval and Holm-corrected p; ``pair_gains``: by pair; ``gain_spread``: their median and
        extremes with the target as query; ``mining``: MEXA, mutual neighbours and hubness of every
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
    correct(bench, tables["gains"])
    correct(bench, tables["pair_gains"])
    tables["gain_spread"] = _spread(tables["pair_gains"])
    return tables


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
    """The spread over candidate languages, for each target and for all, as the paper reports its gains (section 6)."""
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
