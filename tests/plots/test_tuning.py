"""The figure of a search: a point for every trial that was not stopped, and the front."""

from tests.steering.tuning.fakes import NATURAL, trial
from tl_experts import TuneResult, plots


def test_each_trial_that_was_not_stopped_is_a_point():
    trials = (
        trial(1, 0.5, stage=1),
        trial(0.5, 1, stage=1),
        trial(0.5, 0.5, stage=1),
        trial(1, 1),
        trial(0, 0, stopped=True),
    )
    result = TuneResult("es", trials, NATURAL, None, None)
    fewer, most, front = plots.tuning_front(result).data
    assert list(fewer.y) == [1]
    assert list(most.y) == [1, 0.5, 0.5]
    assert list(front.y) == [0.5, 1]
    assert "5 by auroc, add 1 x mean, all positions<br>50% of 4 texts" in most.text[1]
    assert most.marker.symbol == "circle"


def test_a_search_without_a_result_is_an_empty_figure():
    figure = plots.tuning_front(TuneResult("es", (trial(0, 0, stopped=True),), NATURAL, None, None))
    assert not any(trace.x for trace in figure.data)
