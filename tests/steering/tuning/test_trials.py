"""Trials: measures by hand, the rank, and the law of the Pareto front."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.steering.tuning.fakes import NATURAL, measures, setting, trial
from tl_experts.errors import TLExpertsError
from tl_experts.steering.tuning.trials import (
    Trial,
    best_of,
    dominates,
    front_of,
    hopeless,
    joined,
    packed,
    trial_of,
    unpacked,
)

TRIALS = st.lists(
    st.builds(
        trial,
        st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        st.sampled_from([0.0, 0.3, 0.9, 1.0]),
        stage=st.integers(0, 2),
        stopped=st.booleans(),
    ),
    max_size=12,
)


@given(TRIALS)
def test_no_member_of_the_front_is_dominated_and_every_other_is(trials):
    front = front_of(trials)
    alive = [one for one in trials if not one.stopped]
    last = max((one.stage for one in alive), default=0)
    for one in alive:
        if one.stage == last:
            assert (one in front) != any(dominates(other, one) for other in front)
    assert all(one.stage == last and not one.stopped for one in front)


@given(TRIALS)
def test_the_best_is_never_stopped_and_none_of_its_stage_has_a_higher_score(trials):
    best = best_of(trials)
    alive = [one for one in trials if not one.stopped]
    assert (best is None) == (not alive)
    assert all(one.stage < best.stage or one.score <= best.score for one in alive)


def test_of_equal_trials_the_one_with_fewer_neurons_is_best():
    assert best_of([trial(1, 1, count=20), trial(1, 1, count=2)]).setting.count == 2


def test_a_trial_by_hand():
    found = trial_of(setting(), 1, measures(0.5, perplexity=40, natural=NATURAL), 2.5)
    # Perplexity 40 against twice 10: quality one half, as the share.
    assert (found.share, found.quality, found.score) == (0.5, 0.5, 0.5)
    assert (found.perplexity, found.distinct, found.texts, found.prompts, found.stage) == (40, 1, 4, 1, 1)
    assert not found.stopped


@pytest.mark.parametrize(
    ("share", "bigrams", "expected"),
    [(0.25, 0.5, False), (0, 1, True), (1, 0.49, True), (1, np.nan, True)],
)
def test_hopeless_is_no_text_in_the_language_or_only_repetition(share, bigrams, expected):
    found = measures(share, 2.0, bigrams, natural=NATURAL)
    assert hopeless(found) is expected
    one = trial_of(setting(), 0, found, 1.0)
    assert one.stopped is expected
    assert (best_of([one]) is None) is expected
    assert (one.quality == 0) is expected


def test_trials_need_natural_texts():
    with pytest.raises(TLExpertsError, match="no natural texts"):
        hopeless(measures(1))


def test_stages_are_joined_and_kept_as_arrays():
    both = joined([measures(1, natural=NATURAL), measures(0, 20, count=2, natural=NATURAL)])
    assert both.in_language.tolist() == [True] * 4 + [False] * 2
    assert both.perplexities.tolist() == [10] * 4 + [20] * 2
    again, seconds = unpacked(packed(both, 1.5), "es", NATURAL, 0)
    assert seconds == 1.5
    assert (again.texts, again.prompts, again.natural) == (both.texts, both.prompts, NATURAL)
    np.testing.assert_array_equal(again.in_language, both.in_language)
    np.testing.assert_array_equal(again.bigrams, both.bigrams)


def test_a_row_of_the_table_is_read_back():
    one = trial(0.5, 0.7)
    assert Trial.from_dict(one.to_dict()) == one
    without = {name: value for name, value in one.to_dict().items() if name != "texts"}
    assert Trial.from_dict(without) == one  # saved before there were finals
    with pytest.raises(TLExpertsError, match="not a trial"):
        Trial.from_dict({"scoring": "auroc"})
