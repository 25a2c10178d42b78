"""Isotropy and the language subspace: hand-worked cases, formulas written another way, scipy, and laws."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.spatial.distance import cdist, pdist
from sklearn.decomposition import PCA

from tl_experts.analysis.isotropy import isoscore, mean_random_cosine, partition_ratio
from tl_experts.analysis.subspace import (
    language_subspace,
    principal_angles,
    project_out,
    variance_share,
    variance_shares,
)
from tl_experts.errors import TLExpertsError

LANGUAGES = ("en", "de", "ja")


def cloud(count=200, dim=12, seed=0, scale=None) -> torch.Tensor:
    values = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values if scale is None else values * torch.as_tensor(scale, dtype=torch.float64)


def rotation(dim: int, seed: int = 5) -> torch.Tensor:
    return torch.linalg.qr(cloud(dim, dim, seed)).Q


def spaces(shift: float = 3.0) -> dict[str, torch.Tensor]:
    meaning = cloud(60, 10, seed=1)
    return {
        language: meaning + 0.3 * cloud(60, 10, seed=10 + place) + shift * torch.eye(10, dtype=torch.float64)[place]
        for place, language in enumerate(LANGUAGES)
    }


# --- isotropy -----------------------------------------------------------------------------------------------------


def test_mean_random_cosine_is_the_mean_over_all_pairs():
    vectors = cloud() + 0.5
    assert mean_random_cosine(vectors) == pytest.approx(1 - pdist(vectors, "cosine").mean(), abs=1e-6)
    assert mean_random_cosine(torch.eye(4)) == pytest.approx(0)
    assert mean_random_cosine(torch.ones(3, 4)) == pytest.approx(1)


def test_partition_ratio_by_hand_and_by_its_formula():
    # Two opposite unit vectors: Z along the axis is e + 1/e, across it 2.
    pair = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert partition_ratio(pair) == pytest.approx(2 / (np.e + 1 / np.e))
    vectors = cloud(50, 4) + 0.2
    directions = np.linalg.eigh(vectors.numpy().T @ vectors.numpy())[1]
    z = np.exp(vectors.numpy() @ np.hstack([directions, -directions])).sum(axis=0)
    assert partition_ratio(vectors) == pytest.approx(z.min() / z.max())
    assert 0 <= partition_ratio(100 * vectors) < 1e-6  # no overflow


def isoscore_of_the_paper(points: np.ndarray) -> float:
    """Algorithm 1 of Rudman et al. 2022, step by step, with scikit-learn's PCA."""
    dim = points.shape[1]
    transformed = PCA(n_components=dim).fit_transform(points)
    diagonal = np.diag(np.cov(transformed.T))
    normalised = np.sqrt(dim) * diagonal / np.linalg.norm(diagonal)
    defect = np.linalg.norm(normalised - np.ones(dim)) / np.sqrt(2 * (dim - np.sqrt(dim)))
    fraction = (dim - defect**2 * (dim - np.sqrt(dim))) ** 2 / dim**2
    return (dim * fraction - 1) / (dim - 1)


@pytest.mark.parametrize("scale", [None, [9.0] + [1.0] * 11, list(range(1, 13))])
def test_isoscore_is_the_papers_algorithm(scale):
    vectors = cloud(scale=scale)
    assert isoscore(vectors) == pytest.approx(isoscore_of_the_paper(vectors.numpy()), abs=1e-9)


def test_isoscore_has_its_limits():
    line = torch.linspace(-1, 1, 20)[:, None] * torch.tensor([[1.0, 2.0, 3.0]])
    assert isoscore(line) == pytest.approx(0, abs=1e-6)
    even = torch.cat([torch.eye(5), -torch.eye(5)])
    assert isoscore(even) == pytest.approx(1)
    # Half of the dimensions used evenly, as in the paper's example: about (k - 1) / (d - 1).
    half = torch.cat([torch.cat([torch.eye(4), -torch.eye(4)]), torch.zeros(8, 4)], dim=1)
    assert isoscore(half) == pytest.approx(3 / 7)


