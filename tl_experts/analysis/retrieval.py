"""Retrieval: does a sentence find its translation? Pure functions of arrays.

Queries and candidates are aligned row by row: the right candidate of query i is candidate i.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tl_experts.analysis.vectors import normalise, require_finite
from tl_experts.errors import TLExpertsError, require_choice

Measure = Literal["cosine", "csls", "margin"]
MEASURES: tuple[Measure, ...] = ("cosine", "csls", "margin")
CSLS_NEIGHBOURS = 10
"""Of Conneau et al. 2018."""
MARGIN_NEIGHBOURS = 4
"""Of Artetxe and Schwenk 2019."""

_BLOCK = 2**18
"""Similarities that are compared at once: PyTorch counts in 64-bit copies, which should stay in a core's cache."""

_LEAST = 64
"""Rows, at least."""

Similarity = Float[Tensor, "query candidate"]


def top1_hits(
    queries: Float[Tensor, "sentence dim"], candidates: Float[Tensor, "candidate same"]
) -> Bool[Tensor, " sentence"]:
    """Whether the candidate nearest to each query by cosine is its translation, the one in the same row.

    A candidate that ties with the right one at a lower row wins, so that equal vectors do not count as found.

    Args:
        queries: sentences in one language.
        candidates: their translations, row by row.

    Raises:
        TLExpertsError: no rows, shapes differ, or a value is not finite.
    """
    similarity = cosine_similarity(queries, candidates)
    return similarity.argmax(dim=1) == torch.arange(len(queries), device=queries.device)


def top1_accuracy(queries: Float[Tensor, "sentence dim"], candidates: Float[Tensor, "candidate same"]) -> float:
    """The share of queries whose nearest candidate is their translation (Sundar et al. 2025, section 6).

    Examples:
        >>> import torch
        >>> top1_accuracy(torch.eye(2), torch.tensor([[1.0, 0.1], [1.0, 0.0]]))
        0.0
    """
    return float(top1_hits(queries, candidates).double().mean())


def cosine_similarity(queries: Float[Tensor, "query dim"], candidates: Float[Tensor, "candidate same"]) -> Similarity:
    """The cosine of every query with every candidate.

    Raises:
        TLExpertsError: no rows, shapes differ, or a value is not finite.
    """
    _require_rows(queries, candidates)
    require_finite(queries, candidates)
    return normalise(queries) @ normalise(candidates).T


def _require_rows(queries: Tensor, candidates: Tensor) -> None:
    if not len(queries):
        raise TLExpertsError("no sentence to retrieve; give at least one row")
    if queries.shape != candidates.shape:
        raise TLExpertsError(
            f"queries {tuple(queries.shape)} and candidates {tuple(candidates.shape)} differ in shape; "
            "give the translations row by row"
        )


def csls(similarity: Similarity, *, neighbours: int = CSLS_NEIGHBOURS) -> Similarity:
    """Cross-domain similarity local scaling: 2 cos - r(query) - r(candidate) (Conneau et al. 2018, equation 5).

    r is the mean cosine of a sentence with its nearest `neighbours` of the other language; hubs have a large one.
    """
    of_queries, of_candidates = _neighbourhoods(similarity, neighbours)
    return 2 * similarity - of_queries[:, None] - of_candidates


def ratio_margin(similarity: Similarity, *, neighbours: int = MARGIN_NEIGHBOURS) -> Similarity:
    """The ratio margin: cos over the mean of both sentences' neighbourhoods (Artetxe and Schwenk 2019, equation 2)."""
    of_queries, of_candidates = _neighbourhoods(similarity, neighbours)
    return similarity / ((of_queries[:, None] + of_candidates) / 2)


def _neighbourhoods(similarity: Similarity, neighbours: int) -> tuple[Tensor, Tensor]:
    if neighbours < 1:
        raise TLExpertsError(f"neighbours is {neighbours}; expected 1 or more")
    rows, columns = similarity.shape
    return (
        similarity.topk(min(neighbours, columns), dim=1, sorted=False).values.mean(dim=1),
        similarity.topk(min(neighbours, rows), dim=0, sorted=False).values.mean(dim=0),
    )


def scored(similarity: Similarity, measure: Measure) -> Similarity:
    """The similarity by one of `MEASURES`."""
    require_choice(measure, MEASURES, "measure", TLExpertsError)
    if measure == "cosine":
        return similarity
    return csls(similarity) if measure == "csls" else ratio_margin(similarity)


