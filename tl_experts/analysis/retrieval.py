"""Retrieval: does a sentence find its translation? Pure functions of arrays.

Queries and candidates are aligned row by row: the right candidate of query i is candidate i. A comparison with NaN
never counts in favour of the right candidate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from einops import reduce
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from tl_experts.analysis.arrays import Array, as_tensor, as_tensors
from tl_experts.analysis.vectors import normalise, require_finite
from tl_experts.errors import TLExpertsError, require_choice, require_least

Measure = Literal["cosine", "csls", "margin"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
CSLS_NEIGHBOURS = 10
"""As in Conneau et al. 2018."""
MARGIN_NEIGHBOURS = 4
"""As in Artetxe and Schwenk 2019."""
HUB_NEIGHBOURS = 10
"""As in Radovanović et al. 2010."""

NEVER = torch.iinfo(torch.int64).max
"""Rank of a right candidate whose similarity is NaN: it is found at no cutoff."""

_BLOCK = 2**18
"""Similarities that are compared at once: PyTorch counts in 64-bit copies, which should stay in a core's cache."""

_MIN_ROWS = 64
"""Rows of a block, at least."""

Similarity = Float[Tensor, "query candidate"]
Similarities = Float[Array, "query candidate"]


def top1_hits(
    queries: Float[Array, "sentence dim"], candidates: Float[Array, "candidate same"]
) -> Bool[Tensor, " sentence"]:
    """Whether the candidate nearest to each query by cosine is its translation, the one in the same row.

    If another candidate ties with the right one, the lower row wins, so that equal vectors do not all count as found.

    Args:
        queries: sentences in one language.
        candidates: their translations, row by row.

    Raises:
        TLExpertsError: no rows, shapes differ, or a value is not finite.
    """
    return translation_ranks(cosine_similarity(queries, candidates)) < 1


def top1_accuracy(queries: Float[Array, "sentence dim"], candidates: Float[Array, "candidate same"]) -> float:
    """The share of queries whose nearest candidate is their translation (Sundar et al. 2025, section 6).

    Examples:
        >>> import torch
        >>> top1_accuracy(torch.eye(2), torch.tensor([[1.0, 0.1], [1.0, 0.0]]))
        0.0
    """
    return float(top1_hits(queries, candidates).double().mean())


def cosine_similarity(queries: Float[Array, "query dim"], candidates: Float[Array, "candidate same"]) -> Similarity:
    """The cosine of every query with every candidate.

    Raises:
        TLExpertsError: no rows, shapes differ, or a value is not finite.
    """
    queries, candidates = as_tensor(queries), as_tensor(candidates)
    _require_rows(queries, candidates)
    require_finite(queries, candidates)
    # The hot path: the same plain product as in `all_pair_ranks`, bit for bit, no einops.
    return normalise(queries) @ normalise(candidates).T


def _require_rows(queries: Tensor, candidates: Tensor) -> None:
    if not len(queries):
        raise TLExpertsError("no sentence to retrieve; give at least one row")
    if queries.shape != candidates.shape:
        raise TLExpertsError(
            f"queries {tuple(queries.shape)} and candidates {tuple(candidates.shape)} differ in shape; "
            "give the translations row by row"
        )


def csls(similarity: Similarities, *, neighbours: int = CSLS_NEIGHBOURS) -> Similarity:
    """Cross-domain similarity local scaling: 2 cos - r(query) - r(candidate) (Conneau et al. 2018, equation 5).

    r is the mean cosine of a sentence with its nearest `neighbours` in the other language; it is large for hubs.
    """
    cosines = as_tensor(similarity)
    of_queries, of_candidates = _neighbourhoods(cosines, neighbours)
    return 2 * cosines - of_queries - of_candidates


def ratio_margin(similarity: Similarities, *, neighbours: int = MARGIN_NEIGHBOURS) -> Similarity:
    """The ratio margin: cosine over the mean of both sentences' neighbourhoods (Artetxe and Schwenk 2019, equation 2).

    NaN where that mean and the cosine are 0, as between zero vectors.
    """
    cosines = as_tensor(similarity)
    of_queries, of_candidates = _neighbourhoods(cosines, neighbours)
    return cosines / ((of_queries + of_candidates) / 2)


