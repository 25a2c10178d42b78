"""Distances between languages: scipy's, by hand, and laws."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist, cosine, pdist

from tl_experts.analysis.distances import language_distances, translation_distance
from tl_experts.errors import TLExpertsError


def spaces() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return {
        language: torch.randn(20, 6, generator=generator) + shift
        for language, shift in (("en", 0.3), ("de", 0.5), ("ja", 2.0))
    }


def test_both_levels_are_scipys():
    vectors = spaces()
    found = language_distances(vectors)
    means = language_distances(vectors, level="means")
    for i, a in enumerate(vectors.values()):
        for j, b in enumerate(vectors.values()):
            pairs = pdist(a, "cosine") if i == j else cdist(a, b, "cosine")  # no sentence with itself
            assert found.between[i, j] == pytest.approx(pairs.mean(), abs=1e-6)
            assert means.between[i, j] == pytest.approx(cosine(a.mean(0), b.mean(0)), abs=1e-6)
    upper = [found.between[i, j] for i in range(3) for j in range(i)]
    assert found.mean_pair() == pytest.approx(np.mean(upper))


def test_a_language_of_one_sentence_has_no_distance_within():
    found = language_distances({"en": torch.tensor([[1.0, 0.0]]), "de": torch.tensor([[0.0, 2.0]])})
    np.testing.assert_allclose(found.between, [[0, 1], [1, 0]], atol=1e-12)


def test_the_medoids_are_the_nearest_of_all():
    vectors = spaces()
    everything = torch.cat(list(vectors.values()))
    medoid = everything[cdist(everything, everything, "cosine").sum(axis=1).argmin()]
    expected = [cosine(v.mean(0), medoid) for v in vectors.values()]
    np.testing.assert_allclose(language_distances(vectors).to_medoid, expected, atol=1e-6)
    means = torch.stack([v.mean(0) for v in vectors.values()])
    central = means[cdist(means, means, "cosine").sum(axis=1).argmin()]
    expected = [cosine(mean, central) for mean in means]
    np.testing.assert_allclose(language_distances(vectors, medoid="language").to_medoid, expected, atol=1e-6)


def test_table_1_by_hand():
    # Three languages of one sentence each: at 0, 90 and 180 degrees.
    vectors = {"en": torch.tensor([[1.0, 0.0]]), "de": torch.tensor([[0.0, 2.0]]), "ja": torch.tensor([[-3.0, 0.0]])}
    table = language_distances(vectors).table1("en")
    assert table["all_pairs"] == pytest.approx((1 + 2 + 1) / 3)
    assert table["nontarget_to_target"] == pytest.approx((1 + 2) / 2)
    assert table["target_to_medoid"] == pytest.approx(1)  # German is in the middle
    assert table["nontarget_to_medoid"] == pytest.approx((0 + 1) / 2)
    assert language_distances(vectors).to("ja") == pytest.approx({"en": 2.0, "de": 1.0})


def test_rotation_scale_and_the_order_of_languages_change_nothing():
    vectors = spaces()
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1))).Q
    expected = language_distances(vectors)
    turned = language_distances({language: 5 * v @ turn for language, v in vectors.items()})
    torch.testing.assert_close(turned.between, expected.between, atol=1e-6, rtol=0)
    torch.testing.assert_close(turned.to_medoid, expected.to_medoid, atol=1e-6, rtol=0)
    other = language_distances(dict(reversed(vectors.items())))
    for target in vectors:
        assert other.table1(target) == pytest.approx(expected.table1(target), abs=1e-6)


def test_bad_input_is_refused():
    with pytest.raises(TLExpertsError, match="two or more"):
        language_distances({"en": torch.ones(2, 2)})
    with pytest.raises(TLExpertsError, match="level"):
        language_distances(spaces(), level="sentence")
    with pytest.raises(TLExpertsError, match="medoid"):
        language_distances(spaces(), medoid="languages")
    with pytest.raises(TLExpertsError, match="NaN"):
        language_distances({"en": torch.ones(2, 2), "de": torch.full((2, 2), torch.nan)})
    with pytest.raises(TLExpertsError, match="target"):
        language_distances(spaces()).table1("xx")


def test_the_distance_between_translations_is_the_mean_over_rows_and_pairs():
    vectors = spaces()
    pairs = [
        cosine(vectors[one][row], vectors[other][row])
        for one, other in (("en", "de"), ("en", "ja"), ("de", "ja"))
        for row in range(20)
    ]
    assert translation_distance(vectors) == pytest.approx(np.mean(pairs), abs=1e-6)
    assert translation_distance({"en": vectors["en"], "de": 2 * vectors["en"]}) == pytest.approx(0, abs=1e-6)


def test_translations_that_are_not_row_by_row_raise_an_error():
    with pytest.raises(TLExpertsError, match="aligned rows"):
        translation_distance({"en": torch.ones(3, 2), "de": torch.ones(2, 2)})
    with pytest.raises(TLExpertsError, match="two or more"):
        translation_distance({"en": torch.ones(3, 2)})
