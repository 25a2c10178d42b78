"""Processes that may be killed, without the seconds of imports: a server imports once and forks itself for each run.

`Server(module)` imports a module; `start` runs one of its functions in a fork, which is a process of its own that a
test can send signals to.
"""

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Server:
    """A process that runs functions of a module."""

    def __init__(self, module: str) -> None:
        command = [sys.executable, "-m", "tests.forks", module]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
        self._process = subprocess.Popen(command, cwd=Path(__file__).parents[1], **pipes)
        self._codes: dict[int, int] = {}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._requests.close()
        self._process.wait()
        self._answers.close()

    def start(self, function: str, *arguments: Any, errors: Path) -> "Run":
        """Start a run.

        Args:
            function: its name.
            arguments: what JSON can hold; paths become texts.
            errors: file for what it writes on stderr.
        """
        self._requests.write(json.dumps([function, arguments, str(errors)], default=str).encode() + b"\n")
        while (started := self._answer()) is None:
            pass
        return Run(self, started, errors)

    def code(self, process: int, seconds: float | None) -> int | None:
        """The exit code of a run; None if it has not ended within so many seconds."""
        until = None if seconds is None else time.monotonic() + seconds
        while process not in self._codes:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._answers], [], [], left)[0]:
                return None
            self._answer()
        return self._codes[process]

    def _answer(self) -> int | None:
        """Read an answer: the process that was started; None: one has ended, and its exit code is kept."""
        line = self._answers.readline()
        if not line:
            raise RuntimeError("the server has ended")
        process, code = json.loads(line)
        if code is None:
            return int(process)
        self._codes[process] = code
        return None


class Run:
    """A run of a function."""

    def __init__(self, server: Server, pid: int, errors: Path) -> None:
        self.pid = pid
        self.returncode: int | None = None
        """As of `subprocess`: the negative signal that killed it; None: it has not been waited for."""

        self._server, self._errors = server, errors

    def wait(self, seconds: float | None = None) -> bool:
        """Wait; whether it ended within so many seconds."""
        if self.returncode is None:
            self.returncode = self._server.code(self.pid, seconds)
        return self.returncode is not None

    @property
    def errors(self) -> str:
        """What it wrote on stderr."""
        return self._errors.read_text(errors="replace")


def serve(module: str) -> None:
    """Read runs from stdin; answer with the process of each, and later with its exit code."""
    functions = importlib.import_module(module)
    running: dict[int, int] = {}  # a pipe that only the fork holds open, and its process
    with os.fdopen(0, "rb", buffering=0, closefd=False) as requests:
        while True:
            for ready in select.select([requests, *running], [], [])[0]:
                if isinstance(ready, int):
                    os.close(ready)
                    process = running.pop(ready)
                    _say(process, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
                    continue
                if not (line := requests.readline()):
                    return
                function, arguments, errors = json.loads(line)
                end, held = os.pipe()
                if not (process := os.fork()):
                    _run(getattr(functions, function), arguments, errors)
                os.close(held)
                running[end] = process
                _say(process, None)


def _say(process: int, code: int | None) -> None:
    os.write(1, json.dumps([process, code]).encode() + b"\n")


def _run(function: Callable[..., Any], arguments: list[Any], errors: str) -> None:
    """In the fork: the leader of a session, with files of its own."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    code = 1
    try:
        function(*arguments)
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
