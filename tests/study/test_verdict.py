"""The verdict says what the tables say."""

from tests.study.tables import with_tables
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


def test_a_gain_is_printed_with_its_interval(result):
    table = result["gains"].copy()
    mine = (table["target"] == "en") & (table["condition"] == "post") & (table["kind"] == "target as query")
    table.loc[mine, ["pre", "post", "gain", "low", "high", "p_holm"]] = [0.1, 0.3, 0.2, 0.05, 0.35, 0.01]
    said = verdict(with_tables(result, gains=table))[1]
    assert "en 10.0% to 30.0% (+20.0 points, 95% interval +5.0 to +35.0)" in said
    table.loc[mine, "p_holm"] = 0.5
    assert "+35.0, not significant)" in verdict(with_tables(result, gains=table))[1]


def test_experts_that_track_length_are_named(result):
    table = result["stability"].copy()
    table["tracks_length"] = [0.25, 0.0]
    assert "above chance): en (25.0%)" in verdict(with_tables(result, stability=table))[-1]
    table["tracks_length"] = 0.0
    assert "None merely tracks sentence length" in verdict(with_tables(result, stability=table))[-1]