def _neighbourhoods(
    cosines: Similarity, neighbours: int
) -> tuple[Float[Tensor, "query 1"], Float[Tensor, " candidate"]]:
    """The mean cosine of each query and of each candidate with its nearest neighbours."""
    require_least(neighbours, "neighbours", 1)
    queries, candidates = cosines.shape
    of_queries = cosines.topk(min(neighbours, candidates), dim=1, sorted=False).values
    of_candidates = cosines.topk(min(neighbours, queries), dim=0, sorted=False).values
    return (
        reduce(of_queries, "query nearest -> query 1", "mean"),
        reduce(of_candidates, "nearest candidate -> candidate", "mean"),
    )


def scored(similarity: Similarities, measure: Measure) -> Similarity:
    """The similarity by one of `MEASURES`."""
    require_choice(measure, MEASURES, "measure", TLExpertsError)
    cosines = as_tensor(similarity)
    if measure == "cosine":
        return cosines
    return csls(cosines) if measure == "csls" else ratio_margin(cosines)


def translation_ranks(similarity: Similarities) -> Int[Tensor, " sentence"]:
    """The number of candidates ahead of the right one, for every query; 0 if the right one is found.

    A candidate of equal similarity is ahead if its row is lower, as in `top1_hits`. A candidate whose similarity is NaN
    is ahead; a right candidate whose similarity is NaN has the rank `NEVER`.
    """
    # The hot path: plain PyTorch in blocks, no einops.
    values = as_tensor(similarity)
    right = values.diagonal()[:, None]
    rows = max(_MIN_ROWS, _BLOCK // max(1, values.shape[1]))
    starts = range(0, max(1, len(values)), rows)
    return torch.cat([_ranks(values[start : start + rows], right[start : start + rows], start) for start in starts])


def _ranks(block: Float[Tensor, "row candidate"], right: Float[Tensor, "row 1"], start: int) -> Int[Tensor, " row"]:
    """The ranks of some rows, the first of which has index `start`."""
    # Whatever is not below is ahead, also NaN; the right candidate itself is not below, either.
    ranks = block.shape[1] - 1 - torch.count_nonzero(block < right, dim=1)
    equal = block == right
    equal[:, start : start + len(block)].fill_diagonal_(False)
    # Ties are rare in float32, and asking is cheaper than masking: only then does the order of rows matter.
    if bool(equal.any()):
        ranks -= torch.count_nonzero(equal.triu(start + 1), dim=1)
    return ranks.masked_fill_(right[:, 0].isnan(), NEVER)


@dataclass(frozen=True)
class RetrievalScores:
    """One direction of one pair of languages, by one measure."""

    top1: float
    top5: float
    mrr: float
    """Mean reciprocal rank."""


def scores_of_ranks(ranks: Shaped[Array, " sentence"]) -> RetrievalScores:
    """Top-1, top-5 and mean reciprocal rank.

    Examples:
        >>> scores_of_ranks(torch.tensor([0, 1, 9]))
        RetrievalScores(top1=0.3333333333333333, top5=0.6666666666666666, mrr=0.5333333333333333)
    """
    values = as_tensor(ranks).double()
    return RetrievalScores(
        top1=float((values < 1).double().mean()),
        top5=float((values < 5).double().mean()),
        mrr=float((1 / (values + 1)).mean()),
    )


@torch.no_grad()
def all_pair_ranks(
    queries: Mapping[str, Float[Array, "..."]],
    candidates: Mapping[str, Float[Array, "..."]] | None = None,
    *,
    measure: Measure = "cosine",
) -> dict[tuple[str, str], Int[Tensor, " sentence"]]:
    """`translation_ranks` of every ordered pair of languages.

    Args:
        queries: vectors by language, aligned row by row.
        candidates: vectors of another space ("mixed": queries before, candidates after the intervention); None: the
            same space.
        measure: one of `MEASURES`.
    """
    # The hot path: plain matrix products into one buffer, no einops.
    languages = list(queries)
    unit = _normalised(queries)
    ranks = {}
    if candidates is None:
        # One product serves both directions: every measure here is symmetric in query and candidate.
        product = _buffer(unit, unit)
        for index, one in enumerate(languages):
            for other in languages[index + 1 :]:
                similarity = scored(torch.mm(unit[one], unit[other].T, out=product), measure)
                ranks[one, other] = translation_ranks(similarity)
                ranks[other, one] = translation_ranks(similarity.T)
        return {pair: ranks[pair] for pair in ordered_pairs(languages)}
    found = _normalised(candidates)
    _require_rows(next(iter(unit.values())), next(iter(found.values())))
    product = _buffer(unit, found)
    for one, other in ordered_pairs(languages):
        ranks[one, other] = translation_ranks(scored(torch.mm(unit[one], found[other].T, out=product), measure))
    return ranks


def _buffer(queries: Mapping[str, Tensor], candidates: Mapping[str, Tensor]) -> Similarity:
    """One buffer for all products: allocating memory of this size each time is slow."""
    one, other = next(iter(queries.values())), next(iter(candidates.values()))
    return one.new_empty(len(one), len(other))


def _normalised(vectors: Mapping[str, Float[Array, "..."]]) -> dict[str, Tensor]:
    """Unit vectors: normalised once per language, not once per pair."""
    spaces = as_tensors(vectors)
    for rows in spaces.values():
        _require_rows(next(iter(spaces.values())), rows)
    require_finite(*spaces.values())
    return {language: normalise(rows) for language, rows in spaces.items()}


def ordered_pairs(languages: Sequence[str]) -> list[tuple[str, str]]:
    """Every ordered pair of different languages."""
    return [(one, other) for one in languages for other in languages if one != other]


def mexa(similarity: Similarities) -> float:
    """MEXA: share of pairs whose cosine exceeds all others of their row and their column (Kargaran et al. 2025)."""
    values = as_tensor(similarity)
    right = values.diagonal()
    others = values.clone().fill_diagonal_(-torch.inf)
    # The maximum of a row or column that holds NaN is NaN, and nothing is above NaN.
    above_column = right > reduce(others, "query candidate -> candidate", "max")
    above_row = right > reduce(others, "query candidate -> query", "max")
    return float((above_row & above_column).double().mean())


@dataclass(frozen=True)
class MutualNeighbours:
    """Pairs that are each other's nearest, as found by mining without knowing the rows."""

    found: int
    precision: float
    """Share of the mutual pairs that are translations (0 without a mutual pair)."""
    recall: float
    """Share of the translations that are mutual nearest neighbours."""


def mutual_neighbours(similarity: Similarities) -> MutualNeighbours:
    """Mutual nearest neighbours, and how many of them are translations."""
    values = as_tensor(similarity)
    nearest, forth = values.max(dim=1)
    back = values.argmax(dim=0)
    rows = torch.arange(len(values), device=values.device)
    # The maximum of a row that holds NaN is NaN: which candidate is nearest is not known.
    mutual = (back[forth] == rows) & ~nearest.isnan()
    right = int((mutual & (forth == rows)).sum())
    found = int(mutual.sum())
    return MutualNeighbours(found, right / found if found else 0.0, right / len(values))


def hubness(similarity: Similarities, *, neighbours: int = HUB_NEIGHBOURS) -> float:
    """Skewness of the k-occurrence: how often each candidate is among the k nearest (Radovanović et al. 2010).

    0: every candidate equally often; large: a few candidates are near everything. 0 too where all occur equally often.
    """
    require_least(neighbours, "neighbours", 1)
    values = as_tensor(similarity)
    candidates = values.shape[1]
    comparable = values.masked_fill(values.isnan(), -torch.inf)  # a NaN is among no query's nearest
    closeness, nearest = comparable.topk(min(neighbours, candidates), dim=1, sorted=False)
    occurrences = torch.bincount(nearest[closeness > -torch.inf], minlength=candidates).double()
    deviation = occurrences - occurrences.mean()
    spread = deviation.square().mean().sqrt()
    return float((deviation**3).mean() / spread**3) if float(spread) > 0 else 0.0
