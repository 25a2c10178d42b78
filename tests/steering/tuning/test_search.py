"""The search on made-up measures: what it tries, what it stops, what it chooses, and when it ends."""

import random
from collections import Counter

import pytest

from tests.steering.tuning.fakes import NATURAL, measures
from tl_experts.errors import TLExpertsError
from tl_experts.steering.tuning.search import (
    FINAL,
    HALF_STEPS,
    SIDE_BY_SIDE,
    Budget,
    Search,
    drawn,
    likely,
    stage_bounds,
)
from tl_experts.steering.tuning.space import SearchSpace
from tl_experts.steering.tuning.trials import best_of, front_of, joined, trial_of

FINAL_TEXTS = Budget(trials=1).final_texts

SPACE = SearchSpace(strengths=(0.5, 1.0, 2.0), counts=(5, 50), positions=("all", "generated"))


class Fake:
    """Measures by a rule, and remembers what was asked."""

    def __init__(self, rule, seconds=1.0):
        self.rule, self.seconds, self.asked, self.sizes = rule, seconds, [], []

    def __call__(self, settings, stage):
        self.asked += [(setting, stage) for setting in settings]
        self.sizes.append(len(settings))
        return [(self.rule_of(setting, stage), self.seconds) for setting in settings]

    def rule_of(self, setting, stage):
        return measures(*self.rule(setting), natural=NATURAL)

    @property
    def searched(self):
        """What was asked before the half steps, whose strengths are not of the space."""
        return [(setting, stage) for setting, stage in self.asked if setting.strength in SPACE.strengths]

    @property
    def half_steps(self):
        return [setting for setting, _ in self.asked if setting.strength not in SPACE.strengths]


class Noisy(Fake):
    """Every setting writes the language in its true share of texts, give or take the noise of a few texts."""

    def rule_of(self, setting, stage):
        noise = random.Random(f"{setting} {stage}").uniform(-0.3, 0.3)
        return measures(min(1.0, max(0.1, self.rule(setting)[0] + noise)), count=20, natural=NATURAL)


def search(rule, budget, *, stages=3, space=SPACE, possible=lambda _: True, seed=0, seconds=1.0, kind=Fake):
    fake = kind(rule, seconds)
    trials = Search(space, possible, fake, stages, budget, seed).run()
    return trials, fake


def peak(setting):
    """Best near strength 1 of 50 neurons by LAPE."""
    near = (setting.scoring == "lape") + (setting.count == 50) + (setting.strength == 1.0)
    return near / 4 + 0.25, 10.0


@pytest.mark.parametrize("seed", range(3))
def test_the_best_is_found_by_its_neighbours_and_tried_on_all_prompts(seed):
    trials, _ = search(peak, Budget(trials=40), seed=seed)
    best = best_of(trials)
    assert (best.setting.scoring, best.setting.count, best.setting.strength) == ("lape", 50, 1.0)
    assert best.stage == 3
    assert best.texts == 4 * (3 + FINAL_TEXTS)  # those of three stages and the final


@pytest.mark.parametrize("trials", [1, 2, 7, 30])
def test_a_budget_in_trials_is_met(trials):
    _, fake = search(peak, Budget(trials=trials))
    assert sum(stage < 3 for _, stage in fake.searched) == trials
    assert len(fake.asked) <= Budget(trials=trials).total(3)
    _, alone = search(peak, Budget(trials=trials, finalists=0))
    assert alone.asked == fake.asked[:trials]


@pytest.mark.parametrize("finalists", [0, 4])
@pytest.mark.parametrize("limit", [10, 60, 100])
def test_a_budget_in_seconds_ends_with_the_trial_that_exceeds_it(limit, finalists):
    _, fake = search(peak, Budget(seconds=limit, finalists=finalists), seconds=3.0)
    assert limit - 3 * 4 * 3 <= len(fake.asked) * 3 <= limit + 3
    searched = sum(stage < 3 for _, stage in fake.searched) * 3
    assert searched <= limit * (1 - FINAL if finalists else 1) + 3


