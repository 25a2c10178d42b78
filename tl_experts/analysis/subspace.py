"""The directions along which languages differ, and what is left without them.

Source: LSAR (Xie et al. 2022): the language subspace is spanned by the singular vectors of the languages' centred
means.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.vectors import require_finite
from tl_experts.errors import TLExpertsError

Vectors = Mapping[str, Tensor]
"""Language to ``[sentence dim]``."""


@dataclass(frozen=True, eq=False)
class LanguageSubspace:
    """Where languages differ."""

    basis: Float[Tensor, "rank dim"]
    """Orthonormal, the direction in which the means differ most first."""

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
        rank: directions to keep; None: all, one less than there are languages.

    Raises:
        TLExpertsError: fewer than two languages, a rank that cannot be, or a value that is not finite.
    """
    if len(vectors) < 2:
        raise TLExpertsError(f"{len(vectors)} language(s); a subspace of differences needs two or more")
    most = len(vectors) - 1
    wanted = most if rank is None else rank
    if not 1 <= wanted <= most:
        raise TLExpertsError(
            f"rank {rank}: {len(vectors)} languages differ in at most {most} directions; give 1 to {most}"
        )
    require_finite(*vectors.values())
    means = torch.stack([vector.double().mean(dim=0) for vector in vectors.values()])
    _, singular, directions = torch.linalg.svd(means - means.mean(dim=0), full_matrices=False)
    squared = singular.square()
    return LanguageSubspace(directions[:wanted], (squared / squared.sum().clamp(min=1e-300))[:wanted])


def project_out(vectors: Float[Tensor, "sentence dim"], subspace: LanguageSubspace) -> Float[Tensor, "sentence dim"]:
    """The vectors without their part in the subspace."""
    basis = subspace.basis
    values = vectors.double()
    return (values - values @ basis.T @ basis).to(vectors.dtype)


def variance_share(vectors: Vectors, subspace: LanguageSubspace) -> float:
    """The share of the variance of all vectors that lies in the subspace, 0 to 1."""
    together = torch.cat([vector.double() for vector in vectors.values()])
    centred = together - together.mean(dim=0)
    return float((centred @ subspace.basis.T).square().sum() / centred.square().sum().clamp(min=1e-300))


def principal_angles(one: LanguageSubspace, other: LanguageSubspace) -> Float[Tensor, " angle"]:
    """The angles between two subspaces in degrees, smallest first (0: a shared direction; 90: none).

    From the sines where angles are small and the cosines where they are large, since an arc cosine near 1 loses half
    its digits (Björck and Golub 1973; Knyazev and Argentati 2002).
    """
    count = min(one.rank, other.rank)
    cosines = torch.linalg.svdvals(one.basis @ other.basis.T)[:count].clamp(max=1)
    small, large = (one, other) if one.rank <= other.rank else (other, one)
    rest = small.basis - (small.basis @ large.basis.T) @ large.basis
    sines = torch.linalg.svdvals(rest).flip(0)[:count].clamp(max=1)
    return torch.where(cosines.square() < 0.5, cosines.arccos(), sines.arcsin()).rad2deg()


@dataclass(frozen=True)
class VarianceShares:
    """Where the variance of aligned vectors comes from; the three add up to 1."""

    language: float
    """Between the means of languages: what language a sentence is in."""

    meaning: float
    """Between the means of rows: what a sentence says, in any language."""

    rest: float
    """Neither: what a sentence says in one language only."""


def variance_shares(vectors: Vectors) -> VarianceShares:
    """Split the variance of aligned vectors (two-way, one vector a cell).

    Args:
        vectors: by language, row by row translations of each other.

    Raises:
        TLExpertsError: languages differ in their number of rows, nothing varies, or a value is not finite.
    """
    shapes = {tuple(vector.shape) for vector in vectors.values()}
    if len(shapes) != 1:
        raise TLExpertsError(f"vectors of shapes {sorted(shapes)}; give aligned rows, the same in every language")
    require_finite(*vectors.values())
    cube = torch.stack([vector.double() for vector in vectors.values()])
    mean = cube.mean(dim=(0, 1))
    total = (cube - mean).square().sum()
    if not float(total) > 0:
        raise TLExpertsError("all vectors are the same; there is no variance to share out")
    languages, rows = len(cube), cube.shape[1]
    language = float(rows * (cube.mean(dim=1) - mean).square().sum() / total)
    meaning = float(languages * (cube.mean(dim=0) - mean).square().sum() / total)
    return VarianceShares(language, meaning, max(0.0, 1 - language - meaning))
