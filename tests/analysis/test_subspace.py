"""Language subspaces: principal angles are scipy's, variance shares add up, projection makes the means meet."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.spatial.distance import cdist

from tests.analysis.clouds import cloud, rotation
from tl_experts.analysis.subspace import (
    language_subspace,
    principal_angles,
    project_out,
    variance_share,
    variance_shares,
)
from tl_experts.errors import TLExpertsError

LANGUAGES = ("en", "de", "ja")


def spaces(shift: float = 3.0) -> dict[str, torch.Tensor]:
    meaning = cloud(60, 10, seed=1)
    return {
        language: meaning + 0.3 * cloud(60, 10, seed=10 + index) + shift * torch.eye(10, dtype=torch.float64)[index]
        for index, language in enumerate(LANGUAGES)
    }


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
