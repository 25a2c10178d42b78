"""The command line does the main job and answers mistakes in one line."""

import json

import pytest
from typer.testing import CliRunner

from tl_experts import Experts
from tl_experts.cli.commands import app, main

RUN = CliRunner()


@pytest.fixture(scope="module")
def demo(checkpoint, tmp_path_factory):
    output = tmp_path_factory.mktemp("demo")
    arguments = ["demo", "--model", str(checkpoint("llama")), "--k", "5", "--rows", "6", "--quiet"]
    done = RUN.invoke(app, [*arguments, "--output", str(output)], catch_exceptions=False)
    return done, output


def test_demo_prints_both_tables_and_what_to_do_next(demo):
    done, output = demo
    assert done.exit_code == 0
    for part in ("Experts", "Retrieval", "es → en", "ja → es", "mean others → es", "Saved", "Try next"):
        assert part in done.output
    assert str(output / "experts") in done.output


def test_demo_saves_what_it_printed(demo):
    _, output = demo
    experts = Experts.from_pretrained(output / "experts")
    assert experts.languages == ("en", "de", "fr", "es", "it", "pt", "ru", "ja", "zh")
    assert set(experts.counts.values()) == {5}
    lines = (output / "retrieval.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 8
    assert lines[0] == "query,candidate,before,after,random,random_spread,centred"
    assert json.loads((output / "settings.json").read_text())["k"] == 5
    assert len((output / "experts.csv").read_text().splitlines()) == 1 + 9 * 5


def test_models_lists_the_catalogue():
    done = RUN.invoke(app, ["models"])
    assert done.exit_code == 0
    assert "gemma-3-270m" in done.output
    assert "smollm2" in done.output


def test_version_and_help():
    assert "tl-experts 0." in RUN.invoke(app, ["--version"]).output
    assert "demo" in RUN.invoke(app, ["--help"]).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--model", "no/such/model/there"], "no model folder"),
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
