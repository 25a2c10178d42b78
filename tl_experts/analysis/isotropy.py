"""How evenly embeddings fill their space: three measures, each 1 (for the mean cosine, 0) in a perfectly even cloud."""

import torch
from einops import einsum, reduce
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.arrays import Array, as_tensor
from tl_experts.analysis.vectors import normalise, require_finite
from tl_experts.errors import TLExpertsError


def mean_random_cosine(vectors: Float[Array, "sentence dim"]) -> float:
    """The mean cosine over all pairs of two different vectors (Ethayarajh 2019); 0 for an even cloud.

    Exact, not sampled: the sum over pairs is the squared length of the sum, minus each vector paired with itself.

    Examples:
        >>> mean_random_cosine(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))
        0.3333333333333333

    Raises:
        TLExpertsError: fewer than two vectors, or one is not finite.
    """
    units = normalise(_cloud(vectors)).double()
    count = len(units)
    total = reduce(units, "sentence dim -> dim", "sum")
    return float((total.square().sum() - units.square().sum()) / (count * (count - 1)))


def partition_ratio(vectors: Float[Array, "sentence dim"]) -> float:
    """Ratio min Z(c) / max Z(c) over unit directions c, with Z(c) = sum exp(c . v) (Mu and Viswanath 2018, section 2).

    As in the paper, the directions are the eigenvectors of V^T V. Both signs of each are tried, since the sign of an
    eigenvector is arbitrary. 1 for an even cloud, near 0 where one direction dominates. Scale matters: give unit
    vectors to compare models.

    Raises:
        TLExpertsError: fewer than two vectors, or one is not finite.
    """
    values = _cloud(vectors).double()
    _, directions = torch.linalg.eigh(einsum(values, values, "sentence dim, sentence other -> dim other"))
    along = values @ directions
    # In logarithms: hidden states are long, and exp() of their products overflows.
    log_z = torch.cat([along.logsumexp(dim=0), (-along).logsumexp(dim=0)])
    return float((log_z.min() - log_z.max()).exp())


def isoscore(vectors: Float[Array, "sentence dim"]) -> float:
    """IsoScore: how evenly the variance is spread over the principal components (Rudman et al. 2022, algorithm 1).

    0 (all variance along one direction) to 1 (the same along all).

    Raises:
        TLExpertsError: fewer than two vectors or dimensions, one is not finite, or all are the same.
    """
    values = _cloud(vectors).double()
    dim = values.shape[1]
    if dim < 2:
        raise TLExpertsError(f"vectors of {dim} dimension; IsoScore needs two or more")
    centred = values - reduce(values, "sentence dim -> 1 dim", "mean")
    # The algorithm asks for the sum and the norm of the variances along the principal components only: the trace and
    # the norm of the scatter matrix, or of the smaller one that has the same eigenvalues above zero. Step by step,
    # phi = (dim - defect^2 (dim - sqrt(dim)))^2 / dim^2 is sum^2 / (dim norm^2), and no eigenvalue is computed.
    scatter = centred @ centred.T if len(centred) < dim else centred.T @ centred
    norm = float(scatter.norm())
    if not norm > 0:
        raise TLExpertsError("all vectors are the same; their spread has no shape")
    return ((float(scatter.trace()) / norm) ** 2 - 1) / (dim - 1)


def _cloud(vectors: Float[Array, "sentence dim"]) -> Float[Tensor, "sentence dim"]:
    values = as_tensor(vectors)
    if len(values) < 2:
        raise TLExpertsError(f"{len(values)} vector(s); give two or more")
    require_finite(values)
    return values
