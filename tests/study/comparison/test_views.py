"""How vectors are read without neurons: laws of each view, measures by hand, groups of languages."""

import math

import pytest
import torch

from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.analysis.subspace import language_subspace
from tl_experts.study.comparison.views import (
    BEST,
    LAST,
    LAST_CENTRED,
    LAST_RAW,
    LAST_REMOVED,
    VIEWS,
    best_rank,
    hits_by_kind,
    language_groups,
    removes,
    space_measures,
    viewed,
)
from tl_experts.study.spaces import hits_of


def spaces(*offsets: tuple[float, float], rows: int = 12, seed: int = 0) -> dict[str, torch.Tensor]:
    """Translations that are the same but for an offset of each language along the first two of eight dimensions."""
    meaning = torch.randn(rows, 8, generator=torch.Generator().manual_seed(seed))
    meaning[:, :2] = 0
    shifts = [torch.tensor([*offset, *[0.0] * 6]) for offset in offsets]
    return {language: meaning + shift for language, shift in zip(("en", "fr", "ja", "ru"), shifts, strict=False)}


def test_every_view_of_the_last_layer_has_one_of_the_best():
    assert (*LAST, *BEST) == VIEWS
    assert [view.partition(",")[2] for view in LAST] == [view.partition(",")[2] for view in BEST]
    assert [removes(view) for view in LAST] == [False, False, True]


def test_a_view_leaves_centres_or_projects():
    space = spaces((0, 0), (9, 0), (0, 9))
    subspace = language_subspace(space)
    assert viewed(space, LAST_RAW, subspace) is space
    for vectors in viewed(space, LAST_CENTRED, subspace).values():
        torch.testing.assert_close(vectors.mean(dim=0), torch.zeros(8))
    # Fitted on other sentences: the offsets are the same there.
    for vectors in viewed(spaces((0, 0), (9, 0), (0, 9), seed=1), LAST_REMOVED, subspace).values():
        assert vectors[:, :2].abs().max() < 1e-5


@pytest.mark.parametrize(
    ("offsets", "rank"),
    [
        (((0, 0), (50, 0), (-50, 0)), 1),  # one direction is enough, and the smallest of equals wins
        (((0, 0), (50, 0), (0, 50)), 2),
        (((0, 0), (0, 0)), 1),
        (((0, 0), (50, 0), (0, 50), (50, 50)), 2),
    ],
)
def test_the_rank_is_the_smallest_that_finds_most(offsets, rank):
    space = spaces(*offsets)
    assert best_rank(space) == rank
    found = viewed(space, LAST_REMOVED, language_subspace(space, rank=rank))
    assert float(hits_of(found, centred=False).mean()) == 1


def test_hits_are_averaged_over_the_pairs_of_a_kind():
    space = spaces((0, 0), (0, 0), (0, 0))
    space["ja"] = space["ja"].flip(0)  # finds nothing
    hits = hits_by_kind(all_pair_ranks(space), tuple(space), "ja")
    assert {kind: float(found.mean()) for kind, found in hits.items()} == pytest.approx(
        {"all": 2 / 6, "from_target": 0, "to_target": 0}
    )
    assert torch.equal(hits["all"], hits_of(space, centred=False))
    # Among languages without the target there is no pair with it.
    others = hits_by_kind(all_pair_ranks(space), ("en", "fr"), "ja")
    assert {kind: float(found.mean()) for kind, found in others.items()} == {"all": 1}


def test_measures_by_hand():
    eye, turned = torch.eye(2), torch.eye(2).flip(0)
    found = space_measures({"en": eye, "fr": eye, "ja": turned})
    assert found == pytest.approx(
        {
            "mexa": 1 / 2,  # French is found, Japanese is not
            "translation_distance": 2 / 3,  # two of three pairs of languages are orthogonal
            "language_distance": 1 / 2,
            "mean_cosine": 6 / 15,  # 3 + 3 of the 15 pairs of six vectors are equal
            "isoscore": 0,  # all on one line
        },
        abs=1e-6,
    )
    assert math.isnan(space_measures({"fr": eye, "ja": turned})["mexa"])


@pytest.mark.parametrize(
    ("languages", "groups"),
    [
        (("en", "fr", "ja", "ru"), {"Latin script": ("en", "fr")}),
        (("en", "ru", "uk"), {"Cyrillic script": ("ru", "uk")}),
        (("en", "fr"), {}),  # all are of one script
        (("en", "ja", "ru"), {}),  # each of another
        (("sr", "sr-Latn", "hr"), {"Latin script": ("sr-Latn", "hr")}),
    ],
)
def test_languages_of_the_commonest_script_are_a_group(languages, groups):
    assert language_groups(languages) == {"all": languages} | groups
