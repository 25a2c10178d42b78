"""Figures of retrieval draw their rows of the table, with their intervals."""

import numpy as np
import pytest

from tl_experts import plots
from tl_experts.errors import TLExpertsError


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
