"""The figure of a search for alignment: a point for every setting, and no intervention on the same rows."""

import pytest

from tests.steering.tuning.fakes import setting
from tests.study.aligning.fakes import VECTOR, result, trial
from tl_experts import plots


@pytest.fixture
def found():
    trials = trial(0.9, stage=0), trial(0.6), trial(0.55, own=VECTOR), trial(0.4, own=setting(50))
    return result(*trials, gain=0.05)


@pytest.fixture
def figure(found):
    return plots.alignment_search(found)


def named(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def test_every_setting_is_a_point_above_or_below_no_intervention_on_the_same_rows(figure):
    names = [trace.name for trace in figure.data]
    assert names == ["language vector", "AUROC", "no intervention, at best", "best setting"]
    assert list(named(figure, "AUROC").y) == pytest.approx([20, 10, -10])
    assert list(named(figure, "language vector").y) == pytest.approx([5])
    assert [round(x) for x in named(figure, "AUROC").x] == [0, 1, 1]
    assert len({*named(figure, "AUROC").x[1:], *named(figure, "language vector").x}) == 2  # side by side
    assert list(figure.layout.xaxis.ticktext) == [
        "2 rows<br>no intervention: 70.0%",
        "4 rows<br>no intervention: 50.0%",
    ]


def test_the_line_is_no_intervention_at_best(figure):
    line = named(figure, "no intervention, at best")
    assert list(line.y) == [0, 0, 0, None] * 2
    assert list(line.x) == pytest.approx([-0.4, 0, 0.4, None, 0.6, 1, 1.4, None])
    assert line.text[0] == "no intervention: top-1 70.0% of 2 rows (last layer, centred)"
    assert line.text[4] == "no intervention: top-1 50.0% of 4 rows (last layer, centred)"


def test_a_ring_marks_the_best_setting_of_those_on_most_rows(figure):
    ring, points = named(figure, "best setting"), named(figure, "AUROC")
    assert (ring.x[0], ring.y[0]) == (points.x[1], points.y[1])


def test_the_title_says_what_the_test_split_says(found, figure):
    assert figure.layout.title.text == "Aligning by es: the best setting beats no intervention"
    [verdict] = figure.layout.annotations
    assert verdict.text.startswith("5 neurons by AUROC, mean added, strength 1<br>on the test split: +5.0 points [+5.0")
    worse = plots.alignment_search(result(*found.trials, gain=-0.02))
    assert worse.layout.title.text == "Aligning by es: no setting is shown to beat no intervention"


def test_a_point_is_explained_in_words(figure):
    assert named(figure, "language vector").text[0] == (
        "language vector, layer 3, from en, strength 0.5<br>top-1 55.0% of 4 rows (layer 3)"
        "<br>+5.0 points over no intervention at best"
    )
    assert "<br>-10.0 points" in named(figure, "AUROC").text[2]