@pytest.mark.parametrize("seed", range(2))
def test_the_finalists_are_chosen_by_all_their_texts(seed):
    trials, fake = search(peak, Budget(trials=48), seed=seed, kind=Noisy)
    searched, alone = search(peak, Budget(trials=48, finalists=0), seed=seed, kind=Noisy)
    before = sorted((one for one in searched if one.stage == 2 and not one.stopped), key=lambda one: one.rank)
    finalists = {one.setting for one in before[-4:]}
    assert len(finalists) == 4
    asked = Counter(setting for setting, stage in fake.searched if stage >= 3)
    assert asked == dict.fromkeys(finalists, FINAL_TEXTS)
    finalists |= {setting for setting, stage in fake.asked if stage == 4}  # half steps
    assert fake.asked[: len(alone.asked)] == alone.asked
    pooled = {
        one: trial_of(one, 3, joined([fake.rule_of(one, stage) for stage in range(3 + FINAL_TEXTS)]), 0.0)
        for one in finalists
    }
    best = best_of(trials)
    assert best.score == max(one.score for one in pooled.values()) == pooled[best.setting].score
    assert best.texts == 20 * (3 + FINAL_TEXTS)
    assert {one.setting for one in front_of(trials)} == {one.setting for one in front_of(pooled.values())}


@pytest.mark.parametrize("final_texts", [1, 5])
def test_finalists_and_half_steps_write_as_many_further_texts_as_the_budget_says(final_texts):
    budget = Budget(trials=48, finalists=3, final_texts=final_texts)
    trials, fake = search(peak, budget, kind=Noisy)
    best = best_of(trials)
    assert best.texts == 20 * (3 + final_texts)
    rounds = Counter(setting for setting, stage in fake.searched if stage >= 3)
    assert set(rounds.values()) == {final_texts}
    assert len(rounds) == 3
    assert len(fake.asked) <= budget.total(3) == 48 + 3 * final_texts + 2 * (3 + final_texts)


def test_a_lucky_setting_does_not_win_the_final():
    best, lucky = (
        best_of(search(peak, Budget(trials=48, finalists=finalists), seed=6, kind=Noisy)[0]) for finalists in (4, 0)
    )
    assert peak(best.setting)[0] > peak(lucky.setting)[0]


def test_the_final_of_a_budget_in_seconds_has_as_many_finalists_as_fit():
    def final(seconds):
        _, fake = search(peak, Budget(seconds=seconds))
        return Counter(stage for _, stage in fake.searched if stage >= 3)

    # A round is expected to take as long as the three trials of each finalist took.
    assert final(60.0) == {3: 4, 4: 4}
    assert final(36.0) == {3: 3, 4: 3}
    assert final(25.0) == {3: 2, 4: 2}
    assert final(16.0) == {}


def between_grid(setting):
    """Best at a strength that lies between two of the space."""
    right = (setting.scoring == "lape") + (setting.count == 50) + (setting.operation == "add")
    return max(0.1, right / 3 - abs(setting.strength - 0.75)), 10.0


def test_strengths_half_a_step_from_the_winner_write_as_many_texts_and_may_win():
    trials, fake = search(between_grid, Budget(trials=48))
    halves = Counter(fake.half_steps)
    assert {setting.strength for setting in halves} <= {0.75, 1.5}
    assert set(halves.values()) == {3 + FINAL_TEXTS}
    assert len(halves) <= HALF_STEPS
    best = best_of(trials)
    assert best.setting.strength == 0.75
    assert best.texts == 4 * (3 + FINAL_TEXTS)
    without = best_of(search(between_grid, Budget(trials=48, finalists=0))[0])
    assert without.setting.strength in (0.5, 1.0)
    assert best.score > without.score


def test_a_hopeless_half_step_is_measured_once_and_none_is_tried_beyond_the_budget():
    def rule(setting):
        return (0.0,) if setting.strength not in SPACE.strengths else between_grid(setting)

    trials, fake = search(rule, Budget(trials=48))
    halves = Counter(fake.half_steps)
    assert set(halves.values()) == {1}
    assert best_of(trials).setting not in halves
    for seconds, expected in ((60.0, 2 * (3 + FINAL_TEXTS)), (30.0, 0)):  # of 30, the final uses what was left
        _, fake = search(between_grid, Budget(seconds=seconds))
        assert len(fake.half_steps) == expected


