"""What commands print: one JSON document or text, and progress bars as lines."""

import io
import json
import sys

import pytest
from tqdm import tqdm

from tl_experts.cli.output import Lines, Output, lines_without_a_terminal


def test_a_bar_writes_lines_without_a_terminal() -> None:
    written = io.StringIO()
    stream = Lines(written)
    for _ in tqdm(range(3), desc="embed", file=stream, mininterval=0):
        pass
    stream.write("tl-experts: done\n")
    *bars, last = written.getvalue().splitlines()
    assert "\r" not in written.getvalue()
    assert len(bars) >= 3
    assert all(line.startswith("embed: ") for line in bars)
    assert "3/3" in bars[-1]
    assert last == "tl-experts: done"


def test_a_state_that_is_drawn_again_is_one_line() -> None:
    written = io.StringIO()
    stream = Lines(written)
    for text in ("\ra: 1", "\ra: 1", "\r     ", "\ra: 2", "\n", "\n", "b\n"):
        stream.write(text)
    assert written.getvalue() == "a: 1\na: 2\n\nb\n"


def test_a_terminal_keeps_its_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setenv("TQDM_MININTERVAL", "0.1")
    monkeypatch.setattr(sys, "stderr", terminal)
    with lines_without_a_terminal():
        assert sys.stderr is terminal
    piped = io.StringIO()
    monkeypatch.setattr(sys, "stderr", piped)
    with lines_without_a_terminal():
        sys.stderr.write("\rembed: 1\r")
    assert piped.getvalue() == "embed: 1\n"
    assert sys.stderr is piped


@pytest.mark.parametrize("as_json", [True, False])
def test_json_is_all_that_is_printed(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=as_json)
    output.say("[bold] is text")
    output.finish({"language": "日本語", "k": 5})
    printed = capsys.readouterr().out
    if as_json:
        assert json.loads(printed) == {"language": "日本語", "k": 5}
        assert "日本語" in printed
    else:
        assert printed == "[bold] is text\n"
