"""Successive halving: many settings on few prompts, the best of them on more.

The first stage begins with likely settings, draws others at random, the scorings in turn, then tries the neighbours of
the best so far. Later
stages continue the best with further prompts. In the final, the best of the last stage write further texts for every
prompt, and the score over all texts decides: the best of many noisy scores is often only a lucky one. Last, the two
strengths half a step from the winner's write as many texts as it did: so small a difference shows in many texts only.
Source of the halving: Jamieson and Talwalkar 2016 (arXiv 1502.07943).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from tl_experts.errors import TLExpertsError, require_least
from tl_experts.steering.tuning.space import VECTOR, SearchSpace, Setting
from tl_experts.steering.tuning.trials import best_of, joined, trial_of

EXPLORING = 0.35
"""Share of the budget for settings that are drawn."""

FIRST_STAGE = 0.65
"""Share of the budget for the first stage: those that are drawn and their neighbours."""

HALF_STEPS = 2
"""So many strengths beside that of the winner of the final are tried: half a step lower and higher."""

FINAL = 0.45
"""Share of a budget in seconds that is left for the final and the half steps."""

LIKELY_DEPTHS = (0.2, 0.4, 0.6, 0.8)
"""Of the layers of a space: where a search begins."""

LIKELY_HOLDS = ((1.0, "all"), (1.4, 4))
"""Strengths and positions with which a search begins: the whole text; or its first tokens, more strongly."""

SIDE_BY_SIDE = 8
"""So many settings are written in the same batches: a pass that reads the weights once serves all of them."""

Measure = Callable[[Sequence[Setting], int], Sequence[tuple[Any, float]]]
"""For some settings: each one's texts at a stage, measured (`TextMeasures`), and the seconds that it took. The stages
after the last are the rounds of the final: a further text for every prompt."""


@dataclass(frozen=True)
class Budget:
    """How long to search: give one of the two.

    With trials, the result depends on the seed alone; with seconds, also on the speed of the machine.

    Raises:
        TLExpertsError: both or neither, or not a positive number.

    Examples:
        >>> Budget(trials=60)
        Budget(trials=60, seconds=None, finalists=4, final_texts=2)
    """

    trials: int | None = None
    """How often a setting is measured, at any stage; the final and the half steps come on top."""

    seconds: float | None = None
    """Of writing and measuring, without natural texts and the report. A trial that was begun is finished. Of the time,
    45% are left for the final and the half steps. The final has fewer finalists or fewer texts where all would not fit;
    what does not fit at all does not take place."""

    finalists: int = 4
    """So many of the best settings that were tried on all prompts write further texts for each, and the best over all
    texts is chosen; then the strengths half a step from its own are tried with as many texts. Fewer than 2: the best of
    the search is chosen, without half steps."""

    final_texts: int = 2
    """So many further texts for each prompt does a finalist write. With few prompts, more texts tell neighbours apart:
    of n texts, the share has a standard error of up to 0.5 / sqrt(n). A folder is continued with the same number."""

    def __post_init__(self) -> None:
        """Check that there is one positive number, and how many finalists."""
        if (self.trials is None) == (self.seconds is None):
            raise TLExpertsError(
                f"trials is {self.trials!r}, seconds is {self.seconds!r}; give one of the two, such as trials=60"
            )
        if self.trials is not None:
            require_least(self.trials, "trials", 1)
        if self.seconds is not None:
            number = isinstance(self.seconds, int | float) and not isinstance(self.seconds, bool)
            if not number or not 0 < self.seconds < float("inf"):
                raise TLExpertsError(f"seconds is {self.seconds!r}; expected a positive number, such as 90")
        require_least(self.finalists, "finalists", 0)
        require_least(self.final_texts, "final_texts", 1)

    def total(self, stages: int) -> float:
        """The most trials, those of the final and the half steps included; or the seconds.

        Args:
            stages: of the search.
        """
        if self.trials is None:
            return float(self.seconds or 1)
        if self.finalists < 2:
            return self.trials
        return self.trials + self.finalists * self.final_texts + HALF_STEPS * (stages + self.final_texts)

    @property
    def searching(self) -> float:
        """The share that is used before the final."""
        return 1.0 if self.trials is not None or self.finalists < 2 else 1.0 - FINAL

    def used(self, trials: int, seconds: float) -> float:
        """The share of the budget that is used."""
        if self.trials is not None:
            return trials / self.trials
        return seconds / float(self.seconds or 1)

    def room(self, trials: int, seconds: float, until: float) -> int:
        """How many trials may follow before a share of the budget is used; with seconds, one more than surely fit.

        Args:
            trials: how many were made.
            seconds: how long they took.
            until: the share.
        """
        if self.used(trials, seconds) >= until:
            return 0
        if self.trials is not None:
            return math.ceil(until * self.trials) - trials
        left = until * float(self.seconds or 1) - seconds
        return 1 if not seconds else max(1, int(left * trials / seconds))


def _of_texts(setting: Setting, stage: int, parts: Sequence[Any], seconds: float) -> Any:
    return trial_of(setting, stage, joined(parts), seconds)


@dataclass
class Search:
    """A search that runs once."""

    space: SearchSpace
    possible: Callable[[Setting], bool]
    """Whether a setting can be built."""

    measure: Measure
    stages: int
    budget: Budget
    seed: int = 0

    advance: Callable[[float, "Search"], object] = lambda share, search: None  # noqa: ARG005
    """Told the share of the whole work that is done, after every trial."""

    trial: Callable[[Setting, int, Sequence[Any], float], Any] = _of_texts
    """The trial of a setting from what was measured at every stage so far, and its seconds: a `Trial`, or whatever has
    its `setting`, `stage`, `stopped`, `seconds` and `rank`."""

    trials: dict[Setting, Any] = field(default_factory=dict)
    _begun: set[Setting] = field(default_factory=set)
    _parts: dict[Setting, list[Any]] = field(default_factory=dict)
    _done: int = 0
    _seconds: float = 0.0

    def run(self) -> tuple[Any, ...]:
        """The trials, in the order in which their settings were first tried."""
        draws = self._draws()
        first = FIRST_STAGE if self.stages > 1 else 1.0
        self._try(draws, until=EXPLORING)
        self._try(chain(self._beside_the_best(), draws), until=first)
        for stage in range(1, self.stages):
            alive = (trial.setting for trial in self._alive(stage - 1))
            self._try(alive, stage, until=first + (1 - first) * stage / (self.stages - 1))
        if self._final():
            self._half_steps()
        self.advance(1.0, self)
        return tuple(self.trials.values())

    @property
    def done(self) -> float:
        """The share of the whole work that is done, the final and the half steps included."""
        used = self._done if self.budget.trials is not None else self._seconds
        return min(1.0, used / self.budget.total(self.stages))

    def _final(self) -> bool:
        """The best of the last stage write further texts for every prompt, each as many as the others.

        Returns:
            Whether they wrote them all.
        """
        best = self._alive(self.stages - 1)[: self.budget.finalists]
        # A round has as many texts as a finalist wrote so far, which says how long it will take.
        while best and self._left() < sum(trial.seconds for trial in best):
            best.pop()
        if len(best) < 2:
            return False
        finalists, cost = [trial.setting for trial in best], sum(trial.seconds for trial in best)
        for number in range(self.budget.final_texts):
            if self._left() < cost:
                return False
            for start in range(0, len(finalists), SIDE_BY_SIDE):
                self._measure(finalists[start : start + SIDE_BY_SIDE], self.stages + number)
        return True

    def _half_steps(self) -> None:
        """The strengths half a step from the winner's write as many texts as it did, unless they are hopeless."""
        winner = best_of(self.trials.values())
        if winner is None:
            return
        beside = [setting for setting in self.space.half_steps(winner.setting) if self._begin(setting)]
        if self._left() < len(beside) * winner.seconds:
            return
        for stage in range(self.stages + self.budget.final_texts):
            if not beside:
                return
            self._measure(beside, stage)
            beside = [setting for setting in beside if not self.trials[setting].stopped]

    def _left(self) -> float:
        """The seconds of the budget that are left."""
        return math.inf if self.budget.seconds is None else self.budget.seconds - self._seconds

    def _try(self, settings: Iterator[Setting], stage: int = 0, *, until: float) -> None:
        """Measure settings at a stage, some side by side, until so much of the search's budget is used."""
        while room := self.budget.room(self._done, self._seconds, until * self.budget.searching):
            group = list(islice(settings, min(room, SIDE_BY_SIDE)))
            if not group:
                return
            self._measure(group, stage)

    def _measure(self, group: Sequence[Setting], stage: int) -> None:
        for setting, (measures, seconds) in zip(group, self.measure(group, stage), strict=True):
            self._note(setting, min(stage, self.stages), measures, seconds)

    def _note(self, setting: Setting, stage: int, measures: Any, seconds: float) -> None:
        self._done += 1
        self._seconds += seconds
        before = self.trials.get(setting)
        parts = self._parts.setdefault(setting, [])
        parts.append(measures)
        self.trials[setting] = self.trial(setting, stage, parts, seconds + (before.seconds if before else 0.0))
        self.advance(self.done, self)

    def _alive(self, stage: int) -> list[Any]:
        """The trials of a stage that were not stopped, best first."""
        found = [trial for trial in self.trials.values() if trial.stage == stage and not trial.stopped]
        return sorted(found, key=lambda trial: trial.rank, reverse=True)

    def _draws(self) -> Iterator[Setting]:
        """All possible settings: the likely ones, then in random order, the scorings in turn."""
        settings = self.space.settings()
        return (setting for setting in chain(likely(settings), drawn(settings, self.seed)) if self._begin(setting))

    def _beside_the_best(self) -> Iterator[Setting]:
        """The neighbours of the best settings so far, those of the best first, again and again."""
        while True:
            beside = (near for trial in self._alive(0) for near in self.space.neighbours(trial.setting))
            found = next((near for near in beside if self._begin(near)), None)
            if found is None:
                return
            yield found

    def _begin(self, setting: Setting) -> bool:
        """Whether a setting is possible and was not begun; from now on it is."""
        if setting in self._begun or not self.possible(setting):
            return False
        self._begun.add(setting)
        return True


