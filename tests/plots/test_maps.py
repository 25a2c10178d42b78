"""Maps before and after, and their difference."""

import numpy as np
import pytest

from tests.plots.study_figures import STUDY_FIGURES
from tl_experts import plots
from tl_experts.errors import TLExpertsError


@pytest.mark.parametrize("maps", ["retrieval_maps", "distance_maps"])
def test_the_third_map_is_the_difference_of_the_others_for_every_target(maps, result):
    figure = STUDY_FIGURES[maps](result)
    before, *later = [np.asarray(trace.z, float) for trace in figure.data]
    sign = {"retrieval_maps": 1, "distance_maps": -1}[maps]
    for after, difference in zip(later[::2], later[1::2], strict=True):
        np.testing.assert_allclose(difference, sign * (after - before), atol=1e-12)
    assert {axis.dtick for axis in (figure.layout.xaxis, figure.layout.yaxis)} == {1}, "every language is named"
    buttons = figure.layout.updatemenus[0].buttons
    assert [button.label for button in buttons] == ["en experts", "ja experts"]
    shown = np.array([button.args[0]["visible"] for button in buttons])
    assert shown[:, 0].all(), "before is always shown"
    assert (shown[:, 1:].sum(axis=0) == 1).all(), "every other map under one target only"


def test_maps_without_an_after_raise_an_error(result):
    table = result["pair_distances"]
    with pytest.raises(TLExpertsError, match="from before and"):
        plots.distance_maps({"pair_distances": table[table["condition"] == "pre"]})
