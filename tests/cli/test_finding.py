"""`find` and `merge` on the command line: options, parts, tables."""

import csv
import io
import json

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from tl_experts import Columns, Experts, find_experts
from tl_experts.cli.commands import app
from tl_experts.cli.finding import experts_table
from tl_experts.errors import CorpusError, TLExpertsError, TLExpertsWarning

RUN = CliRunner()


def test_the_command_line_finds_shards_and_merges(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("tl_experts.responses.collect.PART", 7)  # three shards of the 18 sentences
    name = str(checkpoint("llama"))
    common = ["--limit", "6", "--languages", "en,de,ja", "--quiet"]
    run = CliRunner()

    def ok(*arguments):
        done = run.invoke(app, [*map(str, arguments)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    assert "top 5" in ok("find", name, "--k", 5, "--output", tmp_path / "whole", *common)
    for number in (1, 2):
        said = ok("find", name, "--shard", f"{number}/2", "--output", tmp_path / str(number), *common)
        assert f"tl-experts merge {tmp_path / str(number)}" in said
    ok("merge", tmp_path / "1", tmp_path / "2", "--k", 5, "--quiet")
    whole, merged = (Experts.from_pretrained(tmp_path / part / "experts") for part in ("whole", "1"))
    np.testing.assert_array_equal(whole.neuron, merged.neuron)
    for name_, column in whole.statistics.items():
        np.testing.assert_array_equal(column, merged.statistics[name_])
    lape = ["--scoring", "lape"]
    assert "its own rule by lape" in ok("find", name, *lape, "--output", tmp_path / "whole", *common)
    for number in (1, 2):
        said = ok("find", name, *lape, "--shard", f"{number}/2", "--output", tmp_path / str(number), *common)
        assert "--scoring lape" in said
    assert "0 of 3 shards" not in said
    ok("merge", tmp_path / "1", tmp_path / "2", *lape, "--quiet")
    whole, merged = (Experts.from_pretrained(tmp_path / part / "experts") for part in ("whole", "1"))
    np.testing.assert_array_equal(whole.neuron, merged.neuron)
    np.testing.assert_array_equal(whole.statistics["token_mean"], merged.statistics["token_mean"])
    with pytest.raises(TLExpertsError, match="did you mean 'lape'"):
        run.invoke(app, ["find", name, "--scoring", "laep", *common], catch_exceptions=False)
    for arguments in (["--shard", "half"], ["--response-dtype", "int8"], ["--k", "0"], ["--gpus", "-1"]):
        assert run.invoke(app, ["find", name, *arguments]).exit_code == 2
    with pytest.raises(TLExpertsError, match="k is 1000"):
        run.invoke(app, ["find", name, "--k", "1000", "--output", str(tmp_path / "x"), *common], catch_exceptions=False)


def test_the_command_line_reads_a_table_with_the_options_of_load_sentences(checkpoint, tmp_path):
    rows = [f'{number}\t{code}\t"{code} {number}' for code in ("en", "de") for number in range(6)]
    (tmp_path / "table.tsv").write_text("\n".join(["id\tlang\tsentence", *rows, "6\ten\t "]))
    named = ["--text-column", "sentence", "--language-column", "lang", "--row-column", "id", "--no-quoted", "--quiet"]
    given = ["--sentences", str(tmp_path / "table.tsv"), *named, "--k", "3", "--output", str(tmp_path / "run")]
    name, run = str(checkpoint("llama")), CliRunner()
    with pytest.raises(TLExpertsError, match="row 12 is empty"):
        run.invoke(app, ["find", name, *given], catch_exceptions=False)
    with pytest.warns(TLExpertsWarning, match="dropped 1 of 13"):
        run.invoke(app, ["find", name, *given, "--drop-blanks"], catch_exceptions=False)
    assert Experts.from_pretrained(tmp_path / "run" / "experts").languages == ("en", "de")


def test_every_option_of_load_sentences_is_one_of_find(monkeypatch):
    asked = {}

    def noted(source, **options):
        asked.update(options, source=source)
        raise CorpusError("noted")

    monkeypatch.setattr("tl_experts.corpus.readers.load_sentences", noted)
    columns = ["--text-column", "a", "--language-column", "b", "--row-column", "none", "--split-column", "d"]
    others = ["--split", "x", "--languages", "en,de", "--limit", "3", "--aligned", "--drop-blanks", "--quoted"]
    RUN.invoke(app, ["find", "--sentences", "t.csv", *columns, *others, "--config", "c"])
    assert asked == {
        "source": "t.csv",
        "columns": Columns("a", "b", False, "d"),
        "split": "x",
        "languages": ["en", "de"],
        "limit": 3,
        "aligned": True,
        "blanks": "drop",
        "quoted": True,
        "config": "c",
    }


def test_a_sentence_is_cut_only_where_that_is_said(checkpoint, tmp_path):
    for code in ("en", "de"):
        (tmp_path / f"{code}.txt").write_text("long " * 2000 + "\nshort\n")
    given = ["--sentences", str(tmp_path), "--k", "3", "--quiet", "--output"]
    name, run = str(checkpoint("llama")), CliRunner()
    with pytest.raises(TLExpertsError, match="truncate"):
        run.invoke(app, ["find", name, *given, str(tmp_path / "a")], catch_exceptions=False)
    done = run.invoke(app, ["find", name, *given, str(tmp_path / "b"), "--truncate"], catch_exceptions=False)
    assert done.exit_code == 0


def test_find_prints_a_table_and_writes_it(checkpoint, tmp_path):
    options = ["--limit", "4", "--languages", "en,de", "--k", "3", "--layers", "1", "--pooling", "mean", "--quiet"]
    run = RUN.invoke(app, ["find", str(checkpoint("llama")), *options, "--output", str(tmp_path)])
    assert run.exit_code == 0, run.output
    experts = Experts.from_pretrained(tmp_path / "experts")
    assert experts.pooling == "mean"
    assert set(experts.layer) == {1}
    with (tmp_path / "experts.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["language"], int(row["layer"]), int(row["neuron"])) for row in rows] == [
        (language, layer, neuron)
        for language in experts
        for layer, neuron in zip(experts[language].layer, experts[language].neuron, strict=True)
    ]
    assert f"{experts['en'].layer[0]}.{experts['en'].neuron[0]}" in run.output
    assert str(tmp_path / "experts.csv") in run.output


def test_the_other_options_of_find_reach_the_function(checkpoint, tmp_path):
    common = ["find", str(checkpoint("llama")), "--limit", "4", "--languages", "en,de", "--quiet", "--json"]
    both = json.loads(RUN.invoke(app, [*common, "--k", "2", "--how", "both", "--output", str(tmp_path / "a")]).stdout)
    assert both["counts"] == {"en": 4, "de": 4}
    above = json.loads(RUN.invoke(app, [*common, "--threshold", "0.5", "--output", str(tmp_path / "b")]).stdout)
    assert Experts.from_pretrained(above["experts"]).statistics["auroc"].min() >= 0.5
    site = [*common, "--site", "attn.hook_z", "--k", "2", "--output", str(tmp_path / "c")]
    assert json.loads(RUN.invoke(app, site).stdout)["site"] == "attn.hook_z"


def test_a_corpus_may_be_called_so(checkpoint, tmp_path):
    (tmp_path / "corpus.csv").write_text("language,text\nen,a cat\nde,eine Katze\nen,two\nde,zwei\n")
    name = str(checkpoint("llama"))
    run = RUN.invoke(
        app, ["find", name, "--corpus", str(tmp_path / "corpus.csv"), "--k", "2", "--quiet", "--output", str(tmp_path)]
    )
    assert run.exit_code == 0, run.output


def printed(table, width):
    """The lines of a table as printed."""
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue().splitlines()


def test_the_table_names_a_language_that_a_rule_gave_nothing(model_of, corpus):
    found = find_experts(model_of("llama"), corpus, k=4, progress=False)
    cells = {line.split()[0]: line.split()[1:] for line in printed(experts_table(found - found["de"]), 80)}
    assert cells["de"] == ["0"]
    english = found["en"]
    assert cells["en"][:2] == ["4", f"{english.statistics['auroc'].max():.4f}"]
    first = [f"{layer}.{neuron}" for layer, neuron in zip(english.layer, english.neuron, strict=True)][:3]
    assert cells["en"][-3:] == first


def test_nothing_of_the_table_is_cut_in_60_columns(model_of, corpus):
    found = find_experts(model_of("llama"), corpus, k=4, progress=False)
    lines = printed(experts_table(found), 60)
    assert max(map(len, lines)) <= 60
    assert not any("…" in line for line in lines)
    for word in (*found.languages, "experts", "layer.neuron", f"{found['en'].layer[2]}.{found['en'].neuron[2]}"):
        assert any(word in line for line in lines), word