@contextmanager
def search_bar(
    description: str, budget: Budget, stages: int, told: Callable[["Search"], str | None], *, progress: bool
) -> Iterator[Callable[[float, Search], None]]:
    """A bar of a search, in trials or seconds.

    Args:
        description: what is searched.
        budget: of the search.
        stages: of the search.
        told: what is best so far; None: nothing yet.
        progress: show it.

    Yields:
        What a `Search` calls as `advance`.
    """
    unit = "trial" if budget.trials is not None else "s"
    total = budget.total(stages)
    with tqdm(total=round(total), desc=description, unit=unit, disable=not progress) as bar:

        def advance(share: float, search: Search) -> None:
            bar.update(round(share * total) - bar.n)
            best = told(search)
            if best is not None:
                bar.set_postfix_str(best)

        yield advance


def likely(settings: Sequence[Setting]) -> list[Setting]:
    """Where a search begins: language vectors from English, each at one of four depths and held in one of two ways.

    Such a vector in the middle of the model writes well more often than not (the results page); a search that draws at
    random may never come near it.
    """
    vectors = [setting for setting in settings if setting.scoring == VECTOR and len(setting.layers or ()) == 1]
    layers = sorted({setting.layers for setting in vectors if setting.layers is not None})
    chosen = {layers[round(share * (len(layers) - 1))] for share in LIKELY_DEPTHS} if layers else set()
    return [
        setting
        for setting in vectors
        if setting.layers in chosen and (setting.strength, setting.positions) in LIKELY_HOLDS and setting.source == "en"
    ]


