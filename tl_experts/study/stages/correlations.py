"""Correlations over candidate languages: the paper's Table 2, and the same for our own measurements.

Source: Sundar et al. 2025, table 2.
"""

import numpy as np
import torch
from einops import reduce
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.analysis.isotropy import isoscore
from tl_experts.analysis.retrieval import cosine_similarity, scores_of_ranks, translation_ranks
from tl_experts.analysis.statistics import pearson
from tl_experts.analysis.subspace import LanguageSubspace, coordinates, language_subspace
from tl_experts.errors import TLExpertsError
from tl_experts.study.bench import Bench, Row, Space, Tables

Values = dict[str, NDArray[np.float64]]
"""One number per candidate language, by the name of the measurement."""

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
        ``correlations``: by target and pair of measures (r is empty where one does not vary); ``candidates``: the
        measurements of every candidate language.
    """
    pre = bench.space()
    shape = _shape(pre)
    tables: Tables = {"correlations": [], "candidates": []}
    for target in bench.config.targets:
        post = bench.space(bench.experts(target))
        values = _measured(_of_space(bench, target, pre, shape), _of_space(bench, target, post, _shape(post)))
        others = [language for language in pre if language != target]
        for index, language in enumerate(others):
            numbers = {name: float(column[index]) for name, column in values.items()}
            tables["candidates"].append({"target": target, "candidate": language, **numbers})
        for name, (x, y) in (PAPER | OWN).items():
            tables["correlations"].append({"target": target, "of": name, **_pearson(bench, values[x], values[y])})
    return tables


def _measured(one: Values, other: Values) -> Values:
    values = {f"{name} pre": column for name, column in one.items()}
    values |= {f"{name} post": column for name, column in other.items()}
    values["gain"] = other["accuracy"] - one["accuracy"]
    values["distance reduction"] = one["distance"] - other["distance"]
    values["isoscore gain"] = other["isoscore"] - one["isoscore"]
    values["subspace reduction"] = one["subspace share"] - other["subspace share"]
    values["margin gain"] = other["margin"] - one["margin"]
    return values


def _shape(space: Space) -> dict[str, tuple[float, float]]:
    """IsoScore and share in the language subspace of every language: the same whatever the target."""
    subspace = language_subspace(space)
    return {language: (isoscore(vectors), _share(space, language, subspace)) for language, vectors in space.items()}


def _of_space(bench: Bench, target: str, space: Space, shape: dict[str, tuple[float, float]]) -> Values:
    others = [language for language in space if language != target]
    distances = bench.distances(space).to(target)
    similarities = [cosine_similarity(space[target], space[language]) for language in others]
    return {
        "accuracy": np.array([scores_of_ranks(translation_ranks(similarity)).top1 for similarity in similarities]),
        "distance": np.array([distances[language] for language in others]),
        "isoscore": np.array([shape[language][0] for language in others]),
        "subspace share": np.array([shape[language][1] for language in others]),
        "margin": np.array([_margin(similarity) for similarity in similarities]),
    }


def _share(space: Space, language: str, subspace: LanguageSubspace) -> float:
    """The share of a language's squared length, about the mean of all languages, in the language subspace."""
    everything = torch.cat(list(space.values())).double()
    shifted = space[language].double() - reduce(everything, "sentence dim -> dim", "mean")
    return float(coordinates(shifted, subspace).square().sum() / shifted.square().sum())


def _margin(similarity: Tensor) -> float:
    """How far the right candidate's cosine lies above the best wrong one's, on average."""
    right = similarity.diagonal()
    wrong = similarity.clone().fill_diagonal_(-2)
    return float((right - reduce(wrong, "query candidate -> query", "max")).double().mean())


def _pearson(bench: Bench, x: NDArray[np.float64], y: NDArray[np.float64]) -> Row:
    try:
        found = pearson(x, y, seed=bench.config.seed, resamples=bench.config.resamples)
    except TLExpertsError:
        # Nothing to correlate: only two languages, or the same accuracy for all. The paper leaves such a cell empty.
        return {"r": float("nan"), "low": float("nan"), "high": float("nan")}
    return {"r": found.value, "low": found.low, "high": found.high}
