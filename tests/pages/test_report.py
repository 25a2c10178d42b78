"""The report: what it says follows from the tables, and nothing from outside becomes markup."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from tl_experts.pages.report import beside_paper, report, write_report
from tl_experts.study import paper
from tl_experts.study.verdict import verdict

pytestmark = pytest.mark.slow


def with_tables(result, **tables):
    return replace(result, tables=result.tables | tables)


def test_it_is_one_file_that_loads_nothing(result):
    path = write_report(result)
    text = path.read_text("utf-8")
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", markup)
    assert text.count('class="plotly-graph-div"') == 12 + len(result.config.targets)
    for name in ("baselines", "gains", "table1", "correlations"):
        assert f"<h3>{name}</h3>" in text


def test_words_from_outside_stay_words(result):
    evil = "<script>alert(1)</script>"
    hostile = replace(result, config=replace(result.config, name=evil, model=evil))
    choice = result["choice"].assign(why=evil)
    text = report(with_tables(hostile, choice=choice))
    assert evil not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


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


def test_the_papers_numbers_stand_beside_ours_for_its_models_only(result):
    assert "paper pre" not in beside_paper(result, "table1")
    theirs = replace(result, config=replace(result.config, name="aya-8b"))
    table = beside_paper(theirs, "table1").set_index("measure")
    assert table.loc["all_pairs", ["paper pre", "paper post"]].tolist() == [0.72, 0.19]
    correlations = beside_paper(theirs, "correlations").set_index(["target", "of"])["paper"]
    assert correlations["ja", "acc_pre~d_pre"] == -0.96
    assert pd.isna(correlations["ja", "gain~isoscore_gain"])  # ours, not the paper's
    paraphrases = beside_paper(theirs, "paraphrases").set_index(["target", "language", "neurons", "condition"])["paper"]
    assert paraphrases["ja", "ja", "experts", "mixed"] == 0.55
    assert paraphrases["ja", "ja", "random", "post"] == 0.44
    assert pd.isna(paraphrases["ja", "en", "experts", "post"])
    spread = beside_paper(theirs, "gain_spread").set_index("target")
    assert spread.loc["all", ["paper median", "paper most"]].tolist() == [0.32, 0.74]
    assert pd.isna(spread.loc["ja", "paper median"])


def test_table_7_stands_beside_pairs_with_english(result):
    rows = [
        ("tatoeba", "ja", "ja", "en"),
        ("tatoeba", "ja", "en", "ja"),
        ("bucc18", "de", "de", "en"),
        ("", "ja", "ja", "en"),
    ]
    mine = pd.DataFrame(
        [{"corpus": corpus, "target": t, "query": query, "candidate": other} for corpus, t, query, other in rows]
        + [{"corpus": "tatoeba", "target": "ja", "query": "ja", "candidate": "fr"}]
    )
    theirs = with_tables(replace(result, config=replace(result.config, name="aya-8b")), pair_sets=mine)
    table = beside_paper(theirs, "pair_sets")
    assert table["paper post"].tolist()[:3] == [0.307, 0.307, 0.332]
    assert table["paper pre"].isna().tolist() == [False, False, False, True, True]


def test_printed_values_as_the_paper_has_them():
    assert paper.printed_pair_sets("bloom-7b", "tatoeba")["es", "post"] == 0.551
    assert paper.printed_pair_sets("aya-8b", "bucc18")["de", "pre"] == 0.017
    assert paper.printed_correlations("bloom-7b")["ja", "acc_pre~d_pre"] is None
    assert paper.printed_table1("polyglot-mini") == {}
