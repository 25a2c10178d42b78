"""Which method writes a language best: each with its own best setting, on prompts that chose none, beside baselines."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import langcodes
import numpy as np

from tl_experts.jobs.stages import Tables
from tl_experts.steering.steering import Steering
from tl_experts.steering.tuning.building import Built
from tl_experts.steering.tuning.search import Budget
from tl_experts.steering.tuning.space import Setting
from tl_experts.steering.tuning.tuner import TuningPrompts, bundled_tuning_prompts, tune
from tl_experts.steering.writing.measures import TextMeasures, measure_writing
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.comparison.methods import UNSTEERED, Method

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
        # Prompts are English; English itself is written from German ones.
        other = "de" if target == "en" else "en"
        prompts = bundled_tuning_prompts(target, source=other)
        self.tuning, self.report = TuningPrompts(prompts.search, prompts.natural), prompts.report
        self.own = bundled_tuning_prompts(other, source=target).report
        self.rows: list[dict[str, Any]] = []
        self.texts: list[dict[str, Any]] = []
        self.natural = self._measured(self.own, None)

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
        asked = [f"Answer in {name}: {prompt}" for prompt in self.report]
        for method, prompts in zip(BASELINES, (self.report, asked, self.own), strict=True):
            self._row(method, "", None, float("nan"), replace(self._measured(prompts, None), natural=self.natural))

    def _method(self, method: Method) -> tuple[float, Built | None]:
        """Tune a method, and write with it.

        Returns:
            Its score, and what it holds; None if no setting wrote the language.
        """
        bench = self.bench
        result = tune(
            bench.model,
            bench.statistics,
            self.target,
            prompts=self.tuning,
            space=method.space(bench.config, int(bench.model.cfg.n_layers)),
            budget=Budget(trials=bench.config.trials),
            decoding=bench.decoding,
            seed=bench.config.seed,
            folder=bench.folder / "tuning" / self.target / method.key,
            progress=False,
        )
        if result.best is None:
            self._row(method.name, method.scoring, None, 0.0, None)
            return 0.0, None
        measures = self._measured(self.report, result.steering, self.natural)
        self._row(method.name, method.scoring, result.best.setting, result.best.score, measures)
        return measures.score.value, result.steering

    def _random(self, best: Steering, seed: int) -> None:
        control = replace(best, experts=best.experts.random_control(seed=seed))
        self._row(RANDOM, "", None, float("nan"), self._measured(self.report, control, self.natural))

    def _measured(
        self, prompts: Sequence[str], built: Built | None, natural: TextMeasures | None = None
    ) -> TextMeasures:
        return measure_writing(
            self.bench.model,
            list(prompts),
            self.target,
            steering=built,
            texts=self.bench.config.texts,
            seed=self.bench.config.seed,
            decoding=self.bench.decoding,
            natural=natural,
            progress=False,
        )

    def _row(
        self, method: str, scoring: str, setting: Setting | None, dev_score: float, measures: TextMeasures | None
    ) -> None:
        told = "" if setting is None else json.dumps(setting.to_dict())
        row = {"target": self.target, "method": method, "scoring": scoring, "setting": told, "dev_score": dev_score}
        if measures is None:  # no setting wrote a text in the language without repeating itself
            self.rows.append(row | {"share": 0.0, "score": 0.0, "reads_well": False})
            return
        self.rows.append(row | measures.to_dict() | {"example": measures.texts[0]})
        useful = np.where(measures.in_language, measures.quality, 0.0)
        self.texts += [
            {"target": self.target, "method": method, "prompt": prompt, "text": text, "useful": float(value)}
            for prompt, text, value in zip(measures.prompts, measures.texts, useful, strict=True)
        ]
