"""Which method writes a language best: each with its own best setting, on prompts that chose none, beside baselines."""

from dataclasses import replace

import langcodes

from tl_experts.jobs.stages import Row, Tables
from tl_experts.steering.steering import Steering
from tl_experts.steering.tuning.building import Built
from tl_experts.steering.tuning.search import Budget
from tl_experts.steering.tuning.space import Setting
from tl_experts.steering.tuning.tuner import Tuning
from tl_experts.steering.writing.measures import TextMeasures
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.comparison.methods import UNSTEERED, Method
from tl_experts.study.comparison.texts import Writer

ASKED = "prompt: answer in the language"
OWN = "prompt in the language"
RANDOM = "random neurons at the best setting"
BASELINES = (UNSTEERED, ASKED, OWN)
"""What needs no neurons."""


def writing(bench: CompareBench, target: str) -> Tables:
    """Tune every method on half of the prompts, and measure what it writes for the other half.

    Returns:
        ``writing``: one row per method, with its setting; ``texts``: every text; tables are of one target.
    """
    return _Writing(bench, target).tables()


class _Writing:
    """The texts of one target; methods append their rows."""

    def __init__(self, bench: CompareBench, target: str) -> None:
        self.bench, self.target = bench, target
        self.writer = Writer(bench, target)
        prompts = self.writer.prompts.tuning
        self.tuning = Tuning(bench.model, bench.builder(target), prompts, bench.decoding, bench.config.seed)
        self.rows: list[Row] = []
        self.texts: list[Row] = []

    def tables(self) -> Tables:
        """Baselines, methods, and random neurons at the setting of the best that chooses neurons."""
        self._baselines()
        scores = {method: self._method(method) for method in self.bench.methods}
        # A shift of whole layers chooses no neurons, and has no control.
        chosen = [(score, built) for score, built in scores.values() if isinstance(built, Steering)]
        if chosen:
            for seed in range(self.bench.config.control_seeds):
                self._random(max(chosen, key=lambda pair: pair[0])[1], seed)
        return {f"writing-{self.target}": self.rows, f"texts-{self.target}": self.texts}

    def _baselines(self) -> None:
        name = langcodes.Language.get(self.target).display_name("en")
        prompts = self.writer.prompts
        asked = [f"Answer in {name}: {prompt}" for prompt in prompts.report]
        for method, own in zip(BASELINES, (prompts.report, asked, prompts.own), strict=True):
            self._row(method, self.writer.measured(own, None))

    def _method(self, method: Method) -> tuple[float, Built | None]:
        """Tune a method, and write with it.

        Returns:
            Its score, and what it holds; None if no setting wrote the language.
        """
        bench = self.bench
        result = self.tuning.search(
            method.space(bench.config, int(bench.model.cfg.n_layers)),
            Budget(trials=bench.config.trials, finalists=bench.config.finalists),
            folder=bench.tuning_folder(self.target, method),
            progress=False,
        )
        if result.best is None:
            self._row(method, None, dev_score=0.0)
            return 0.0, None
        measures = self.writer.measured(self.writer.prompts.report, result.steering)
        self._row(method, measures, result.best.setting, result.best.score)
        return measures.score.value, result.steering

    def _random(self, best: Steering, seed: int) -> None:
        control = replace(best, experts=best.experts.random_control(seed=seed))
        self._row(RANDOM, self.writer.measured(self.writer.prompts.report, control))

    def _row(
        self,
        method: Method | str,
        measures: TextMeasures | None,
        setting: Setting | None = None,
        dev_score: float = float("nan"),
    ) -> None:
        row = self.writer.row(method, measures, setting)
        self.rows.append({**row, "dev_score": dev_score})
        if measures is not None:
            self.texts += self.writer.text_rows(row["method"], measures)
