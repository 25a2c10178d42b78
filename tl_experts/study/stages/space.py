"""The embedding space before and after: distances (Table 1), isotropy, language subspace, variance, pictures."""

import numpy as np
import torch
from einops import einsum, rearrange, reduce
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.distances import LanguageDistances
from tl_experts.analysis.isotropy import isoscore, mean_random_cosine, partition_ratio
from tl_experts.analysis.retrieval import ordered_pairs
from tl_experts.analysis.statistics import standard_error
from tl_experts.analysis.subspace import (
    LanguageSubspace,
    language_subspace,
    principal_angles,
    variance_share,
    variance_shares,
)
from tl_experts.analysis.vectors import normalise
from tl_experts.errors import StudyError
from tl_experts.study.bench import Bench, Row, Space, Tables
from tl_experts.study.config import StudyConfig

PICTURED = 60
"""Sentences of each language in the picture."""


def space(bench: Bench) -> Tables:
    """Measures of the space itself.

    Returns:
        ``distances``: the paper's four rows for each target; ``table1``: their mean and standard error over targets;
        ``pair_distances``: for every two languages; ``geometry``: isotropy, subspace and variance; ``picture``: points.
    """
    tables: Tables = {"distances": [], "pair_distances": [], "geometry": [], "picture": []}
    pre = bench.space()
    before = bench.distances(pre)
    own = language_subspace(pre, rank=bench.config.subspace_rank)
    tables["geometry"].append({"target": "", "condition": "pre", **_geometry(pre, own, own)})
    tables["pair_distances"] += _pairs("", "pre", before)
    for target in bench.config.targets:
        post = bench.space(bench.experts(target))
        after = bench.distances(post)
        for condition, found in (("pre", before), ("post", after)):
            tables["distances"].append({"target": target, "condition": condition, **found.table1(target)})
        changed = language_subspace(post, rank=bench.config.subspace_rank)
        tables["geometry"].append({"target": target, "condition": "post", **_geometry(post, changed, own)})
        tables["pair_distances"] += _pairs(target, "post", after)
        tables["picture"] += _picture(bench.config, target, pre, post)
    tables["table1"] = _table1(tables["distances"])
    return tables


def _table1(rows: list[Row]) -> list[Row]:
    """Mean and standard error over targets."""
    table = []
    for measure in ("all_pairs", "target_to_medoid", "nontarget_to_medoid", "nontarget_to_target"):
        row: Row = {"measure": measure}
        for condition in ("pre", "post"):
            values = np.array([line[measure] for line in rows if line["condition"] == condition])
            row |= {condition: float(values.mean()), f"{condition}_se": standard_error(values)}
        table.append(row)
    return table


def _pairs(target: str, condition: str, found: LanguageDistances) -> list[Row]:
    index_of = {language: index for index, language in enumerate(found.languages)}
    return [
        {
            "target": target,
            "condition": condition,
            "language": one,
            "other": other,
            "distance": float(found.between[index_of[one], index_of[other]]),
        }
        for one, other in ordered_pairs(found.languages)
    ]


def _geometry(vectors: Space, own: LanguageSubspace, original: LanguageSubspace) -> Row:
    everything = torch.cat(list(vectors.values()))
    shares = variance_shares(vectors)
    angles = principal_angles(own, original)
    return {
        "mean_cosine": mean_random_cosine(everything),
        "partition_ratio": partition_ratio(normalise(everything)),
        "isoscore": isoscore(everything),
        "subspace_share": variance_share(vectors, own),
        "angle_mean": float(angles.mean()),
        "angle_largest": float(angles.max()),
        "variance_language": shares.language,
        "variance_meaning": shares.meaning,
        "variance_rest": shares.rest,
    }


def _picture(config: StudyConfig, target: str, pre: Space, post: Space) -> list[Row]:
    """Points of pre and post projected together to one plane (Figure 6)."""
    labelled = [
        (condition, language, row)
        for condition, vectors in (("pre", pre), ("post", post))
        for language, values in vectors.items()
        for row in range(min(PICTURED, len(values)))
    ]
    spaces = {"pre": pre, "post": post}
    cloud = normalise(torch.stack([spaces[condition][language][row] for condition, language, row in labelled]))
    points = _umap(cloud, config.seed) if config.picture == "umap" else _pca(cloud)
    return [
        {"target": target, "condition": condition, "language": language, "row": row, "x": x, "y": y}
        for (condition, language, row), (x, y) in zip(labelled, points.tolist(), strict=True)
    ]


def _pca(cloud: Float[Tensor, "point dim"]) -> Float[Tensor, "point component"]:
    centred = (cloud - reduce(cloud, "point dim -> dim", "mean")).double()
    _, directions = torch.linalg.eigh(einsum(centred, centred, "point dim, point other -> dim other"))
    plane = directions[:, -2:].flip(1)
    # The sign of an eigenvector is arbitrary: its largest component is made positive, for reproducible pictures.
    largest = rearrange(plane.abs().argmax(dim=0), "component -> 1 component")
    points: Tensor = centred @ (plane * plane.gather(0, largest).sign())
    return points


def _umap(cloud: Float[Tensor, "point dim"], seed: int) -> Float[Tensor, "point component"]:
    try:
        import umap
    except ImportError as error:
        raise StudyError("picture = 'umap' needs umap-learn: pip install 'tl-experts[umap]', or use 'pca'") from error
    return torch.from_numpy(umap.UMAP(metric="cosine", random_state=seed, n_jobs=1).fit_transform(cloud.numpy()))
