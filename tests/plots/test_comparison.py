"""Figures of a comparison show its numbers."""

import pytest

from tl_experts import plots
from tl_experts.errors import TLExpertsError

pytestmark = pytest.mark.slow


def test_every_method_is_a_point_at_its_share(compared):
    figure = plots.writing_front(compared)
    points = {name: (x, y) for trace in figure.data for name, x, y in zip(trace.text, trace.x, trace.y, strict=True)}
    for row in compared["writing"].drop_duplicates("method").itertuples():
        assert points[row.method][0] == pytest.approx(row.share)
    assert all(0 <= y <= 1 for _, y in points.values())
    # The harmonic mean of share and quality is the score.
    for row in compared["writing"].dropna(subset=["texts"]).drop_duplicates("method").itertuples():
        share, quality = points[row.method]
        if row.score > 0:
            assert 2 * share * quality / (share + quality) == pytest.approx(row.score)


def test_bars_have_their_intervals_and_the_line_is_the_best_baseline(compared):
    figure = plots.alignment_bars(compared, "es")
    table = compared["alignment"]
    best = table["best_baseline"].iloc[0]
    free = table[table["method"] == "no intervention"]
    assert list(figure.data[0].x) == list(free["top1"])
    assert figure.layout.shapes[0].x0 == free[free["view"] == best]["top1"].iloc[0]
    assert list(figure.data[0].error_x.array) == pytest.approx(list(free["high"] - free["top1"]))


def test_settings_are_points_at_their_cost_and_the_line_is_the_budget(compared):
    figure = plots.cost_front(compared, "es")
    points = sorted((x, y) for trace in figure.data for x, y in zip(trace.x, trace.y, strict=True))
    table = compared["divergence"]
    assert points == sorted(zip(table["kl"], table["dev_score"], strict=True))
    assert figure.layout.shapes[0].x0 == compared["equal"]["budget"].iloc[0]
    filled = [symbol for trace in figure.data for symbol in trace.marker.symbol if not symbol.endswith("-open")]
    assert len(filled) == table["tuned"].sum()
    with pytest.raises(TLExpertsError, match="'de'"):
        plots.cost_front(compared, "de")


def test_a_missing_table_is_named():
    with pytest.raises(TLExpertsError, match="'writing'"):
        plots.writing_front({})


def test_a_target_that_was_not_compared_is_named(compared):
    with pytest.raises(TLExpertsError, match="'de'"):
        plots.alignment_bars(compared, "de")
