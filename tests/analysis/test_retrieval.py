"""Ranks, rescoring and mining compared with faiss, scikit-learn, hand-worked cases and laws."""

import inspect

import numpy as np
import pytest
import torch
from scipy.stats import skew
from sklearn.metrics import label_ranking_average_precision_score
from sklearn.neighbors import NearestNeighbors

from tl_experts.analysis.retrieval import (
    MEASURES,
    NEVER,
    all_pair_ranks,
    cosine_similarity,
    csls,
    hubness,
    mexa,
    mutual_neighbours,
    ordered_pairs,
    ratio_margin,
    scored,
    scores_of_ranks,
    top1_accuracy,
    top1_hits,
    translation_ranks,
)
from tl_experts.errors import TLExpertsError

# Three sentences, two dimensions. Cosines by hand: rows are queries.
QUERIES = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])
CANDIDATES = torch.tensor([[4.0, 3.0], [0.0, 1.0], [1.0, 0.0]])
COSINES = torch.tensor([[0.8, 0.0, 1.0], [0.6, 1.0, 0.0], [0.96, 0.8, 0.6]])


def parallel(
    count: int = 40, dim: int = 8, noise: float = 0.6, languages=("en", "de", "ja")
) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    meaning = torch.randn(count, dim, generator=generator)
    return {language: meaning + noise * torch.randn(count, dim, generator=generator) for language in languages}


# --- by hand ------------------------------------------------------------------------------------------------------


def test_cosines_and_ranks_by_hand():
    similarity = cosine_similarity(QUERIES, CANDIDATES)
    torch.testing.assert_close(similarity, COSINES)
    assert translation_ranks(similarity).tolist() == [1, 0, 2]
    scores = scores_of_ranks(translation_ranks(similarity))
    assert (scores.top1, scores.top5) == pytest.approx((1 / 3, 1))
    assert scores.mrr == pytest.approx((1 / 2 + 1 + 1 / 3) / 3)


def test_csls_and_margin_by_hand():
    # One neighbour: the nearest of each row is 1, 1, .96; of each column .96, 1, 1.
    expected = 2 * COSINES - torch.tensor([1.0, 1.0, 0.96])[:, None] - torch.tensor([0.96, 1.0, 1.0])
    torch.testing.assert_close(csls(COSINES, neighbours=1), expected)
    means = (torch.tensor([1.0, 1.0, 0.96])[:, None] + torch.tensor([0.96, 1.0, 1.0])) / 2
    torch.testing.assert_close(ratio_margin(COSINES, neighbours=1), COSINES / means)


