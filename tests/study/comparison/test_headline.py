"""The first sentence: winners of tables whose winners are known, and what does not beat the baselines first."""

import pytest

from tests.study.comparison.handmade import NEURONS, VECTOR, comparison
from tl_experts.study.comparison.conclusion import _equal
from tl_experts.study.comparison.headline import headline
from tl_experts.study.comparison.writing import ASKED, OWN

GOOD = {NEURONS: 0.8, VECTOR: 0.6, ASKED: 0.3, OWN: 0.5}
BAD = {NEURONS: 0.2, VECTOR: 0.1, ASKED: 0.3, OWN: 0.7}


def test_what_beats_the_baselines_for_every_purpose_says_so_with_its_lead():
    first = headline(comparison(GOOD, (0.07, 0.0005), {"auroc": 0.4, "lape": 0.2}, equal=GOOD))
    assert first == (
        "For every purpose, the best method beats the baselines: "
        "for writing, AUROC, set to the mean wins, 20.0 points ahead of the language vector (beyond doubt); "
        "for writing at equal cost, AUROC, set to the mean wins, 20.0 points ahead of the language vector (beyond "
        "doubt); "
        "for retrieval, AUROC, set to the mean (best layer, centred) wins, 7.0 points ahead of the best layer, centred "
        "without intervention (beyond doubt for 2 of 2 targets); "
        "for cause, AUROC wins, with a diagonality of 0.40 against 0.00 for random neurons (beyond doubt) and 0.20 for "
        "the next, LAPE (beyond doubt)."
    )


def test_nothing_that_beats_the_baselines_is_said_first():
    first = headline(comparison(BAD, (-0.07, 0.0005), {"auroc": 0.02}, equal=BAD))
    assert first.startswith("Nothing beats the baselines: ")
    assert (
        "for writing, the prompt in the language wins, 50.0 points ahead of AUROC, set to the mean (beyond doubt)"
        in first
    )
    assert "for retrieval, the best layer, centred without intervention wins, 7.0 points ahead of AUROC" in first
    assert first.endswith("0.02 against 0.00 for random neurons (not beyond doubt, the intervals overlap).")


def test_some_purposes_are_told_from_others():
    first = headline(comparison(GOOD, (-0.07, 0.0005), {"auroc": 0.4}, equal=BAD))
    assert first.startswith(
        "Nothing beats the baselines for writing at equal cost and for retrieval, but the best method does for writing "
        "and for cause: "
    )


@pytest.mark.parametrize(("gain", "p"), [(0.01, 0.4), (-0.01, 0.4), (0.0, 1.0)])
def test_a_lead_that_may_be_chance_beats_nothing(gain, p):
    level = {NEURONS: 0.5 + gain / 10, VECTOR: 0.3, ASKED: 0.2, OWN: 0.5}
    first = headline(comparison(level, (gain, p), {"auroc": 0.0}))
    assert first.startswith("Nothing beats the baselines: ")
    assert " leads, 0.1 points ahead of " in first or gain == 0
    assert "wins" not in first.partition("for retrieval")[2]
    assert ("are level" if gain == 0 else "(beyond doubt for 0 of 2 targets)") in first
    assert "for cause, AUROC leads, with a diagonality of 0.00" in first


def test_a_method_that_is_behind_for_one_target_does_not_beat_the_baselines():
    found = comparison(GOOD, (0.07, 0.0005), {"auroc": 0.4})
    table = found["alignment"]
    last = table.index[-1]  # the other target's neurons
    table.loc[last, ["top1", "gain"]] = 0.45, -0.05
    first = headline(found)
    assert first.startswith(
        "Nothing beats the baselines for retrieval, but the best method does for writing and for cause"
    )
    assert "1.0 points ahead of the best layer, centred without intervention (beyond doubt for 1 of 2 targets)" in first


def test_the_vector_is_a_method_and_its_rival_the_best_other_one():
    first = headline(comparison(GOOD | {VECTOR: 0.9}, (0.07, 0.0005), {"auroc": 0.4}))
    assert "for writing, the language vector wins, 10.0 points ahead of AUROC, set to the mean (beyond doubt)" in first


def test_methods_that_wrote_nothing_are_level():
    nothing = dict.fromkeys(GOOD, 0.0)
    found = comparison(nothing, (0.0, 1.0), {"auroc": 0.0})
    found["texts"]["useful"] = 0.0
    assert "for writing, AUROC, set to the mean and the language vector are level;" in headline(found)


def test_it_is_one_sentence():
    first = headline(comparison(GOOD, (0.07, 0.0005), {"auroc": 0.4, "lape": 0.2}, equal=GOOD))
    assert first.endswith(".")
    assert ". " not in first
    assert "\n" not in first


def without(found, *lost):
    """The comparison, with no setting of some methods within the budget of the second target."""
    rows = found["equal"]["method"].isin(lost) & (found["equal"]["target"] == "fr")
    found["equal"].loc[rows, ["dev_score", "score", "share"]] = float("nan")
    return found


def test_a_method_that_was_not_measured_in_every_target_is_not_compared_at_equal_cost():
    found = without(comparison(GOOD, (0.07, 0.0005), {"auroc": 0.4}, equal=GOOD), NEURONS)
    said = "for writing at equal cost, the language vector wins, 10.0 points ahead of the prompt in the language"
    assert said in headline(found)
    assert "Of 1 of 2 methods no setting is as mild in every target." in _equal(found)


def test_where_nothing_was_mild_enough_no_winner_is_named():
    found = without(comparison(GOOD, (0.07, 0.0005), {"auroc": 0.4}, equal=GOOD), NEURONS, VECTOR)
    assert "at equal cost" not in headline(found)
    assert "no method has a setting of at most 0.2 nats per token" in _equal(found)