def drawn(settings: Sequence[Setting], seed: int) -> Iterator[Setting]:
    """All settings in random order, the scorings in turn; language vectors, which often write best, every second time.

    Source for the vectors: CLaS-Bench (Gurgurov et al. 2026, arXiv 2601.08331), and the results page.
    """
    generator = np.random.default_rng(seed)
    by_scoring: dict[str, list[Setting]] = {}
    for setting in settings:
        by_scoring.setdefault(setting.scoring, []).append(setting)
    shuffled = {name: iter([own[at] for at in generator.permutation(len(own))]) for name, own in by_scoring.items()}
    vectors = shuffled.pop(VECTOR, iter(()))
    others = (setting for row in zip_longest(*shuffled.values()) for setting in row if setting is not None)
    return (setting for pair in zip_longest(vectors, others) for setting in pair if setting is not None)


def stage_bounds(prompts: int) -> list[tuple[int, int]]:
    """The prompts that each stage adds: the first quarter, the second, the second half.

    Examples:
        >>> stage_bounds(20)
        [(0, 5), (5, 10), (10, 20)]
        >>> stage_bounds(2)
        [(0, 1), (1, 2)]
    """
    ends = sorted({-(-prompts // 4), -(-prompts // 2), prompts})
    return list(zip([0, *ends], ends, strict=False))
