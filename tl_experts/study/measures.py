"""What several stages measure alike: hits by kind of pair, gains with their intervals, Holm's correction."""

from collections.abc import Collection, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.analysis.retrieval import scores_of_ranks
from tl_experts.analysis.statistics import holm, mean_interval, paired_gain
from tl_experts.study.bench import Bench, Row

Ranks = Mapping[tuple[str, str], Tensor]
Hits = NDArray[np.float64]

KINDS = ("target as query", "target as candidate", "other pairs", "all pairs")


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