def test_mining_by_hand():
    # Row maxima: 2, 1, 0; column maxima: 2, 1, 0: all mutual, one of them right.
    found = mutual_neighbours(COSINES)
    assert (found.found, found.precision, found.recall) == (3, pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert mexa(COSINES) == pytest.approx(1 / 3)


def test_ties_at_a_lower_row_come_before():
    same = torch.ones(3, 3)
    assert translation_ranks(same).tolist() == [0, 1, 2]
    assert mexa(same) == 0


# --- references -----------------------------------------------------------------------------------------------------


def test_ranks_are_scikit_learns():
    similarity = cosine_similarity(*list(parallel().values())[:2])
    ranks = translation_ranks(similarity)
    assert scores_of_ranks(ranks).mrr == pytest.approx(
        label_ranking_average_precision_score(np.eye(40), similarity.numpy())
    )
    order = similarity.argsort(dim=1, descending=True)
    assert ranks.tolist() == [(order[i] == i).nonzero().item() for i in range(40)]


def test_csls_neighbourhoods_are_faisss():
    faiss = pytest.importorskip("faiss")
    queries, candidates = list(parallel(60).values())[:2]
    units = [torch.nn.functional.normalize(v).numpy() for v in (queries, candidates)]
    means = []
    for asked, searched in (units, units[::-1]):
        index = faiss.IndexFlatIP(8)
        index.add(searched)
        means.append(index.search(asked, 10)[0].mean(axis=1))
    expected = 2 * units[0] @ units[1].T - means[0][:, None] - means[1]
    np.testing.assert_allclose(csls(cosine_similarity(queries, candidates)).numpy(), expected, atol=1e-5)


def test_hubness_is_the_skewness_of_scikit_learns_neighbours():
    queries, candidates = list(parallel(80, noise=2).values())[:2]
    nearest = NearestNeighbors(n_neighbors=10, metric="cosine").fit(candidates).kneighbors(queries)[1]
    expected = skew(np.bincount(nearest.flatten(), minlength=80))
    assert hubness(cosine_similarity(queries, candidates)) == pytest.approx(expected, abs=1e-9)
    assert hubness(torch.eye(4), neighbours=1) == 0
    assert hubness(torch.tensor([[1.0, 0.0, 0.0]] * 3), neighbours=1) > 0.7  # one hub


# --- laws -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", MEASURES)
def test_all_pairs_is_every_pair_by_itself_in_both_spaces(measure):
    before, after = parallel(), parallel(noise=0.2)
    for candidates in (None, after):
        found = all_pair_ranks(before, candidates, measure=measure)
        assert list(found) == ordered_pairs(["en", "de", "ja"])
        for (one, other), ranks in found.items():
            similarity = cosine_similarity(before[one], (candidates or before)[other])
            assert torch.equal(ranks, translation_ranks(scored(similarity, measure)))
    assert scores_of_ranks(all_pair_ranks(before)["en", "ja"]).top1 == top1_accuracy(before["en"], before["ja"])


@pytest.mark.parametrize("measure", MEASURES)
def test_a_language_finds_itself_and_nothing_depends_on_scale_or_row_order(measure):
    vectors = parallel()
    assert translation_ranks(scored(cosine_similarity(vectors["en"], vectors["en"]), measure)).sum() == 0
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    ranks = translation_ranks(scored(cosine_similarity(vectors["en"], vectors["de"]), measure))
    turned = translation_ranks(scored(cosine_similarity(3 * vectors["en"][order], vectors["de"][order]), measure))
    assert torch.equal(turned, ranks[order])


def test_csls_and_margin_repair_a_hub():
    vectors = parallel(60, noise=0.5)
    candidates = vectors["de"].clone()
    candidates += 3 * torch.randn(1, 8, generator=torch.Generator().manual_seed(9)) * (torch.arange(60) < 4)[:, None]
    plain = cosine_similarity(vectors["en"] + 0.5, candidates)
    top1 = {measure: scores_of_ranks(translation_ranks(scored(plain, measure))).top1 for measure in MEASURES}
    assert top1["csls"] >= top1["cosine"]
    assert hubness(csls(plain)) < hubness(plain)


def test_bad_input_is_refused():
    with pytest.raises(TLExpertsError, match="no sentence to retrieve"):
        cosine_similarity(torch.zeros(0, 3), torch.zeros(0, 3))
    with pytest.raises(TLExpertsError, match="differ in shape"):
        cosine_similarity(torch.zeros(2, 3), torch.zeros(3, 3))
    with pytest.raises(TLExpertsError, match="NaN or infinite"):
        cosine_similarity(torch.full((2, 2), torch.inf), torch.ones(2, 2))
    with pytest.raises(TLExpertsError, match="neighbours is 0"):
        csls(COSINES, neighbours=0)
    with pytest.raises(TLExpertsError, match="measure"):
        scored(COSINES, "cos")
    for count in (5.0, True):
        with pytest.raises(TLExpertsError, match=f"neighbours is {count}; expected a whole number"):
            hubness(COSINES, neighbours=count)


def test_retrieval_by_hand():
    queries = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    candidates = torch.tensor([[2.0, 0.1], [5.0, 0.0], [1.0, 0.9]])
    # cosines: row 0 -> candidate 1, row 1 -> candidate 2, row 2 -> candidate 2
    assert top1_hits(queries, candidates).tolist() == [False, False, True]
    assert top1_accuracy(queries, candidates) == pytest.approx(1 / 3)


def test_a_language_finds_itself_and_its_rotation_does_too():
    vectors = torch.randn(50, 16, generator=torch.Generator().manual_seed(2))
    rotation = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(3))).Q
    assert top1_accuracy(vectors, vectors) == 1.0
    assert top1_accuracy(vectors @ rotation, vectors @ rotation) == 1.0
    order = torch.randperm(50, generator=torch.Generator().manual_seed(4))
    assert top1_accuracy(vectors, vectors[order]) == float((order == torch.arange(50)).float().mean())


def test_retrieval_agrees_with_scikit_learns_nearest_neighbours():
    from sklearn.neighbors import NearestNeighbors

    a, b = torch.randn(2, 200, 12, generator=torch.Generator().manual_seed(5))
    b = a + 1.2 * b
    nearest = NearestNeighbors(n_neighbors=1, metric="cosine").fit(b.numpy()).kneighbors(a.numpy())[1][:, 0]
    assert top1_hits(a, b).tolist() == (nearest == range(200)).tolist()


