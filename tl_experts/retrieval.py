"""Retrieval: does a sentence find its translation? Pure functions of arrays."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tl_experts.errors import TLExpertsError
from tl_experts.geometry import normalise


def top1_hits(
    queries: Float[Tensor, "sentence dim"], candidates: Float[Tensor, "sentence dim"]
) -> Bool[Tensor, " sentence"]:
    """Whether the candidate nearest to each query by cosine is its translation, the one in the same row.

    A candidate that ties with the right one at a lower row wins, so that equal vectors do not count as found.

    Args:
        queries: sentences in one language.
        candidates: their translations, row by row.

    Raises:
        TLExpertsError: no rows, shapes differ, or a value is not finite.
    """
    if not len(queries):
        raise TLExpertsError("no sentence to retrieve; give at least one row")
    if queries.shape != candidates.shape:
        raise TLExpertsError(
            f"queries {tuple(queries.shape)} and candidates {tuple(candidates.shape)} differ in shape; "
            "give the translations row by row"
        )
    if not (bool(queries.isfinite().all()) and bool(candidates.isfinite().all())):
        raise TLExpertsError("an embedding is NaN or infinite; was the model loaded in a dtype that overflows?")
    similarity = normalise(queries) @ normalise(candidates).T
    return similarity.argmax(dim=1) == torch.arange(len(queries), device=queries.device)


def top1_accuracy(queries: Float[Tensor, "sentence dim"], candidates: Float[Tensor, "sentence dim"]) -> float:
    """The share of queries whose nearest candidate is their translation (Sundar et al. 2025, section 6).

    >>> import torch
    >>> top1_accuracy(torch.eye(2), torch.tensor([[1.0, 0.1], [1.0, 0.0]]))
    0.0
    """
    return float(top1_hits(queries, candidates).float().mean())
