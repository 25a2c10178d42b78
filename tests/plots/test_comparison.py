"""Figures of a comparison show its numbers."""

import pytest

from tl_experts import plots
from tl_experts.errors import TLExpertsError
from tl_experts.experts.scorings import SCORINGS
from tl_experts.plots.comparison import CEILING
from tl_experts.steering.wording import in_words
from tl_experts.study.comparison import ceiling, methods

pytestmark = pytest.mark.slow


def test_every_method_is_a_point_at_its_share(compared):
    figure = plots.writing_front(compared)
    assert "language vector" in {trace.name for trace in figure.data}
    assert not {"vector", "all", "auroc"} & {trace.name for trace in figure.data}
    points = {name: (x, y) for trace in figure.data for name, x, y in zip(trace.text, trace.x, trace.y, strict=True)}
    for row in compared["writing"].drop_duplicates("method").itertuples():
        assert points[in_words(row.method)][0] == pytest.approx(row.share)
    assert all(0 <= y <= 1 for _, y in points.values())
    # The harmonic mean of share and quality is the score.
    for row in compared["writing"].dropna(subset=["texts"]).drop_duplicates("method").itertuples():
        share, quality = points[in_words(row.method)]
        if row.score > 0:
            assert 2 * share * quality / (share + quality) == pytest.approx(row.score)


@pytest.mark.parametrize("languages", ["all", "Latin script"])
def test_bars_have_their_intervals_and_the_lines_are_the_best_baseline_and_the_ceiling(compared, languages):
    figure = plots.alignment_bars(compared, "es", languages=languages)
    table = compared["alignment"].query("languages == @languages")
    best = table["best_baseline"].iloc[0]
    free = table[table["method"] == "no intervention"]
    ceiling = table[table["method"] == CEILING]
    assert list(figure.data[0].x) == list(free["top1"])
    assert {shape.name: (shape.x0, shape.line.dash) for shape in figure.layout.shapes} == {
        "best baseline": (free[free["view"] == best]["top1"].iloc[0], "solid"),
        "multilingual-e5-small": (ceiling["top1"].iloc[0], "dash"),
    }
    assert list(figure.data[0].error_x.array) == pytest.approx(list(free["high"] - free["top1"]))
    # The ceiling is a line, not one of the interventions.
    assert not any(CEILING in name for trace in figure.data for name in trace.y)


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


def test_a_scoring_looks_the_same_in_every_figure(compared):
    def marks(figure):
        symbols = {trace.name: trace.marker.symbol for trace in figure.data}
        plain = {name: symbol if isinstance(symbol, str) else symbol[0] for name, symbol in symbols.items()}
        return {trace.name: (trace.marker.color, plain[trace.name].removesuffix("-open")) for trace in figure.data}

    writing, costs = marks(plots.writing_front(compared)), marks(plots.cost_front(compared, "es"))
    assert len(set(writing.values())) == len(writing)
    assert costs
    assert costs.items() <= writing.items()


def test_mexa_is_drawn_by_layer_and_no_intervention_first(compared):
    figure = plots.mexa_layers(compared)
    table = compared["layers"]
    assert figure.data[0].name == "no intervention"
    assert [trace.name.partition(":")[0] for trace in figure.data[1:]] == ["es"]
    for trace, (_, rows) in zip(figure.data, table.groupby("method", sort=False), strict=True):
        assert list(trace.x) == list(rows["layer"])
        assert list(trace.y) == list(rows["mexa"])


def test_a_table_without_qualities_is_named(compared):
    with pytest.raises(TLExpertsError, match="'quality'"):
        plots.writing_front({"writing": compared["writing"].drop(columns="quality")})


def test_every_scoring_has_words():
    assert set(SCORINGS) | {"all", "vector"} == set(plots.comparison.WORDS)


def test_a_missing_table_is_named():
    with pytest.raises(TLExpertsError, match="'writing'"):
        plots.writing_front({})


def test_a_target_that_was_not_compared_is_named(compared):
    with pytest.raises(TLExpertsError, match="'de'"):
        plots.alignment_bars(compared, "de")
    with pytest.raises(TLExpertsError, match="'Greek script'"):
        plots.alignment_bars(compared, "es", languages="Greek script")


def test_the_names_of_the_figures_are_those_of_the_tables():
    assert (plots.comparison.CEILING, plots.comparison.UNSTEERED) == (ceiling.CEILING, methods.UNSTEERED)
