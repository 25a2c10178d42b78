"""The report: what it says follows from the tables, and nothing from outside becomes markup."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from tests.study.tables import with_tables
from tl_experts.pages.report import as_toml, beside_paper, report, write_report
from tl_experts.study import StudyConfig, load_config

pytestmark = pytest.mark.slow


def test_it_is_one_file_that_loads_nothing(result):
    path = write_report(result)
    text = path.read_text("utf-8")
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", markup)
    assert text.count('class="plotly-graph-div"') == 13 + len(result.config.targets)
    for name in ("baselines", "gains", "table1", "correlations"):
        assert f"<h3>{name}</h3>" in text


def test_text_from_outside_stays_text(result):
    evil = "<script>alert(1)</script>"
    # No study can have a name with a slash: markup in it has none.
    hostile = replace(result, config=replace(result.config, name="<img src=x>", model=evil))
    choice = result["choice"].assign(why=evil)
    text = report(with_tables(hostile, choice=choice))
    assert evil not in text
    assert "<img src=x>" not in text
    assert "&lt;img src=x&gt;" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_papers_numbers_are_shown_for_its_models_only(result):
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


def test_table_7_is_shown_for_pairs_with_english(result):
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


def test_options_come_back_from_their_toml(tmp_path):
    config = StudyConfig.from_dict(
        {"name": "x", "model": "polyglot-mini", "k": 5, "corpus": 'a "quoted"\\name', "sweep_k": [5, 7]}
    )
    (tmp_path / "study.toml").write_text(as_toml(config), encoding="utf-8")
    assert load_config(tmp_path / "study.toml") == config
