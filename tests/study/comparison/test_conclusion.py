"""The conclusion names the winner of each purpose and says how sure that is."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tl_experts.analysis.statistics import mean_interval
from tl_experts.study.comparison.ceiling import CEILING
from tl_experts.study.comparison.conclusion import best_writer, conclusion, gain_of_texts, useful
from tl_experts.study.comparison.views import ALL

pytestmark = pytest.mark.slow


def test_the_first_sentences_name_what_wins(compared):
    writing, equal, retrieval, costs, cause = conclusion(compared)
    assert writing.startswith(f"For writing, {best_writer(compared)} is best of ")
    assert re.search(r"top-1 over all pairs \d+\.\d% against \d+\.\d%", retrieval)
    assert "nats per token" in costs
    assert re.search(r"At equal cost, .* is best.*: .* of at most \d+\.\d\d nats per token", equal)
    assert re.search(r"neurons by auroc .* diagonality of -?\d\.\d\d \[.*\] .* random neurons", cause)


def test_rivals_that_are_not_beaten_are_named_at_once(compared):
    texts, better = compared["texts"].copy(), "prompt in the language"
    for method, worth in ((best_writer(compared), 0.5), (better, 0.75), ("prompt: answer in the language", 0.25)):
        texts.loc[texts["method"] == method, "useful"] = worth
    first = conclusion(replace(compared, tables=compared.tables | {"texts": texts}))[0]
    assert f"but does not beat the {better}:" in first or f"and the {better}:" in first
    assert f"against the {better} -25 points (beyond doubt)" in first
    assert "against the prompt: answer in the language +25 points (beyond doubt)" in first


def test_the_language_vector_is_set_against_the_best_other_method(compared):
    table = compared["writing"].copy()
    table.loc[table["method"] == "language vector", "dev_score"] = 1.0
    table.loc[table["method"] == "auroc, set mean", "dev_score"] = 0.9
    assert "against auroc, set mean " in conclusion(replace(compared, tables=compared.tables | {"writing": table}))[0]


def test_what_was_not_measured_is_left_out(compared):
    rest = {name: compared[name] for name in ("writing", "texts", "costs", "alignment")}
    assert len(conclusion(replace(compared, tables=rest))) == 3


def test_the_winner_is_chosen_by_the_search_not_by_the_report(compared):
    table = compared["writing"].copy()
    table.loc[table["method"] == "language vector", "dev_score"] = 1.0
    table.loc[table["method"] == "auroc, set mean", "score"] = 1.0
    assert best_writer(replace(compared, tables=compared.tables | {"writing": table})) == "language vector"


def test_a_method_without_texts_is_worth_nothing(compared):
    assert np.array_equal(useful(compared, "a method that wrote nothing"), np.zeros((1, 20)))


def texts_of(compared, values, copies):
    """The comparison with two methods: one worth nothing, one of these values by prompt, each in so many texts."""
    rows = [
        {"target": "es", "method": method, "row": row, "useful": value * worth}
        for method, worth in (("nothing", 0), ("something", 1))
        for row, value in enumerate(values)
        for _ in range(copies)
    ]
    return replace(compared, tables={"texts": pd.DataFrame(rows)})


def test_texts_of_one_prompt_are_not_independent(compared):
    values = np.random.default_rng(0).uniform(-0.5, 1, size=20)
    once, often = (texts_of(compared, values, copies) for copies in (1, 4))
    gains = [gain_of_texts(one, useful(one, "nothing"), useful(one, "something")) for one in (once, often)]
    # Copies of a text say nothing new, so the interval stays; as independent texts they would halve it.
    assert (gains[0].low, gains[0].high) == pytest.approx((gains[1].low, gains[1].high))
    texts = often["texts"].query("method == 'something'")["useful"].to_numpy()
    independent = mean_interval(texts, seed=0, resamples=500)
    assert (gains[1].high - gains[1].low) > 1.6 * (independent.high - independent.low)


def test_a_prompt_is_resampled_with_all_its_targets(compared):
    values = np.random.default_rng(0).uniform(-0.5, 1, size=(1, 20))
    alone = gain_of_texts(compared, np.zeros((1, 20)), values)
    together = gain_of_texts(compared, np.zeros((3, 20)), np.repeat(values, 3, axis=0))
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))


def test_the_detectable_difference_is_said_where_the_interval_holds_zero(compared):
    open_ = _with_alignment(compared, gain_low=-0.1, gain_high=0.1, detectable=0.034)
    assert "would have shown a difference of 3.4 points or more four times in five (80% power)" in _retrieval(open_)
    sure = _with_alignment(compared, gain_low=0.1, gain_high=0.2)
    assert "four times in five" not in _retrieval(sure)


def test_the_script_and_the_ceiling_are_said(compared):
    said = _retrieval(compared)
    assert re.search(r"languages in Latin script only, the same intervention finds \d+\.\d%", said)
    assert re.search(r"multilingual-e5-small \(another model\), finds \d+\.\d%", said)
    table = compared["alignment"]
    without = table[(table["method"] != CEILING) & (table["languages"] == ALL)]
    said = _retrieval(replace(compared, tables=compared.tables | {"alignment": without}))
    assert "was not measured: pip install 'tl-experts[ceiling]'" in said
    assert "script" not in said


def test_tables_of_an_earlier_version_are_told(compared):
    table = compared["alignment"].drop(columns=["rank", "detectable", "from_target", "to_target"])
    older = replace(compared, tables=compared.tables | {"alignment": table})
    assert "An earlier version computed these tables" in _retrieval(older)


def _retrieval(result):
    (found,) = (paragraph for paragraph in conclusion(result) if paragraph.startswith("For retrieval"))
    return found


def _with_alignment(result, **columns):
    return replace(result, tables=result.tables | {"alignment": result["alignment"].assign(**columns)})


def test_too_few_resamples_are_said_aloud(compared):
    few = replace(compared, config=replace(compared.config, resamples=20))
    assert "no corrected p can be below" in conclusion(few)[2]
