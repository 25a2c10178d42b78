"""What retrieval chose is read back from its table: settings, layers, ranks, and the views of the best method."""

import pytest
import torch

from tl_experts import embed
from tl_experts.analysis.vectors import centre
from tl_experts.study.comparison.chosen import best_view, chosen, seen
from tl_experts.study.comparison.methods import UNSTEERED
from tl_experts.study.comparison.views import BEST_CENTRED, LAST_RAW, LAST_REMOVED

pytestmark = pytest.mark.slow


def test_no_intervention_and_the_best_method_are_read_with_their_settings(russian):
    found = chosen(russian, "ru")
    assert [(one.method, one.view, one.layer, one.rank) for one in found] == [
        (UNSTEERED, LAST_RAW, None, None),
        (UNSTEERED, LAST_REMOVED, None, 2),
        (UNSTEERED, BEST_CENTRED, 4, None),
        ("auroc, set mean", LAST_RAW, None, None),
        ("auroc, set mean", BEST_CENTRED, 3, None),
    ]
    assert [one.setting is None for one in found] == [True, True, True, False, False]
    assert [(one.setting.count, one.setting.value) for one in found[3:]] == [(20, "mean"), (100, "mean")]
    assert best_view(found) == found[-1]
    assert found[-1].told["layer"] == "3"
    assert found[0].told == {"method": UNSTEERED, "view": LAST_RAW, "setting": "", "layer": "last"}


def test_views_show_the_vectors_of_their_layer(russian, mini):
    found = {one.view: space for one, space in seen(russian, "ru", chosen(russian, "ru")[:3], russian.test)}
    last = embed(mini, russian.test, progress=False).parallel()
    middle = embed(mini, russian.test, layer=4, progress=False).parallel()
    for language, vectors in last.items():
        torch.testing.assert_close(found[LAST_RAW][language], vectors)
        torch.testing.assert_close(found[BEST_CENTRED][language], centre(middle[language]))
        removed = found[LAST_REMOVED][language] - vectors
        assert torch.linalg.matrix_rank(removed, atol=1e-3) == 2  # within two directions
