"""Figures of the space: the scatter's slider, bars in the common order."""

import numpy as np
import pytest

from tl_experts import plots
from tl_experts.errors import TLExpertsError


def test_the_slider_ends_at_the_points_after(result):
    figure = plots.language_scatter(result, "en")
    table = result["picture"]
    last = table[(table["target"] == "en") & (table["condition"] == "post")].set_index(["language", "row"])
    for trace, end in zip(figure.data, figure.frames[-1].data, strict=True):
        rows = [text.removeprefix("row ") for text in trace.text]
        expected = last.loc[trace.name]
        expected = expected.set_axis(expected.index.astype(str)).loc[rows]
        np.testing.assert_allclose(end.x, expected["x"], atol=1e-4)
        np.testing.assert_allclose(end.y, expected["y"], atol=1e-4)
    with pytest.raises(TLExpertsError, match="no picture of 'de'"):
        plots.language_scatter(result, "de")


def test_bars_are_in_the_common_order_with_before_first(result):
    table = result["geometry"].iloc[::-1]
    (trace, *_) = plots.isotropy_bars({"geometry": table}).data
    assert list(trace.x) == ["before", "en experts", "ja experts"]
    assert trace.y[0] == pytest.approx(table[table["target"] == ""]["mean_cosine"].iloc[0])
