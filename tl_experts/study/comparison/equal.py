"""Methods at equal cost: how far settings move the model on text of other languages, and what is best for one price.

The cost of a setting is KL(unsteered || steered) of the next-token distribution in nats, averaged over the tokens of
held-out text in every language but the target: the extra cross-entropy of the steered model on text that the unsteered
one draws. A method whose best setting costs more than the budget gets a lower strength, so that no method is left out
because its search tried strong settings only.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from tl_experts.analysis.statistics import Estimate, ratio_interval
from tl_experts.jobs.stages import Row, Tables
from tl_experts.models.divergence import text_divergences
from tl_experts.steering.interventions import steer
from tl_experts.steering.tuning.result import TuneResult
from tl_experts.steering.tuning.space import VECTOR, Setting
from tl_experts.steering.tuning.trials import Trial, best_of, trial_of
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.comparison.config import CompareConfig
from tl_experts.study.comparison.methods import Method
from tl_experts.study.comparison.scaling import scaled_down
from tl_experts.study.comparison.texts import UNKNOWN, Writer, setting_of

TRIED = 8
"""Most settings of a method whose cost is measured: the best of its search."""

NAN = float("nan")


def equal_cost(bench: CompareBench, target: str, written: Sequence[Row], texts: Sequence[Row]) -> Tables:
    """The cost of every method's best settings, and what each writes at the best one within a common budget.

    Args:
        bench: the comparison.
        target: the language that is written.
        written: the rows of ``writing`` of the target.
        texts: the rows of ``texts`` of the target.

    Returns:
        ``divergence``: a row per method and setting tried; ``equal``: a row per method, at the setting of highest rank
        among those of its search within the budget and its best one with the strength lowered to the budget (NaN: none
        is mild enough; 0: no setting of the search wrote the language); ``equal_texts``: the texts of these.
    """
    tried = {method: _tried(bench, target, method) for method in bench.methods}
    costs = _costs(bench, target, [trial.setting for own in tried.values() for trial in own])
    chosen = {str(row["method"]): setting_of(row) for row in written}
    rows = [
        _cost_row(target, method, trial, costs[trial.setting], tuned=trial.setting == chosen[method.name])
        for method, own in tried.items()
        for trial in own
    ]
    tables: Tables = {f"divergence-{target}": rows}
    if not rows:  # no method wrote the language
        return tables
    within = _Within(bench, target, budget_of(bench.config, rows), written, texts)
    milder = within.milder(tried, costs)
    rows += [_cost_row(target, method, trial, costs[trial.setting], tuned=False) for method, trial in milder.items()]
    return {**tables, **within.tables(tried, milder, costs)}


def budget_of(config: CompareConfig, rows: Sequence[Row]) -> float:
    """The cost at which methods are compared, in nats per token.

    Args:
        config: whose `equal_kl` is taken, if given.
        rows: of ``divergence``, at least one: otherwise the cost of the language vector's best setting is taken, and
            where it wrote nothing, the median cost of the methods' best settings.
    """
    if config.equal_kl is not None:
        return config.equal_kl
    best = [row for row in rows if row["tuned"]] or rows
    vector = [row["kl"] for row in best if row["scoring"] == VECTOR]
    return float(vector[0] if vector else np.median([row["kl"] for row in best]))


@dataclass(frozen=True, eq=False)
class _Within:
    """What methods write within a budget."""

    bench: CompareBench
    target: str
    budget: float
    written: Sequence[Row]
    texts: Sequence[Row]

    @cached_property
    def writer(self) -> Writer:
        return Writer(self.bench, self.target)

    def milder(self, tried: Mapping[Method, Sequence[Trial]], costs: dict[Setting, Estimate]) -> dict[Method, Trial]:
        """The best setting of each method that costs more than the budget, at the strength that costs the budget.

        What these cost is added to `costs`. Their texts for the prompts of the search are measured.
        """

        def measure(settings: Sequence[Setting]) -> dict[Setting, float]:
            costs.update(_costs(self.bench, self.target, settings))
            return {setting: costs[setting].value for setting in settings}

        best = {method: own[0] for method, own in tried.items() if own}
        dear = {one.setting: costs[one.setting].value for one in best.values()}
        dear = {setting: cost for setting, cost in dear.items() if cost > self.budget}
        found = scaled_down(dear, self.budget, measure)
        return {
            method: self._trial(found[one.setting], one.stage) for method, one in best.items() if one.setting in found
        }

    def _trial(self, setting: Setting, stage: int) -> Trial:
        begun = time.perf_counter()
        measures = self.writer.searched(self.bench.builder(self.target).build(setting))
        return trial_of(setting, stage, measures, time.perf_counter() - begun)

    def tables(
        self,
        tried: Mapping[Method, Sequence[Trial]],
        milder: Mapping[Method, Trial],
        costs: Mapping[Setting, Estimate],
    ) -> Tables:
        """What every method writes at its best setting within the budget."""
        rows: list[Row] = []
        texts: list[Row] = []
        for method, own in tried.items():
            affordable = [trial for trial in own if costs[trial.setting].value <= self.budget]
            lowered = milder.get(method)
            best = best_of(affordable if lowered is None else [*affordable, lowered]) or lowered
            row, new = self._method(method, best)
            if best is None and own:
                row = {**row, **UNKNOWN}
            cost = NAN if best is None else costs[best.setting].value
            score = best.score if best is not None else NAN if own else 0.0
            rows.append({**row, "dev_score": score, "kl": cost, "budget": self.budget})
            texts += new
        return {f"equal-{self.target}": rows, f"equal_texts-{self.target}": texts}

    def _method(self, method: Method, best: Trial | None) -> tuple[Row, Sequence[Row]]:
        """The row and the texts of a method; what `writing` has written at the same setting is taken from there."""
        if best is None:
            return self.writer.row(method, None), []
        for row in self.written:
            if row["method"] == method.name and setting_of(row) == best.setting:
                return row, [text for text in self.texts if text["method"] == method.name]
        steering = self.bench.builder(self.target).build(best.setting)
        measures = self.writer.measured(self.writer.prompts.report, steering)
        return self.writer.row(method, measures, best.setting), self.writer.text_rows(method.name, measures)


def _tried(bench: CompareBench, target: str, method: Method) -> list[Trial]:
    """The best settings of a search that wrote the language, best first."""
    trials = TuneResult.load(bench.tuning_folder(target, method)).trials
    alive = [trial for trial in trials if not trial.stopped and trial.score > 0]
    return sorted(alive, key=lambda trial: trial.rank, reverse=True)[:TRIED]


def _costs(bench: CompareBench, target: str, settings: Sequence[Setting]) -> dict[Setting, Estimate]:
    """KL(unsteered || steered) of each setting, and its interval over sentences."""
    different = list(dict.fromkeys(settings))
    if not different:
        return {}
    config = bench.config
    corpus = bench.test.only([language for language in bench.test.languages if language != target]).head(config.kl_rows)
    conditions = [partial(steer, bench.model, bench.reading(target, setting)) for setting in different]
    found = text_divergences(bench.model, corpus.texts, conditions)
    return {
        setting: ratio_interval(nats, found.tokens, seed=config.seed, resamples=config.resamples)
        for setting, nats in zip(different, found.nats, strict=True)
    }


def _cost_row(target: str, method: Method, trial: Trial, cost: Estimate, *, tuned: bool) -> Row:
    return {
        "target": target,
        "method": method.name,
        "scoring": method.scoring,
        "setting": str(trial.setting),
        "tuned": tuned,
        "texts": trial.texts,
        "share": trial.share,
        "dev_score": trial.score,
        "kl": cost.value,
        "low": cost.low,
        "high": cost.high,
    }
