"""Runs a target on damaged files and checks the contract: read them, or raise an error of the family."""

import logging
import random
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzzing.mutations import mutate
from tests.fuzzing.targets import Target
from tl_experts.corpus.languages import code_of_name
from tl_experts.errors import TLExpertsError

SECONDS = 5.0
MIB = 256.0


class Hang(BaseException):
    """Not an `Exception`, so that no reader swallows it."""


@dataclass
class Outcome:
    """The outcome of a target."""

    executions: int = 0
    seconds: float = 0.0
    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0
    growth: float = 0.0
    crashes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    """The first execution of each crash."""


def fuzz(target: Target, seed: int, *, executions: int | None = None, seconds: float | None = None) -> Outcome:
    """Run a target until either limit is reached, on damage drawn from a seed."""
    with Bench(target) as bench:
        while not bench.over(executions, seconds):
            bench.run(random.Random(f"{seed}/{target.name}/{bench.outcome.executions}"))
    return bench.outcome


class Bench:
    """A target with its valid files, and its outcome so far."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.outcome = Outcome()
        self._begun = time.monotonic()

    def __enter__(self) -> "Bench":
        self._room = tempfile.TemporaryDirectory()
        self._base, self._outer = Path(self._room.name) / "valid", Path(self._room.name) / "outer"
        self._base.mkdir()
        self.target.make(self._base)
        # Once undamaged, and one unknown language, so that the memory of imports does not count.
        _quiet(self.target, self._base)
        code_of_name("klingonish")
        return self

    def __exit__(self, *_: object) -> None:
        self.outcome.seconds = time.monotonic() - self._begun
        self._room.cleanup()

    def over(self, executions: int | None, seconds: float | None) -> bool:
        """Whether either limit is reached."""
        enough = executions is not None and self.outcome.executions >= executions
        return enough or (seconds is not None and time.monotonic() - self._begun >= seconds)

    def run(self, rng: random.Random) -> None:
        """Damage a copy of the files, as the random numbers decide, and read it."""
        shutil.rmtree(self._outer, ignore_errors=True)
        shutil.copytree(self._base, self._outer / "inside" / "deep")
        (self._outer / "outside").write_text("untouched")
        mutate(rng, self._outer / "inside" / "deep", self._outer / "sprung")
        _one(self.target, self._outer, self.outcome.executions, self.outcome)


def _one(target: Target, outer: Path, number: int, outcome: Outcome) -> None:
    outcome.executions += 1
    begun, before = time.monotonic(), _peak(reset=True)
    try:
        _quiet(target, outer / "inside" / "deep")
        outcome.accepted += 1
    except TLExpertsError:
        outcome.refused += 1
    except (Exception, Hang) as error:
        # The innermost line of the package, so that one defect is one row, however it is reached.
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "tl_experts" in frame.filename]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
        outcome.crashes[f"{type(error).__name__} at {where}"] += 1
        outcome.examples.setdefault(f"{type(error).__name__} at {where}", f"#{number}: {str(error)[:70]!r}")
    took, grown = time.monotonic() - begun, _peak() - before
    outcome.slowest, outcome.growth = max(outcome.slowest, took), max(outcome.growth, grown)
    if took > SECONDS:
        outcome.crashes[f"{took:.1f} s (#{number})"] += 1
    if grown > MIB:
        outcome.crashes[f"{grown:.0f} MiB (#{number})"] += 1
    found = {path.name for path in outer.iterdir()} | {path.name for path in (outer / "inside").iterdir()}
    if found != {"inside", "outside", "deep"} or (outer / "outside").read_text() != "untouched":
        outcome.crashes[f"wrote outside its folder: {sorted(found)} (#{number})"] += 1


def _quiet(target: Target, folder: Path) -> None:
    def stop(*_: object) -> None:
        raise Hang("still running")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 2 * SECONDS)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.read(folder)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        logging.disable(logging.NOTSET)


def _peak(*, reset: bool = False) -> float:
    """The largest resident memory of this process since the last reset, in MiB (0 without Linux's /proc)."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0.0
