"""Geometry of embedding spaces: pure functions of arrays."""

import torch
from jaxtyping import Float
from torch import Tensor

from tl_experts.errors import TLExpertsError


def normalise(vectors: Float[Tensor, "sentence dim"]) -> Float[Tensor, "sentence dim"]:
    """Scale every vector to length 1 (a zero vector stays zero)."""
    return torch.nn.functional.normalize(vectors.float(), dim=1)


def require_finite(*vectors: Float[Tensor, "..."]) -> None:
    """Refuse embeddings that are NaN or infinite.

    Raises:
        TLExpertsError: with what usually makes them so.
    """
    if not all(bool(values.isfinite().all()) for values in vectors):
        raise TLExpertsError("an embedding is NaN or infinite; was the model loaded in a dtype that overflows?")


def centre(vectors: Float[Tensor, "sentence dim"]) -> Float[Tensor, "sentence dim"]:
    """Subtract the mean vector: per-language centring, when the vectors are of one language."""
    return vectors - vectors.mean(dim=0, keepdim=True)


def mean_cosine_distance(a: Float[Tensor, "first dim"], b: Float[Tensor, "second dim"]) -> float:
    """The mean of 1 - cosine over all pairs of a vector of `a` and a vector of `b`.

    The mean over pairs of a dot product is the dot product of the means: no matrix of pairs is made.

    Examples:
        >>> mean_cosine_distance(torch.eye(2)[:1], torch.eye(2)[1:])
        1.0
    """
    return 1.0 - float(normalise(a).double().mean(dim=0) @ normalise(b).double().mean(dim=0))
