"""The verdict says what the tables say."""

from dataclasses import replace

from tests.study.tables import with_tables
from tl_experts.analysis.statistics import enough_resamples, smallest_p
from tl_experts.study.verdict import verdict


def test_the_winner_named_first_is_the_one_of_the_table(result):
    table = result["baselines"].copy()
    table["top1"] = 0.2
    table.loc[(table["condition"] == "post") & (table["method"] == "last layer"), "top1"] = 0.5
    first = verdict(with_tables(result, baselines=table))[0]
    assert "the intervention retrieves more translations" in first
    assert "50.0% against 20.0%, 30.0 points" in first
    table.loc[(table["condition"] == "pre") & (table["method"] == "centred"), "top1"] = 0.75
    first = verdict(with_tables(result, baselines=table))[0]
    assert "centred without any intervention retrieves more translations than the intervention" in first
    assert "behind for en by 25.0, ja by 25.0" in first


def with_resamples(result, resamples):
    return replace(result, config=replace(result.config, resamples=resamples))


def test_a_gain_is_printed_with_its_interval(result):
    sure = with_resamples(result, 10_000)
    table = sure["gains"].copy()
    mine = (table["target"] == "en") & (table["condition"] == "post") & (table["kind"] == "target as query")
    table.loc[mine, ["pre", "post", "gain", "low", "high", "p_holm"]] = [0.1, 0.3, 0.2, 0.05, 0.35, 0.01]
    text = verdict(with_tables(sure, gains=table))[1]
    assert "en 10.0% to 30.0% (+20.0 points, 95% interval +5.0 to +35.0)" in text
    table.loc[mine, "p_holm"] = 0.5
    assert "+35.0, not significant)" in verdict(with_tables(sure, gains=table))[1]


def test_a_test_without_power_is_never_called_not_significant(result):
    tests = len(result["gains"])
    few, enough = enough_resamples(tests) - 1, enough_resamples(tests)
    table = result["gains"].assign(p_holm=smallest_p(few, tests))
    text = verdict(with_tables(with_resamples(result, few), gains=table))[1]
    assert "not significant" not in text
    assert f"with {few} resamples, p is at least 0.05 after Holm's correction over {tests} tests" in text
    assert f"at least {enough} resamples are needed" in text
    table = table.assign(p_holm=smallest_p(enough, tests))
    text = verdict(with_tables(with_resamples(result, enough), gains=table))[1]
    assert "not significant" not in text, "the largest gain can be significant"
    assert "Significance cannot be determined" not in text


def test_controls_are_counted_as_ahead_where_the_test_has_no_power(result):
    tests = int((result["control_summary"]["control"] != "experts").sum())
    few, enough = (verdict(with_resamples(result, number))[3] for number in (50, enough_resamples(tests)))
    assert f"over {tests} tests" in few
    assert "significantly" not in few
    assert "significantly ahead for" in enough
    assert "cannot be determined" not in enough


def test_experts_that_track_length_are_named(result):
    table = result["stability"].copy()
    table["tracks_length"] = [0.25, 0.0]
    assert "lead over chance): en (25.0%)" in verdict(with_tables(result, stability=table))[-1]
    table["tracks_length"] = 0.0
    assert "No expert merely tracks sentence length" in verdict(with_tables(result, stability=table))[-1]
