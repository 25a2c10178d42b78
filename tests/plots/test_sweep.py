"""The sweep's Pareto front."""

from tl_experts import plots


def test_filled_marks_of_the_sweep_are_the_pareto_front(result):
    for trace in plots.sweep_front(result).data:
        rows = result["sweep"][result["sweep"]["target"] == trace.name].sort_values("k")
        assert [symbol == "circle" for symbol in trace.marker.symbol] == rows["pareto"].tolist()
        assert [symbol == "x" for symbol in trace.marker.symbol] == rows["repeats"].tolist()


def test_a_sweep_of_an_earlier_version_is_drawn_without_measures_of_its_texts(result):
    table = result["sweep"].drop(columns=["fluency", "distinct", "compression", "repeats"])
    for trace in plots.sweep_front({"sweep": table}).data:
        assert "x" not in trace.marker.symbol


def test_a_study_that_did_not_measure_its_texts_says_nothing_about_them(result):
    table = result["sweep"]
    for figure, said in (
        (plots.sweep_front({"sweep": table}), True),
        (plots.sweep_front({"sweep": table.drop(columns=["fluency", "distinct", "compression", "repeats"])}), False),
    ):
        assert [("its texts" in trace.hovertemplate) for trace in figure.data] == [said] * len(figure.data)
