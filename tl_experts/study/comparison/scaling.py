"""Strengths at which settings cost a given amount, so that methods can be compared at one price.

A strength of 0 changes nothing and costs nothing, and the cost grows with the strength: for small strengths with its
square, as a KL divergence does near its minimum.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tl_experts.steering.operations import changes_nothing
from tl_experts.steering.tuning.space import Setting

ROUNDS = 5
"""Strengths that are tried of a setting, at most."""

NEAR = 0.9
"""A setting that uses this share of the budget is close enough to it."""

AIM = 0.95
"""The share of the budget that is aimed at, so that a small error stays within it."""

LEAST = 1e-12
"""In place of a cost of 0, which has no logarithm."""

DIGITS = 3
"""Significant digits of a strength."""

SQUARE, LEAST_POWER = 2.0, 0.5
"""Bounds of the power by which the cost is taken to fall below the strengths that were tried."""

Point = tuple[float, float]
"""A strength and its cost."""

Costs = Callable[[Sequence[Setting]], Mapping[Setting, float]]
"""What settings cost."""


@dataclass
class _Search:
    """The strengths of one setting that were tried, and their costs."""

    beyond: Point
    """The weakest beyond the budget."""

    within: Point | None = None
    """The strongest within it."""

    before: Point | None = None
    """What was beyond it before."""

    def next(self, budget: float) -> float:
        """The strength to try next."""
        strength, cost = self.beyond
        other = self.within or self.before
        # Between two strengths, or below them, the cost is taken to go on as a power of the strength.
        power = SQUARE if other is None else _power(self.beyond, other)
        if self.within is None:
            power = min(max(power, LEAST_POWER), SQUARE)
        return float(f"{strength * (AIM * budget / cost) ** (1 / power):.{DIGITS}g}")

    def note(self, strength: float, cost: float, budget: float) -> None:
        """Take in what a strength costs."""
        point = strength, max(cost, LEAST)
        if cost <= budget:
            self.within = max(self.within or point, point)
        elif point < self.beyond:
            self.beyond, self.before = point, self.beyond

    def done(self, budget: float) -> bool:
        """Whether a strength uses up the budget, or none can be found between those tried."""
        if self.within is None:
            return False
        strength, cost = self.within
        return cost >= NEAR * budget or not strength < self.next(budget) < self.beyond[0]


def _power(one: Point, other: Point) -> float:
    """Of the strength, by which the cost grows from one to the other."""
    return math.log(one[1] / other[1]) / math.log(one[0] / other[0])


def scaled_down(costs: Mapping[Setting, float], budget: float, measure: Costs) -> dict[Setting, Setting]:
    """Lower the strength of settings until each costs the budget.

    Args:
        costs: of settings, each beyond the budget.
        budget: above 0, in the same unit.
        measure: what settings cost; asked for all of a round together.

    Returns:
        For each setting, the strongest found that is within the budget. Those of which no strength is mild enough, or
        whose operation does something at strength 0 too, are left out.
    """
    searches = {
        setting: _Search((setting.strength, cost))
        for setting, cost in costs.items()
        if changes_nothing(setting.operation, 0.0)  # type: ignore[arg-type]
    }
    for _ in range(ROUNDS):
        proposed = {
            setting: replace(setting, strength=one.next(budget))
            for setting, one in searches.items()
            if not one.done(budget)
        }
        if not proposed:
            break
        found = measure(list(dict.fromkeys(proposed.values())))
        for setting, tried in proposed.items():
            searches[setting].note(tried.strength, found[tried], budget)
    return {
        setting: replace(setting, strength=one.within[0]) for setting, one in searches.items() if one.within is not None
    }
