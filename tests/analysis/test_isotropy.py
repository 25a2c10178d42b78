"""Isotropy: cases worked by hand, formulas written another way, and laws."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA

from tests.analysis.clouds import cloud, rotation
from tl_experts.analysis.isotropy import isoscore, mean_random_cosine, partition_ratio
from tl_experts.errors import TLExpertsError


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


def test_isoscore_of_fewer_sentences_than_dimensions_is_that_of_all_eigenvalues():
    vectors = cloud(7, 12)
    variances = np.linalg.eigvalsh(np.cov(vectors.numpy().T))
    dim, used = 12, variances.sum() ** 2 / (variances**2).sum()  # dimensions that are used
    assert isoscore(vectors) == pytest.approx((used - 1) / (dim - 1), abs=1e-9)


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