def translation_ranks(similarity: Similarity) -> Int[Tensor, " sentence"]:
    """How many candidates come before the right one, for every query; 0: found.

    A tie at a lower row comes before, as in `top1_hits`.
    """
    right = similarity.diagonal()[:, None]
    rows = max(_LEAST, _BLOCK // max(1, similarity.shape[1]))
    starts = range(0, max(1, len(similarity)), rows)
    return torch.cat([_ranks(similarity[start : start + rows], right[start : start + rows], start) for start in starts])


def _ranks(block: Float[Tensor, "row candidate"], right: Float[Tensor, "row 1"], start: int) -> Int[Tensor, " row"]:
    """Of some rows, the first of which has the number `start`."""
    ranks = torch.count_nonzero(block > right, dim=1)
    equal = block == right
    equal[:, start : start + len(block)].fill_diagonal_(False)
    # Rare in float32, and asking is cheaper than masking: only then does the order of rows matter.
    return ranks + torch.count_nonzero(equal.tril(start - 1), dim=1) if bool(equal.any()) else ranks


@dataclass(frozen=True)
class RetrievalScores:
    """One direction of one pair of languages, by one measure."""

    top1: float
    top5: float
    mrr: float
    """Mean reciprocal rank."""


def scores_of_ranks(ranks: Int[Tensor, " sentence"]) -> RetrievalScores:
    """Top-1, top-5 and mean reciprocal rank.

    Examples:
        >>> scores_of_ranks(torch.tensor([0, 1, 9]))
        RetrievalScores(top1=0.3333333333333333, top5=0.6666666666666666, mrr=0.5333333333333333)
    """
    values = ranks.double()
    return RetrievalScores(
        top1=float((ranks < 1).double().mean()),
        top5=float((ranks < 5).double().mean()),
        mrr=float((1 / (values + 1)).mean()),
    )


@torch.no_grad()
def all_pair_ranks(
    queries: Mapping[str, Tensor], candidates: Mapping[str, Tensor] | None = None, *, measure: Measure = "cosine"
) -> dict[tuple[str, str], Int[Tensor, " sentence"]]:
    """`translation_ranks` of every ordered pair of languages.

    Args:
        queries: vectors by language, aligned row by row.
        candidates: of another space ("mixed": queries before, candidates after the intervention); None: the same.
        measure: one of `MEASURES`.
    """
    languages = list(queries)
    unit = _normalised(queries)
    ranks = {}
    if candidates is None:
        # One product serves both directions: every measure here is symmetric in query and candidate.
        product = _room(unit, unit)
        for place, one in enumerate(languages):
            for other in languages[place + 1 :]:
                similarity = scored(torch.mm(unit[one], unit[other].T, out=product), measure)
                ranks[one, other] = translation_ranks(similarity)
                ranks[other, one] = translation_ranks(similarity.T)
        return {pair: ranks[pair] for pair in ordered_pairs(languages)}
    found = _normalised(candidates)
    _require_rows(next(iter(unit.values())), next(iter(found.values())))
    product = _room(unit, found)
    for one, other in ordered_pairs(languages):
        ranks[one, other] = translation_ranks(scored(torch.mm(unit[one], found[other].T, out=product), measure))
    return ranks


def _room(queries: Mapping[str, Tensor], candidates: Mapping[str, Tensor]) -> Similarity:
    """A place for one product after the other: memory of this size is fetched from the system anew each time."""
    one, other = next(iter(queries.values())), next(iter(candidates.values()))
    return one.new_empty(len(one), len(other))


def _normalised(vectors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Once a language, not once a pair."""
    for rows in vectors.values():
        _require_rows(next(iter(vectors.values())), rows)
    require_finite(*vectors.values())
    return {language: normalise(rows) for language, rows in vectors.items()}


def ordered_pairs(languages: Sequence[str]) -> list[tuple[str, str]]:
    """Every ordered pair of different languages."""
    return [(one, other) for one in languages for other in languages if one != other]


def mexa(similarity: Similarity) -> float:
    """MEXA: share of pairs whose cosine is above all others of their row and their column (Kargaran et al. 2025)."""
    right = similarity.diagonal()
    others = similarity.masked_fill(torch.eye(len(similarity), dtype=torch.bool, device=similarity.device), -torch.inf)
    return float(((right > others.amax(dim=0)) & (right > others.amax(dim=1))).double().mean())


@dataclass(frozen=True)
class MutualNeighbours:
    """Pairs that are each other's nearest, as found by mining without knowing the rows."""

    found: int
    precision: float
    """Of the mutual pairs, how many are translations (0 if there are none)."""
    recall: float
    """Of the translations, how many are mutual nearest."""


def mutual_neighbours(similarity: Similarity) -> MutualNeighbours:
    """Mutual nearest neighbours, and how many of them are translations."""
    forth, back = similarity.argmax(dim=1), similarity.argmax(dim=0)
    rows = torch.arange(len(similarity), device=similarity.device)
    mutual = back[forth] == rows
    right = int((mutual & (forth == rows)).sum())
    found = int(mutual.sum())
    return MutualNeighbours(found, right / found if found else 0.0, right / len(similarity))


def hubness(similarity: Similarity, *, neighbours: int = 10) -> float:
    """Skewness of the k-occurrence: how often each candidate is among the k nearest (Radovanović et al. 2010).

    0: every candidate equally often; large: a few candidates are near everything. 0 too where all occur alike.
    """
    k = min(neighbours, similarity.shape[1])
    nearest = similarity.topk(k, dim=1, sorted=False).indices
    occurrences = torch.bincount(nearest.flatten(), minlength=similarity.shape[1]).double()
    deviation = occurrences - occurrences.mean()
    spread = deviation.square().mean().sqrt()
    return float((deviation**3).mean() / spread**3) if float(spread) > 0 else 0.0
