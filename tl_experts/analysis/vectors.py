"""Geometry of embedding spaces: pure functions of arrays."""

import torch
from einops import reduce
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.arrays import Array, as_tensor
from tl_experts.errors import TLExpertsError, not_finite


def normalise(vectors: Float[Array, "sentence dim"]) -> Float[Tensor, "sentence dim"]:
    """Scale every vector to length 1, in float32 (a zero vector stays zero)."""
    return torch.nn.functional.normalize(as_tensor(vectors).float(), dim=1)


def require_finite(*vectors: Float[Array, "..."]) -> None:
    """Raise an error if an embedding is NaN or infinite.

    Raises:
        TLExpertsError: with the usual cause.
    """
    if not all(bool(as_tensor(values).isfinite().all()) for values in vectors):
        raise TLExpertsError(not_finite("an embedding"))


def centre(vectors: Float[Array, "sentence dim"]) -> Float[Tensor, "sentence dim"]:
    """Subtract the mean vector: per-language centring, when the vectors are of one language."""
    values = as_tensor(vectors)
    return values - reduce(values, "sentence dim -> 1 dim", "mean")


def mean_cosine_distance(a: Float[Array, "first dim"], b: Float[Array, "second dim"]) -> float:
    """The mean of 1 - cosine over all pairs of a vector of `a` and a vector of `b`.

    The mean over pairs of a dot product is the dot product of the means, so no matrix of pairs is computed.

    Examples:
        >>> mean_cosine_distance(torch.eye(2)[:1], torch.eye(2)[1:])
        1.0
    """
    mean_a, mean_b = (reduce(normalise(vectors).double(), "sentence dim -> dim", "mean") for vectors in (a, b))
    return 1.0 - float(mean_a @ mean_b)
