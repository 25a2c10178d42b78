"""Figures of retrieval draw their rows of the table, with their intervals."""

import numpy as np
import pytest

from tl_experts import plots
from tl_experts.errors import TLExpertsError

SHUFFLED = "experts of shuffled labels"


def test_a_cell_of_the_retrieval_map_is_its_row_of_the_table(result):
    figure = plots.retrieval_maps(result, measure="csls")
    table = result["retrieval"]
    row = table[(table["measure"] == "csls") & (table["condition"] == "pre") & (table["query"] == "de")]
    before = figure.data[0]
    line = np.asarray(before.z, float)[list(before.y).index("de")]
    for candidate, value in zip(before.x, line, strict=True):
        expected = row[row["candidate"] == candidate]["top1"]
        assert np.isnan(value) if expected.empty else value == pytest.approx(expected.mean())
    with pytest.raises(TLExpertsError, match="'euclid'"):
        plots.retrieval_maps(result, measure="euclid")


def test_whiskers_do_not_go_below_zero_and_a_single_draw_has_none(result):
    for trace in plots.control_bars(result).data:
        below, above = (np.asarray(trace.error_y[side], float) for side in ("arrayminus", "array"))
        assert not (below > np.asarray(trace.y)).any()
        assert np.isnan(above).all() == (trace.name in ("experts", "another language's experts", SHUFFLED)), trace.name


def test_a_menu_shows_the_points_of_one_target_or_of_all(result):
    figure = plots.gain_against_distance(result)
    labels = [button.label for button in figure.layout.updatemenus[0].buttons]
    assert labels == ["en experts", "ja experts", "all targets"]
    shown = [button.args[0]["visible"] for button in figure.layout.updatemenus[0].buttons]
    assert [trace.visible for trace in figure.data] == shown[0], "what is shown first is the menu's first entry"
    groups = [trace.legendgroup for trace in figure.data]
    assert shown == [[group == "en" for group in groups], [group == "ja" for group in groups], [True] * len(groups)]


def test_bars_carry_their_intervals(result):
    figure = plots.baseline_bars(result, kind="all pairs")
    table = result["baselines"]
    for trace in figure.data:
        method, when = trace.name.rsplit(", ", 1)
        rows = table[(table["kind"] == "all pairs") & (table["method"] == method)]
        rows = (
            rows[rows["condition"] == {"before": "pre", "after": "post"}[when]].set_index("target").loc[list(trace.x)]
        )
        np.testing.assert_allclose(np.asarray(trace.y) + np.asarray(trace.error_y.array), rows["high"])
        np.testing.assert_allclose(np.asarray(trace.y) - np.asarray(trace.error_y.arrayminus), rows["low"])
    with pytest.raises(TLExpertsError, match="no baselines of kind 'nothing'"):
        plots.baseline_bars(result, kind="nothing")
    with pytest.raises(TLExpertsError, match="no controls of kind 'nothing'"):
        plots.control_bars(result, kind="nothing")