def test_shapes_and_values_that_cannot_be_compared_are_refused():
    with pytest.raises(TLExpertsError, match=r"\(2, 3\).*\(2, 4\)"):
        # unwrapped: the test run's own shape check would answer first
        inspect.unwrap(top1_hits)(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(TLExpertsError, match="NaN"):
        top1_accuracy(torch.full((2, 3), float("nan")), torch.zeros(2, 3))
    with pytest.raises(TLExpertsError, match="at least one row"):
        top1_accuracy(torch.zeros(0, 3), torch.zeros(0, 3))


# --- NaN never counts in favour ---------------------------------------------------------------------------------------


def test_zero_vectors_are_never_found_by_margin():
    vectors = {language: torch.zeros(3, 4) for language in ("en", "de")}
    ranks = all_pair_ranks(vectors, measure="margin")["en", "de"]
    assert ranks.tolist() == [NEVER] * 3
    scores = scores_of_ranks(ranks)
    assert (scores.top1, scores.top5) == (0, 0)
    assert scores.mrr == pytest.approx(0)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_nan_among_the_cosines_never_helps(measure, row, column):
    # The best case: without NaN, everything is found by every measure.
    cosines = torch.eye(3)
    cosines[row, column] = torch.nan
    similarity = scored(cosines, measure)
    unknown = similarity.isnan()
    ranks = translation_ranks(similarity)
    assert ((ranks < 1) == ~unknown.any(dim=1)).all(), "a query that was compared with a NaN has not found its own"
    assert (ranks[unknown.diagonal()] == NEVER).all()
    certain = ~(unknown.any(dim=0) | unknown.any(dim=1))
    assert mexa(similarity) == pytest.approx(certain.double().mean().item())
    found = mutual_neighbours(similarity)
    assert found.recall <= (~unknown.any(dim=1)).double().mean()
    assert found.found <= 3


def test_mining_ignores_pairs_whose_similarity_is_nan():
    unknown = torch.full((3, 3), torch.nan)
    found = mutual_neighbours(unknown)
    assert (found.found, found.precision, found.recall) == (0, 0, 0)
    assert mexa(unknown) == 0
    assert hubness(unknown) == 0
    # Without the NaN, candidate 0 is every query's nearest; with it, only of the last two.
    hub = torch.tensor([[torch.nan, 0.5, 0.1], [1.0, 0.5, 0.1], [1.0, 0.5, 0.1]])
    expected = skew([2, 1, 0])
    assert hubness(hub, neighbours=1) == pytest.approx(expected)


def test_a_single_query_whose_own_candidate_is_nan_is_not_found():
    assert translation_ranks(torch.tensor([[torch.nan]])).tolist() == [NEVER]
    assert translation_ranks(torch.tensor([[0.0]])).tolist() == [0]
    assert translation_ranks(torch.tensor([[1.0, torch.nan]])).tolist() == [1]


# --- NumPy ------------------------------------------------------------------------------------------------------------


def test_numpy_arrays_give_what_tensors_give():
    tensors = parallel()
    arrays = {language: rows.numpy() for language, rows in tensors.items()}
    en, de = arrays["en"], arrays["de"]
    assert top1_accuracy(en, de) == top1_accuracy(tensors["en"], tensors["de"])
    assert top1_accuracy(en, tensors["de"]) == top1_accuracy(tensors["en"], tensors["de"])
    assert torch.equal(top1_hits(en, de), top1_hits(tensors["en"], tensors["de"]))
    for measure in MEASURES:
        for pair, ranks in all_pair_ranks(arrays, tensors, measure=measure).items():
            assert torch.equal(ranks, all_pair_ranks(tensors, measure=measure)[pair]), (measure, pair)
    cosines = cosine_similarity(en, de)
    for measured in (mexa, hubness, mutual_neighbours):
        assert measured(cosines.numpy()) == measured(cosines)
    assert scores_of_ranks(translation_ranks(cosines.numpy()).numpy()) == scores_of_ranks(translation_ranks(cosines))


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.astype(np.float64),
        lambda rows: rows.astype(">f4"),
        lambda rows: rows[::-1][::-1],
        lambda rows: np.asfortranarray(rows),
        lambda rows: np.broadcast_to(rows, rows.shape),  # read-only
    ],
    ids=["float64", "big-endian", "reversed", "by columns", "read-only"],
)
def test_any_layout_of_a_numpy_array_is_accepted(change, recwarn):
    vectors = parallel()
    array = change(vectors["en"].numpy())
    assert top1_accuracy(array, vectors["de"]) == top1_accuracy(vectors["en"], vectors["de"])
    assert not recwarn.list
