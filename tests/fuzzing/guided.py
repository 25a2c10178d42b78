"""Fuzzing guided by coverage (atheris, libFuzzer): damage that reaches new lines of the readers is varied further.

Each target runs in a process of its own with limited memory, so that allocating a declared size fails even where the
system would have granted it.
"""

import json
import os
import random
import resource
import sys
from pathlib import Path
from typing import Any

from tests.fuzzing.harness import Bench, Outcome
from tests.fuzzing.targets import Target

ROOM = 2**30
"""Bytes of address space that a target may use beyond what its process has at the start."""


class Drawn(random.Random):
    """Random numbers made of the fuzzer's bytes; zeros when they are used up."""

    def __new__(cls, data: bytes) -> "Drawn":
        return super().__new__(cls)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def getrandbits(self, k: int) -> int:
        size = (k + 7) // 8
        taken, self._data = self._data[:size], self._data[size:]
        return int.from_bytes(taken, "little") >> (8 * size - k) if len(taken) == size else 0

    def random(self) -> float:
        return self.getrandbits(16) / 2**16


def guided(target: Target, seed: int, *, executions: int | None = None, seconds: float | None = None) -> Outcome:
    """Run a target until either limit is reached, in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _limit()
        _fuzz(target, seed, executions, seconds, writing)
    os.close(writing)
    with os.fdopen(reading) as stream:
        outcome = stream.read()
    _, status = os.waitpid(child, 0)
    if not outcome or status:
        return Outcome(crashes={f"the process ended with status {status}": 1})  # type: ignore[arg-type]
    return Outcome(**json.loads(outcome))


def _fuzz(target: Target, seed: int, executions: int | None, seconds: float | None, writing: int) -> None:
    import atheris

    # libFuzzer prints the number of its runs.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    bench = Bench(target).__enter__()

    def one(data: bytes) -> None:
        if bench.over(executions, seconds):
            bench.__exit__()
            os.write(writing, json.dumps(vars(bench.outcome)).encode())
            os._exit(0)  # libFuzzer's own exit runs no Python code
        bench.run(Drawn(data))

    # The bench detects hangs: libFuzzer would end the process at the first one.
    atheris.Setup(
        [sys.argv[0], f"-seed={seed + 1}", "-timeout=0", "-max_len=256", "-len_control=0", "-rss_limit_mb=0"], one
    )
    atheris.Fuzz()


def _limit() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit: Any = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
