"""What commands print: text for people, or one JSON document; progress bars as lines where nobody watches."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

import typer


class Output:
    """Prints text, or, with ``--json``, nothing but the document of `finish`."""

    def __init__(self, *, as_json: bool) -> None:
        from rich.console import Console

        self.as_json = as_json
        self.console = Console(quiet=as_json)

    def say(self, *things: Any) -> None:
        """Print text or tables, without colours inside text; long lines are not cut."""
        self.console.print(*things, highlight=False, markup=False, soft_wrap=all(isinstance(t, str) for t in things))

    def finish(self, document: Mapping[str, Any] | list[Any]) -> None:
        """Print the result of the command, if JSON is asked for."""
        if self.as_json:
            typer.echo(json.dumps(document, ensure_ascii=False, default=str))


class Lines:
    """A stream on which a progress bar writes lines instead of overwriting one: for files and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar = ""

    def write(self, text: str) -> int:
        """Write text. What follows a carriage return is a state of a bar: a line, unless it repeats the last."""
        if not text.startswith("\r"):
            if not (text == "\n" and self._bar):  # the end of a bar, whose line has ended
                self._stream.write(text)
            self._bar = ""
            return len(text)
        state = text[1:].rstrip()
        if state and state != self._bar:
            self._stream.write(f"{state}\n")
            self._bar = state
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lines_without_a_terminal() -> Iterator[None]:
    """A block in which progress bars write a line every ten seconds, unless stderr is a terminal."""
    terminal = sys.stderr
    if not terminal.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", "10")  # tqdm reads it when it is imported
        sys.stderr = Lines(terminal)
    try:
        yield
    finally:
        sys.stderr = terminal
