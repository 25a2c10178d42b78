"""The sweep's Pareto front."""

from tl_experts import plots


def test_filled_marks_of_the_sweep_are_the_pareto_front(result):
    for trace in plots.sweep_front(result).data:
        rows = result["sweep"][result["sweep"]["target"] == trace.name].sort_values("k")
        assert [symbol == "circle" for symbol in trace.marker.symbol] == rows["pareto"].tolist()
