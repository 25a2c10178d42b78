"""What goes with what over candidate languages: Table 2, and the same for our own measurements.

Source: Sundar et al. 2025, table 2.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from tl_experts.distances import language_distances
from tl_experts.errors import TLExpertsError
from tl_experts.isotropy import isoscore
from tl_experts.retrieval import all_pair_ranks, cosine_similarity
from tl_experts.statistics import pearson
from tl_experts.study.bench import Bench, Row, Space, Tables
from tl_experts.subspace import LanguageSubspace, language_subspace

Values = dict[str, NDArray[np.float64]]
"""One number per candidate language, by what it measures."""

PAPER = {
    "acc_post~d_post": ("accuracy post", "distance post"),
    "acc_pre~d_pre": ("accuracy pre", "distance pre"),
    "d_post~d_pre": ("distance post", "distance pre"),
    "gain~d_pre-d_post": ("gain", "distance reduction"),
}
"""The columns of the paper's table 2."""

OWN = {
    "gain~isoscore_gain": ("gain", "isoscore gain"),
    "gain~subspace_reduction": ("gain", "subspace reduction"),
    "gain~margin_gain": ("gain", "margin gain"),
}


def correlations(bench: Bench) -> Tables:
    """Pearson's r over candidate languages, the target as query, with a bootstrap interval.

    Returns:
        ``correlations``: by target and pair of measures (r is empty where one does not vary); ``candidates``: what was
        measured of every candidate language.
    """
    pre = bench.space()
    tables: Tables = {"correlations": [], "candidates": []}
    for target in bench.config.targets:
        values = _measured(target, pre, bench.space(bench.experts(target)))
        others = [language for language in pre if language != target]
        for place, language in enumerate(others):
            numbers = {name: float(column[place]) for name, column in values.items()}
            tables["candidates"].append({"target": target, "candidate": language, **numbers})
        for name, (x, y) in (PAPER | OWN).items():
            tables["correlations"].append({"target": target, "of": name, **_pearson(bench, values[x], values[y])})
    return tables


def _measured(target: str, pre: Space, post: Space) -> Values:
    one, other = _of_space(target, pre), _of_space(target, post)
    values = {f"{name} pre": column for name, column in one.items()}
    values |= {f"{name} post": column for name, column in other.items()}
    values["gain"] = other["accuracy"] - one["accuracy"]
    values["distance reduction"] = one["distance"] - other["distance"]
    values["isoscore gain"] = other["isoscore"] - one["isoscore"]
    values["subspace reduction"] = one["subspace share"] - other["subspace share"]
    values["margin gain"] = other["margin"] - one["margin"]
    return values


def _of_space(target: str, space: Space) -> Values:
    others = [language for language in space if language != target]
    ranks = all_pair_ranks(space)
    distances = language_distances(space).to(target)
    subspace = language_subspace(space)
    return {
        "accuracy": np.array([float((ranks[target, language] < 1).double().mean()) for language in others]),
        "distance": np.array([distances[language] for language in others]),
        "isoscore": np.array([isoscore(space[language]) for language in others]),
        "subspace share": np.array([_share(space, language, subspace) for language in others]),
        "margin": np.array([_margin(space, target, language) for language in others]),
    }


def _share(space: Space, language: str, subspace: LanguageSubspace) -> float:
    """The share of a language's squared length, about the mean of all, in the language subspace."""
    shifted = space[language].double() - torch.cat(list(space.values())).double().mean(dim=0)
    return float((shifted @ subspace.basis.T).square().sum() / shifted.square().sum())


def _margin(space: Space, target: str, language: str) -> float:
    """How far the right candidate's cosine lies above the best wrong one's, on average."""
    similarity = cosine_similarity(space[target], space[language])
    right = similarity.diagonal().clone()
    similarity.fill_diagonal_(-2)
    return float((right - similarity.amax(dim=1)).double().mean())


def _pearson(bench: Bench, x: NDArray[np.float64], y: NDArray[np.float64]) -> Row:
    try:
        found = pearson(x, y, seed=bench.config.seed, resamples=bench.config.resamples)
    except TLExpertsError:
        # Nothing to correlate: two languages only, or the same accuracy for all. The paper leaves the cell empty.
        return {"r": float("nan"), "low": float("nan"), "high": float("nan")}
    return {"r": found.value, "low": found.low, "high": found.high}
