"""Measures that several stages share: hits by kind of pair, gains with their intervals, Holm's correction."""

import warnings
from collections.abc import Collection, Mapping

import numpy as np
import torch
from einops import reduce
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.analysis.retrieval import scores_of_ranks
from tl_experts.analysis.statistics import SIGNIFICANT, enough_resamples, holm, mean_interval, paired_gain, smallest_p
from tl_experts.errors import TLExpertsWarning
from tl_experts.study.bench import Bench, Row

Ranks = Mapping[tuple[str, str], Tensor]
Hits = NDArray[np.float64]

KINDS = ("target as query", "target as candidate", "other pairs", "all pairs")


def hits_by_kind(ranks: Ranks, target: str) -> dict[str, Hits]:
    """For every sentence, the share of pairs in which it finds its translation, by the target's role in the pair."""
    chosen: dict[str, list[Tensor]] = {kind: [] for kind in KINDS}
    for (query, candidate), rank in ranks.items():
        kind = KINDS[0] if query == target else KINDS[1] if candidate == target else KINDS[2]
        chosen[kind].append(rank)
        chosen[KINDS[3]].append(rank)
    return {kind: _share_found(torch.stack(found)) for kind, found in chosen.items() if found}


def _share_found(ranks: Int[Tensor, "pair sentence"]) -> Hits:
    return reduce((ranks < 1).double(), "pair sentence -> sentence", "mean").numpy()


def mean_top1(found: Collection[Tensor]) -> float:
    """The mean over pairs of the share of queries that find their translation."""
    return sum(scores_of_ranks(ranks).top1 for ranks in found) / len(found)


def gain(bench: Bench, before: Hits, after: Hits) -> Row:
    """The gain of the same sentences, its interval and p."""
    found = paired_gain(before, after, seed=bench.config.seed, resamples=bench.config.resamples)
    return {"gain": found.value, "low": found.low, "high": found.high, "p": found.p}


def correct(bench: Bench, rows: list[Row]) -> None:
    """Holm's correction over all gains of a table.

    Warns:
        TLExpertsWarning: too few resamples for any gain of this table to be significant.
    """
    resamples = bench.config.resamples
    if rows and not has_power(resamples, len(rows)):
        warnings.warn(
            f"with {resamples} resamples, p is at least {smallest_p(resamples, len(rows)):.2g} after Holm's correction "
            f"over {len(rows)} gains, so none can be significant; set resamples to {enough_resamples(len(rows))} or "
            "more",
            TLExpertsWarning,
            stacklevel=2,
        )
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = p


def has_power(resamples: int, tests: int) -> bool:
    """Whether any of some tests can be significant after Holm's correction."""
    return smallest_p(resamples, tests) < SIGNIFICANT


def accuracy(bench: Bench, hits: Hits) -> Row:
    """Top-1 and its interval."""
    found = mean_interval(hits, seed=bench.config.seed, resamples=bench.config.resamples)
    return {"top1": found.value, "low": found.low, "high": found.high}
