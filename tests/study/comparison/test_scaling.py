"""Lowered strengths: within the budget and near it, whatever the cost grows like; nothing else of a setting changes."""

from dataclasses import replace

import numpy as np
import pytest

from tl_experts.steering.tuning.space import Setting
from tl_experts.study.comparison.scaling import NEAR, ROUNDS, scaled_down

SET = Setting("auroc", 200, "set", "mean", strength=0.75)
ADD = Setting("lape", 50, "add", "diffmean", strength=2.0)

GROWTHS = {
    "square": lambda strength: 4 * strength**2,
    "straight": lambda strength: 7 * strength,
    "saturating": lambda strength: 9 * np.tanh(3 * strength**2),
    "steep": lambda strength: 3 * np.expm1(2 * strength),
    "steps": lambda strength: np.ceil(8 * strength) ** 2,
}


def counted(growth):
    """A cost of settings, and the groups that it was asked for."""
    asked = []

    def measure(settings):
        asked.append(list(settings))
        return {setting: float(growth(setting.strength)) for setting in settings}

    return measure, asked


@pytest.mark.parametrize("name", [name for name in GROWTHS if name != "steps"])
@pytest.mark.parametrize("budget", [1.0, 0.3])
def test_a_setting_costs_nearly_the_budget_and_never_more(name, budget):
    measure, asked = counted(GROWTHS[name])
    costs = measure([SET, ADD])
    found = scaled_down(costs, budget, measure)
    assert set(found) == {SET, ADD}
    for setting, milder in found.items():
        assert NEAR * budget <= GROWTHS[name](milder.strength) <= budget
        assert replace(milder, strength=setting.strength) == setting
    assert len(asked) - 1 <= ROUNDS


def test_all_settings_of_a_round_are_measured_together_and_finished_ones_no_more():
    measure, asked = counted(GROWTHS["square"])
    scaled_down(measure([SET]) | {ADD: 40.0}, 1.0, measure)  # a cost that is not a square's: ADD takes longer
    _, first, *later = asked
    assert [one.scoring for one in first] == ["auroc", "lape"]
    assert all(one.scoring == "lape" for group in later for one in group)
    assert later


def test_where_the_cost_jumps_over_the_budget_the_strongest_within_it_is_taken():
    measure, _ = counted(GROWTHS["steps"])
    found = scaled_down(measure([SET]), 8.0, measure)  # costs are 1, 4, 9, ...
    assert GROWTHS["steps"](found[SET].strength) == 4.0


def test_what_no_strength_makes_mild_enough_is_left_out():
    measure, asked = counted(lambda strength: 5.0)
    assert scaled_down({SET: 5.0}, 1.0, measure) == {}
    assert len(asked) == ROUNDS


def test_what_costs_nothing_is_within_the_budget():
    measure, _ = counted(lambda strength: 5.0 if strength > 0.5 else 0.0)
    assert scaled_down({SET: 5.0}, 1.0, measure)[SET].strength <= 0.5


def test_an_operation_that_acts_at_strength_0_is_left_out():
    # Scaling by 0 silences the neurons: a lower strength is not a milder one.
    scale = Setting("auroc", 20, "scale", "mean", strength=1.5)
    measure, asked = counted(GROWTHS["square"])
    assert scaled_down({scale: 9.0}, 1.0, measure) == {}
    assert asked == []