def test_settings_are_measured_side_by_side_as_far_as_the_budget_allows():
    _, fake = search(peak, Budget(trials=60))
    assert max(fake.sizes) == SIDE_BY_SIDE
    assert len(fake.sizes) <= 16 + 3 + FINAL_TEXTS
    _, fake = search(peak, Budget(seconds=60.0, finalists=0), seconds=1.0)
    assert fake.sizes[0] == 1  # what a trial costs is not known yet
    assert len(fake.asked) == 60
    budget = Budget(seconds=100.0)
    assert [budget.room(trials, seconds, 0.5) for trials, seconds in ((0, 0.0), (1, 10.0), (4, 49.0), (5, 50.0))] == [
        1,
        4,
        1,
        0,
    ]


def test_a_hopeless_setting_is_measured_once():
    _, fake = search(lambda setting: (float(setting.scoring == "lape"), 10.0), Budget(trials=40))
    later = {setting.scoring for setting, stage in fake.asked if stage > 0}
    assert later == {"lape"}
    assert max(Counter(fake.asked).values()) == 1
    assert max(stage for _, stage in fake.asked) == 2 + FINAL_TEXTS


def test_the_rule_cannot_choose_a_setting_that_only_repeats():
    def rule(setting):
        return (0.25, 10.0, 1.0) if setting.scoring == "lape" else (1.0, 2.0, 0.1)

    trials, _ = search(rule, Budget(trials=30))
    assert best_of(trials).setting.scoring == "lape"
    trials, fake = search(lambda _: (1.0, 2.0, 0.1), Budget(trials=30))
    assert best_of(trials) is None
    assert all(trial.stopped for trial in trials)
    assert {stage for _, stage in fake.asked} == {0}


def test_each_scoring_has_its_turn_and_what_cannot_be_built_is_left_out():
    _, fake = search(lambda _: (0.0,), Budget(trials=10), possible=lambda setting: setting.scoring != "vector")
    counted = Counter(setting.scoring for setting, _ in fake.asked)
    assert set(counted) == {"auroc", "token_mean_difference", "lape", "all"}
    assert max(counted.values()) <= 3


def test_a_search_ends_when_every_setting_was_tried():
    space = SearchSpace(scorings=("auroc",), counts=(5,), strengths=(1.0,), positions=("all",))
    trials, _ = search(peak, Budget(trials=500), space=space)
    assert len(trials) == len(space.settings())


def test_settings_are_drawn_once_each_in_an_order_of_the_seed():
    settings = SPACE.settings()
    orders = [list(drawn(settings, seed)) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(map(str, orders[0])) == sorted(map(str, settings))


@pytest.mark.parametrize(
    ("prompts", "expected"), [(1, [(0, 1)]), (3, [(0, 1), (1, 2), (2, 3)]), (4, [(0, 1), (1, 2), (2, 4)])]
)
def test_the_stages_cover_all_prompts_once(prompts, expected):
    assert stage_bounds(prompts) == expected


@pytest.mark.parametrize("options", [{}, {"trials": 3, "seconds": 4}, {"trials": 0}, {"seconds": float("nan")}])
def test_a_budget_is_one_positive_number(options):
    with pytest.raises(TLExpertsError, match=r"expected|give one"):
        Budget(**options)
    assert Budget(trials=3).used(1, 99) == pytest.approx(1 / 3)


def test_a_search_begins_with_vectors_spread_over_the_layers_for_the_whole_text_and_its_first_tokens():
    space = SearchSpace().for_layers(range(18))
    begun = likely(space.settings())
    assert {setting.layers for setting in begun} == {(2,), (5,), (7,), (10,)}
    assert {(setting.scoring, setting.source) for setting in begun} == {("vector", "en")}
    assert {(setting.strength, setting.positions) for setting in begun} == {(1.0, "all"), (1.4, 4)}
    assert len(begun) == 8
    tried = search(lambda _: (0.5,), Budget(trials=40, finalists=0), space=space)[0]
    assert [trial.setting for trial in tried[: len(begun)]] == begun


def test_a_space_without_vectors_of_one_layer_begins_at_random():
    assert likely(SPACE.settings()) == []
    assert likely(SearchSpace(scorings=("lape",)).settings()) == []
