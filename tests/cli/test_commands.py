"""The command line does the main job and answers mistakes in one line."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tl_experts import Experts, available_models
from tl_experts.cli.commands import app, main
from tl_experts.errors import TLExpertsError
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


COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]


@pytest.mark.parametrize("command", COMMANDS)
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


MISTAKES = {
    "demo --model polyglot-mni": "no model 'polyglot-mni'; did you mean 'polyglot-mini'",
    "demo --target xx": "language 'xx' has no sentence; choose one of 'en'",
    "demo --k 100000": "k is 100000, but there are 7168 neurons",
    "find polyglot-mni": "did you mean 'polyglot-mini'",
    "find --k 100000": "k is 100000, but there are 7168 neurons",
    "find --how both --k 5000": "takes 2 x 5000 of 7168 neurons",
    "find --sentences nowhere.csv": "nowhere.csv does not exist",
    "find ./no/such/folder": "is not a model folder",
    "steer polyglot-mni --to es --prompt a": "did you mean 'polyglot-mini'",
    "steer polyglot-mini --to xx --prompt a": "--to 'xx' is not known",
    "tune polyglot-mini --to xx": "--to 'xx' is not known",
    "study --model polyglot-mni": "did you mean 'polyglot-mini'",
    "compare --model polyglot-mni": "did you mean 'polyglot-mini'",
    "embed polyglot-mni --output a.npy": "did you mean 'polyglot-mini'",
    "embed polyglot-mini --output a.npy --to xx": "--to 'xx' is not known",
    "retrieve polyglot-mini --output a.csv --queries sv": "'sv' has no sentence",
    "generate polyglot-mini --prompts nowhere.txt --output a.jsonl": "nowhere.txt",
}
CHECK = """
import contextlib, io, json, sys
from tl_experts.cli.commands import main
said = {}
for line in json.loads(sys.argv[1]):
    sys.argv = ["tl-experts", *line.split()]
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            main()
        except SystemExit as end:
            said[line] = [end.code, errors.getvalue(), [n for n in ("torch", "transformers") if n in sys.modules]]
print(json.dumps(said))
"""


def test_a_mistake_is_told_without_pytorch(tmp_path):
    """What takes seconds is the import of PyTorch; a mistake that does not need it does not wait for it."""
    command = [sys.executable, "-c", CHECK, json.dumps(list(MISTAKES))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    said = json.loads(done.stdout)
    for line, message in MISTAKES.items():
        code, error, loaded = said[line]
        assert code == 1, line
        assert message in error, line
        assert loaded == [], line
    assert list(tmp_path.iterdir()) == []


def test_the_shell_completes_models_and_languages(monkeypatch):
    def completed(line: str) -> str:
        words = {"_TL_EXPERTS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        return RUN.invoke(app, [], env=words, prog_name="tl-experts").stdout

    assert completed("tl-experts find poly").split() == [
        "polyglot-mini",
        "polyglot-mini-small",
        "polyglot-mini-small-english",
    ]
    assert completed("tl-experts demo --target e").split() == ["en", "es"]
    assert "--show-completion" in RUN.invoke(app, ["--help"]).output
