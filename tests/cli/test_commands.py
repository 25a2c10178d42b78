"""The command line does the main job and answers mistakes in one line."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tl_experts import Columns, Experts, available_models
from tl_experts.cli.commands import app, main
from tl_experts.errors import CorpusError, TLExpertsError, TLExpertsWarning
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER

RUN = CliRunner()


def test_models_lists_the_catalogue():
    done = RUN.invoke(app, ["models"])
    assert done.exit_code == 0
    assert "gemma-3-270m" in done.output
    assert "smollm2" in done.output
    assert ("load as HookedTransformer" in done.output) == HAS_HOOKED_TRANSFORMER


def test_the_name_of_a_model_is_whole_on_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    words = RUN.invoke(app, ["models"]).output.split()
    assert {entry.name for entry in available_models()} <= set(words)


def test_json_is_printed_for_programs(checkpoint, tmp_path):
    listed = json.loads(RUN.invoke(app, ["models", "--json"]).stdout)
    assert [entry["name"] for entry in listed] == [entry.name for entry in available_models()]
    tiny = ["find", str(checkpoint("llama")), "--languages", "en,de", "--limit", "4", "--output", str(tmp_path)]
    found = json.loads(RUN.invoke(app, [*tiny, "--k", "3", "--quiet", "--json"]).stdout)
    assert found["counts"] == {"en": 3, "de": 3}
    assert Experts.from_pretrained(found["experts"]).counts == found["counts"]
    merged = json.loads(RUN.invoke(app, ["merge", str(tmp_path), "--k", "3", "--quiet", "--json"]).stdout)
    assert merged == found


@pytest.mark.parametrize("command", ["models", "demo", "find", "merge", "steer", "tune", "study", "compare", "inspect"])
def test_every_command_has_the_short_help_and_the_common_options(command):
    shown = RUN.invoke(app, [command, "-h"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "--quiet" in shown.output
    assert "--json" in shown.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--model", "poliglot-mini"], "no model 'poliglot-mini'; did you mean 'polyglot-mini"),
        (["demo", "--target", "sv"], "'sv' has no sentence"),
        (["demo", "--model", "TINY", "--k", "100000"], "k is 100000, but there are 96"),
        (["find", "TINY", "--k", "100000", "--languages", "en,de"], "k is 100000, but there are 96"),
        (["find", "poliglot-mini", "--languages", "en,de"], "did you mean 'polyglot-mini"),
        (["study", "--model", "poliglot-mini"], "did you mean 'polyglot-mini"),
    ],
)
def test_a_mistake_is_told_before_the_first_pass(arguments, message, checkpoint, monkeypatch, tmp_path):
    monkeypatch.setattr("tl_experts.models.forward.forward_pass", None)
    monkeypatch.setattr("tl_experts.cli.commands.RUNS", tmp_path)
    filled = [str(checkpoint("llama")) if argument == "TINY" else argument for argument in arguments]
    refused = RUN.invoke(app, [*filled, "--quiet"])
    assert isinstance(refused.exception, TLExpertsError)
    assert message in str(refused.exception)


def test_version_and_help():
    assert "tl-experts 0." in RUN.invoke(app, ["--version"]).output
    assert "demo" in RUN.invoke(app, ["--help"]).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--model", "no/such/model/there"], "is not a model folder"),
        (["demo", "--model", "TINY", "--target", "klingon"], "not a language code"),
        (["demo", "--model", "TINY", "--target", "sv"], "'sv' has no sentence"),
        (["demo", "--model", "TINY", "--k", "1000"], "k is 1000, but there are 96"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(arguments, message, checkpoint, monkeypatch, capsys):
    filled = [str(checkpoint("llama")) if argument == "TINY" else argument for argument in arguments]
    monkeypatch.setattr("sys.argv", ["tl-experts", *filled, "--rows", "4", "--quiet"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "arguments", [["demo", "--k", "0"], ["demo", "--rows", "one"], ["demoo"], ["demo", "--sedes", "1"]]
)
def test_a_wrong_option_is_a_usage_error(arguments):
    assert RUN.invoke(app, arguments).exit_code == 2


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
