"""The directions along which languages differ, and what remains without them.

Source: LSAR (Xie et al. 2022): the language subspace is spanned by the singular vectors of the languages' centred
means.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import einsum, reduce
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.arrays import Array, as_tensor, as_tensors
from tl_experts.analysis.vectors import require_finite
from tl_experts.errors import TLExpertsError, require_whole

Vectors = Mapping[str, Float[Array, "..."]]
"""Language to ``[sentence dim]``."""

_TINY = 1e-300
"""Divisor instead of a variance of zero: the share is then 0, not NaN."""


@dataclass(frozen=True, eq=False)
class LanguageSubspace:
    """The subspace in which the means of the languages differ."""

    basis: Float[Tensor, "rank dim"]
    """Orthonormal directions; the one along which the means differ most comes first."""

    spread: Float[Tensor, " rank"]
    """Share of the variance of the language means along each direction."""

    @property
    def rank(self) -> int:
        """The number of directions."""
        return len(self.basis)


def language_subspace(vectors: Vectors, *, rank: int | None = None) -> LanguageSubspace:
    """The subspace in which the mean vectors of the languages differ.

    Args:
        vectors: by language.
        rank: number of directions to keep; None: all, which is the number of languages minus one.

    Raises:
        TLExpertsError: fewer than two languages, a rank out of range, or a value that is not finite.
    """
    if len(vectors) < 2:
        raise TLExpertsError(f"{len(vectors)} language(s); a subspace of differences needs two or more")
    most = len(vectors) - 1
    wanted = most if rank is None else require_whole(rank, "rank")
    if not 1 <= wanted <= most:
        raise TLExpertsError(
            f"rank {rank}: {len(vectors)} languages differ in at most {most} directions; give 1 to {most}"
        )
    spaces = as_tensors(vectors)
    require_finite(*spaces.values())
    means = torch.stack([reduce(space.double(), "sentence dim -> dim", "mean") for space in spaces.values()])
    centred = means - reduce(means, "language dim -> dim", "mean")
    _, singular, directions = torch.linalg.svd(centred, full_matrices=False)
    squared = singular.square()
    return LanguageSubspace(directions[:wanted], (squared / squared.sum().clamp(min=_TINY))[:wanted])


def coordinates(vectors: Float[Array, "sentence dim"], subspace: LanguageSubspace) -> Float[Tensor, "sentence rank"]:
    """The coordinates of the vectors in the basis of the subspace, in float64."""
    return einsum(as_tensor(vectors).double(), subspace.basis, "sentence dim, rank dim -> sentence rank")


def project_out(vectors: Float[Array, "sentence dim"], subspace: LanguageSubspace) -> Float[Tensor, "sentence dim"]:
    """The vectors without their part in the subspace."""
    values = as_tensor(vectors)
    return (values.double() - coordinates(values, subspace) @ subspace.basis).to(values.dtype)


def variance_share(vectors: Vectors, subspace: LanguageSubspace) -> float:
    """The share of the variance of all vectors that lies in the subspace, 0 to 1."""
    together = torch.cat([space.double() for space in as_tensors(vectors).values()])
    centred = together - reduce(together, "sentence dim -> dim", "mean")
    return float(coordinates(centred, subspace).square().sum() / centred.square().sum().clamp(min=_TINY))


def principal_angles(one: LanguageSubspace, other: LanguageSubspace) -> Float[Tensor, " angle"]:
    """The angles between two subspaces in degrees, smallest first (0: a shared direction; 90: an orthogonal one).

    Small angles are computed from sines and large ones from cosines, since an arc cosine near 1 loses half its digits
    (Björck and Golub 1973; Knyazev and Argentati 2002).
    """
    count = min(one.rank, other.rank)
    cosines = torch.linalg.svdvals(coordinates(one.basis, other))[:count].clamp(max=1)
    small, large = (one, other) if one.rank <= other.rank else (other, one)
    sines = torch.linalg.svdvals(project_out(small.basis, large)).flip(0)[:count].clamp(max=1)
    return torch.where(cosines.square() < 0.5, cosines.arccos(), sines.arcsin()).rad2deg()


@dataclass(frozen=True)
class VarianceShares:
    """The sources of the variance of aligned vectors; the three shares add up to 1."""

    language: float
    """Between the means of languages: which language a sentence is in."""

    meaning: float
    """Between the means of rows: what a sentence says, in any language."""

    rest: float
    """Neither: what a sentence says in one language only."""


def variance_shares(vectors: Vectors) -> VarianceShares:
    """Split the variance of aligned vectors (two-way analysis, one vector per cell).

    Args:
        vectors: by language, row by row translations of each other.

    Raises:
        TLExpertsError: languages differ in their number of rows, nothing varies, or a value is not finite.
    """
    spaces = as_tensors(vectors)
    shapes = {tuple(space.shape) for space in spaces.values()}
    if len(shapes) != 1:
        raise TLExpertsError(f"vectors of shapes {sorted(shapes)}; give aligned rows, the same in every language")
    require_finite(*spaces.values())
    cube = torch.stack([space.double() for space in spaces.values()])
    languages, rows, _ = cube.shape
    mean = reduce(cube, "language row dim -> dim", "mean")
    total = (cube - mean).square().sum()
    if not float(total) > 0:
        raise TLExpertsError("all vectors are the same; there is no variance to split")
    of_language = reduce(cube, "language row dim -> language dim", "mean")
    of_row = reduce(cube, "language row dim -> row dim", "mean")
    language = float(rows * (of_language - mean).square().sum() / total)
    meaning = float(languages * (of_row - mean).square().sum() / total)
    return VarianceShares(language, meaning, max(0.0, 1 - language - meaning))
