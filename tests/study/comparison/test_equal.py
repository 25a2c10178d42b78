"""At equal cost: the divergence of a setting is that of its steered model, and nobody spends more than the budget."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tl_experts import steer
from tl_experts.models.divergence import text_divergences
from tl_experts.steering.tuning.space import Setting
from tl_experts.study.comparison.bench import CompareBench, read_corpora
from tl_experts.study.comparison.equal import _tried, budget_of, equal_cost
from tl_experts.study.comparison.texts import setting_of
from tl_experts.study.result import records

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench(compare_config, mini, compared):
    dev, test = read_corpora(compare_config)
    return CompareBench(compare_config, mini, dev, test, compared.folder, progress=False)


def test_the_cost_is_measured_in_every_language_but_the_target(bench, compared, compare_config, mini):
    table = compared["divergence"]
    row = next(table[table["tuned"]].itertuples())
    method = next(method for method in bench.methods if method.name == row.method)
    setting = next(trial.setting for trial in _tried(bench, "es", method) if str(trial.setting) == row.setting)
    others = bench.test.only([code for code in bench.test.languages if code != "es"]).head(compare_config.kl_rows)
    built = bench.builder("es").build(replace(setting, positions="all"))
    found = text_divergences(mini, others.texts, [partial(steer, mini, built)])
    assert row.kl == pytest.approx(found.nats.sum() / found.tokens.sum(), rel=1e-5)
    assert 0 < row.low <= row.kl <= row.high


@pytest.mark.parametrize(("written", "read"), [("all", "all"), ("generated", "all"), (4, "all"), ("last", "last")])
def test_what_acts_on_written_tokens_acts_on_all_that_are_read(bench, written, read):
    setting = Setting("auroc", 5, positions=written)
    assert bench.reading("es", setting).positions == read


def test_nobody_spends_more_and_takes_the_best_that_can_be_paid(compared):
    for row in compared["equal"].dropna(subset=["kl"]).itertuples():
        assert row.kl <= row.budget
        tried = compared["divergence"].query("method == @row.method and kl <= @row.budget")
        assert row.dev_score in set(tried["dev_score"])


def test_a_method_whose_best_setting_costs_more_gets_a_lower_strength(compared):
    costs = compared["divergence"].set_index(["method", "setting"])["kl"]
    dearer = []
    for method, row in compared["equal"].set_index("method").iterrows():
        best = compared["divergence"].query("method == @method and tuned")
        if not len(best) or best["kl"].iloc[0] <= row["budget"]:
            continue
        setting = setting_of(row)
        dearer.append(method)
        assert costs[method, str(setting)] == row["kl"] <= row["budget"]
        assert row["score"] >= 0
    assert dearer, "the fixture no longer has a method that costs more than the vector"


def test_a_setting_that_was_written_with_keeps_its_texts(compared):
    written, equal = (compared[name].set_index("method") for name in ("writing", "equal"))
    same = [method for method in equal.index if equal.loc[method, "setting"] == written.loc[method, "setting"] != ""]
    for method in same:
        assert equal.loc[method, "score"] == written.loc[method, "score"]
        texts, again = compared["texts"], compared["equal_texts"]
        assert list(texts[texts["method"] == method]["text"]) == list(again[again["method"] == method]["text"])


def test_what_was_not_measured_is_not_zero(bench, compared, compare_config, monkeypatch):
    monkeypatch.setattr("tl_experts.study.comparison.equal.scaled_down", lambda costs, budget, measure: {})
    poor = replace(bench, config=replace(compare_config, equal_kl=1e-9))
    tables = equal_cost(poor, "es", records(compared["writing"]), records(compared["texts"]))
    assert tables["equal_texts-es"] == []
    tried = set(compared["divergence"]["method"])
    for row in tables["equal-es"]:
        assert (row["budget"], row["setting"]) == (1e-9, "")
        # Only a method that wrote the language at no setting of its search is known to be worth nothing.
        assert [np.isnan(row[name]) for name in ("dev_score", "score", "share")] == [row["method"] in tried] * 3


COSTS = [
    {"scoring": "auroc", "tuned": True, "kl": 1.0},
    {"scoring": "auroc", "tuned": False, "kl": 9.0},
    {"scoring": "lape", "tuned": True, "kl": 4.0},
    {"scoring": "vector", "tuned": True, "kl": 2.0},
]


def test_the_budget_is_what_was_asked_for_or_what_the_language_vector_costs(compare_config):
    assert budget_of(compare_config, COSTS) == 2.0
    assert budget_of(compare_config, COSTS[:3]) == 2.5
    assert budget_of(replace(compare_config, equal_kl=0.3), COSTS) == 0.3
