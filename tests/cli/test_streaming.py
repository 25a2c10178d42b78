"""On a terminal texts appear token by token; what is printed in the end is what a pipe gets."""

import io

import pytest
from typer.testing import CliRunner

from tl_experts import Steering, find_experts
from tl_experts.cli.commands import app
from tl_experts.cli.streaming import echoed


class Terminal(io.StringIO):
    """Remembers each write."""

    def __init__(self):
        super().__init__()
        self.writes = []

    def isatty(self):
        return True

    def write(self, text):
        self.writes.append(text)
        return super().write(text)


@pytest.fixture(scope="module")
def command(model_of, checkpoint, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "steering"
    experts = find_experts(model_of("llama"), corpus, k=6, progress=False)
    Steering(experts["de"], "add", strength=0.5).save_pretrained(folder)
    prompts = ["--prompt", "Die Katze", "--prompt", "Where"]
    options = ["--steering", str(folder), "-n", "2", "--max-new-tokens", "6"]
    return ["steer", str(checkpoint("llama")), "--to", "de", *prompts, *options]


def test_a_terminal_sees_tokens_as_they_are_written_and_in_the_end_what_a_pipe_gets(command, monkeypatch):
    piped = CliRunner().invoke(app, [*command, "--quiet"], catch_exceptions=False).stdout
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", terminal)
        app(command, standalone_mode=False)
    assert terminal.getvalue() == piped
    assert len([text for text in terminal.writes if text.strip()]) > 3 * len(piped.split("before: "))
    for option in ("--quiet", "--json"):
        quiet = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", quiet)
            patch.setattr("tl_experts.cli.writing.stream_both", None)
            app([*command, option], standalone_mode=False)
        assert quiet.getvalue()


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([" a", " a b", " a b\nc"], [" a", " b", "\n        c", "", "\n"]),
        (["\N{REPLACEMENT CHARACTER}", "ñ"], ["", "ñ", "", "\n"]),  # a character of two tokens
        (["a", "a\N{REPLACEMENT CHARACTER}"], ["a", "", "\N{REPLACEMENT CHARACTER}", "\n"]),  # one that never ends
    ],
)
def test_each_step_prints_what_it_adds(steps, expected, monkeypatch):
    told = []
    monkeypatch.setattr("typer.echo", lambda text, nl=True: told.append(text + "\n" * nl))
    assert echoed([[step] for step in steps]) == steps[-1]
    assert told == expected
