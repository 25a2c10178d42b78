"""Bars of the methods are means over targets and directions, best first."""

import numpy as np
import pytest

from tl_experts import plots
from tl_experts.errors import TLExpertsError
from tl_experts.plots.methods import WITH_TARGET, method_name


def test_means_are_over_targets_and_both_directions(result):
    table = result["baselines"]
    means = plots.method_means(result)
    assert means["top1"].is_monotonic_decreasing
    for row in means.itertuples():
        mine = table[(table["method"] == row.method) & (table["condition"] == row.condition)]
        mine = mine[mine["kind"].isin(WITH_TARGET)]
        assert len(mine) == 4, "two targets, two directions"
        assert [row.top1, row.low, row.high] == pytest.approx([mine[c].mean() for c in ("top1", "low", "high")])


def test_bars_carry_the_means_and_marks_the_targets(result):
    figure, means = plots.method_bars(result), plots.method_means(result)
    bars = {(name, x) for trace in figure.data if trace.type == "bar" for name, x in zip(trace.y, trace.x, strict=True)}
    assert bars == {(method_name(r.method, r.condition, "<br>"), r.top1) for r in means.itertuples()}
    marks = np.array([trace.x for trace in figure.data if trace.type == "scatter"], float)
    np.testing.assert_allclose(marks.mean(axis=0), means["top1"])


def test_a_study_of_other_pairs_only_raises_an_error(result):
    table = result["baselines"]
    with pytest.raises(TLExpertsError, match="no baselines between a target"):
        plots.method_bars({"baselines": table[table["kind"] == "other pairs"]})
