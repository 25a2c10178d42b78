"""How evenly embeddings fill their space: three measures, each 1 for a perfectly even cloud (or 0, for the cosine)."""

import torch
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.vectors import normalise, require_finite
from tl_experts.errors import TLExpertsError


def mean_random_cosine(vectors: Float[Tensor, "sentence dim"]) -> float:
    """The mean cosine over all pairs of two different vectors (Ethayarajh 2019); 0 for an even cloud.

    Exact, not sampled: the sum over pairs is the squared length of the sum, less the vectors with themselves.

    Examples:
        >>> mean_random_cosine(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))
        0.3333333333333333

    Raises:
        TLExpertsError: fewer than two vectors, or one is not finite.
    """
    count = _require_cloud(vectors)
    units = normalise(vectors).double()
    return float((units.sum(dim=0).square().sum() - units.square().sum()) / (count * (count - 1)))


def partition_ratio(vectors: Float[Tensor, "sentence dim"]) -> float:
    """Ratio min Z(c) / max Z(c) over unit directions c, with Z(c) = sum exp(c . v) (Mu and Viswanath 2018, section 2).

    As there, the directions are the eigenvectors of V^T V; both signs of each are tried, since an eigenvector has none.
    1 for an even cloud, near 0 where one direction dominates. Scale matters: give unit vectors to compare models.

    Raises:
        TLExpertsError: fewer than two vectors, or one is not finite.
    """
    _require_cloud(vectors)
    values = vectors.double()
    _, directions = torch.linalg.eigh(values.T @ values)
    along = values @ directions
    # In logarithms: hidden states are long, and exp() of their products overflows.
    log_z = torch.cat([along.logsumexp(dim=0), (-along).logsumexp(dim=0)])
    return float((log_z.min() - log_z.max()).exp())


def isoscore(vectors: Float[Tensor, "sentence dim"]) -> float:
    """IsoScore: from how evenly the variance is spread over the principal components (Rudman et al. 2022, algorithm 1).

    0 (all variance along one direction) to 1 (the same along all).

    Raises:
        TLExpertsError: fewer than two vectors or dimensions, one is not finite, or all are the same.
    """
    _require_cloud(vectors)
    dim = vectors.shape[1]
    if dim < 2:
        raise TLExpertsError(f"vectors of {dim} dimension; IsoScore needs two or more")
    # The diagonal of the covariance after PCA is the covariance's eigenvalues.
    variances = torch.linalg.eigvalsh(torch.cov(vectors.double().T)).clamp(min=0)
    if not float(variances.norm()) > 0:
        raise TLExpertsError("all vectors are the same; their spread has no shape")
    spread = dim**0.5 * variances / variances.norm()
    defect = (spread - 1).norm() / (2 * (dim - dim**0.5)) ** 0.5
    used = (dim - defect**2 * (dim - dim**0.5)) ** 2 / dim**2
    return float((dim * used - 1) / (dim - 1))


def _require_cloud(vectors: Tensor) -> int:
    if len(vectors) < 2:
        raise TLExpertsError(f"{len(vectors)} vector(s); give two or more")
    require_finite(vectors)
    return len(vectors)