@pytest.mark.parametrize("measure", [mean_random_cosine, partition_ratio, isoscore])
def test_isotropy_does_not_depend_on_rotation_or_order(measure):
    vectors = cloud(scale=list(range(1, 13))) + 1
    expected = measure(vectors)
    assert measure(vectors @ rotation(12)) == pytest.approx(expected, abs=1e-9)
    assert measure(vectors.flip(0)) == pytest.approx(expected, abs=1e-9)
    with pytest.raises(TLExpertsError, match="give two or more"):
        measure(vectors[:1])
    vectors[3, 3] = torch.nan
    with pytest.raises(TLExpertsError, match="NaN or infinite"):
        measure(vectors)


def test_isoscore_refuses_what_has_no_shape():
    with pytest.raises(TLExpertsError, match="all vectors are the same"):
        isoscore(torch.ones(4, 3))
    with pytest.raises(TLExpertsError, match="two or more"):
        isoscore(torch.randn(4, 1))


# --- subspace -----------------------------------------------------------------------------------------------------


def test_projecting_the_language_subspace_out_makes_the_means_meet():
    vectors = spaces()
    subspace = language_subspace(vectors)
    assert subspace.rank == 2
    torch.testing.assert_close(subspace.basis @ subspace.basis.T, torch.eye(2, dtype=torch.float64))
    assert float(subspace.spread.sum()) == pytest.approx(1)
    without = {language: project_out(v, subspace) for language, v in vectors.items()}
    means = torch.stack([v.mean(dim=0) for v in without.values()])
    torch.testing.assert_close(means, means[:1].expand_as(means))
    assert variance_share(without, subspace) == pytest.approx(0, abs=1e-12)
    assert variance_share(vectors, subspace) > 0.3
    torch.testing.assert_close(project_out(without["en"], subspace), without["en"])


def test_the_first_directions_carry_most_and_a_rank_that_cannot_be_is_refused():
    vectors = spaces()
    one = language_subspace(vectors, rank=1)
    torch.testing.assert_close(one.basis[0], language_subspace(vectors).basis[0])
    assert 0.5 <= float(one.spread) <= 1
    for rank in (0, 3, -1):
        with pytest.raises(TLExpertsError, match="give 1 to 2"):
            language_subspace(vectors, rank=rank)
    with pytest.raises(TLExpertsError, match="two or more"):
        language_subspace({"en": vectors["en"]})


@pytest.mark.parametrize("seed", range(4))
def test_principal_angles_are_scipys(seed):
    bases = [language_subspace({str(i): cloud(9, 8, seed=seed + 31 * i + 7 * j) for i in range(4)}) for j in (0, 1)]
    theirs = np.sort(np.rad2deg(subspace_angles(bases[0].basis.numpy().T, bases[1].basis.numpy().T)))
    np.testing.assert_allclose(principal_angles(*bases).numpy(), theirs, atol=1e-9)
    np.testing.assert_allclose(principal_angles(bases[0], bases[0]).numpy(), 0, atol=1e-9)


def test_principal_angles_of_unequal_ranks():
    vectors, turned = spaces(), {k: v @ rotation(10) for k, v in spaces().items()}
    one, both = language_subspace(vectors, rank=1), language_subspace(turned)
    theirs = np.rad2deg(subspace_angles(one.basis.numpy().T, both.basis.numpy().T))
    np.testing.assert_allclose(principal_angles(one, both).numpy(), theirs, atol=1e-9)
    np.testing.assert_allclose(principal_angles(both, one).numpy(), theirs, atol=1e-9)


def test_variance_shares_add_up_and_see_what_is_there():
    shares = variance_shares(spaces())
    assert shares.language + shares.meaning + shares.rest == pytest.approx(1)
    assert variance_shares(spaces(shift=30)).language > 0.9
    apart = variance_shares(spaces(shift=0))
    assert apart.meaning > 0.8
    assert apart.language < 0.02
    same = {language: spaces()["en"] for language in LANGUAGES}
    assert variance_shares(same).meaning == pytest.approx(1)
    with pytest.raises(TLExpertsError, match="aligned rows"):
        variance_shares(spaces() | {"fr": cloud(59, 10)})


def test_between_language_variance_is_the_textbooks():
    vectors = spaces()
    everything = torch.cat(list(vectors.values())).numpy()
    within = sum(
        (cdist(v.numpy(), v.numpy(), "sqeuclidean").sum() / (2 * len(v))) for v in vectors.values()
    )  # sum of squares about the mean, by pairs
    total = cdist(everything, everything, "sqeuclidean").sum() / (2 * len(everything))
    assert variance_shares(vectors).language == pytest.approx(1 - within / total)
