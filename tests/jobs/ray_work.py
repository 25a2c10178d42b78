"""What Ray's workers import for the tests: nothing heavy, so that a worker starts in a second."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Note:
    """Writes a file per number into a folder; may die at a number (the first time or always) or fail at it."""

    def __init__(self, folder: Path, dies_at: int = -1, always: bool = False, fails_at: int = -1):
        self.folder, self.dies_at, self.always, self.fails_at = folder, dies_at, always, fails_at

    def __call__(self, loaded: Any) -> Callable[[int], None]:
        before: list[int] = []

        def do(number: int) -> None:
            marker = self.folder / "died"
            if number == self.dies_at and (self.always or not marker.exists()):
                marker.open("a").write("x")
                os._exit(1)
            if number == self.fails_at:
                raise ValueError(f"number {number} cannot be done")
            with (self.folder / str(number)).open("a") as stream:
                stream.write(f"{os.getpid()} {loaded} {len(before)}\n")
            before.append(number)

        return do


class NeedsEarlier:
    """Writes a file per number, slowly; from a number on, fails where an earlier one is missing."""

    def __init__(self, folder: Path, needed: int):
        self.folder, self.needed = folder, needed

    def __call__(self, loaded: Any) -> Callable[[int], None]:
        with (self.folder / "opened").open("a") as stream:
            stream.write(f"{os.getpid()}\n")

        def do(number: int) -> None:
            if number >= self.needed:
                found = sum((self.folder / str(earlier)).exists() for earlier in range(self.needed))
                if found < self.needed:
                    raise ValueError(f"only {found} of {self.needed} are here")
            time.sleep(0.2 * (number + 1))
            (self.folder / str(number)).touch()

        return do


def opening_fails(loaded: Any) -> Callable[[int], None]:
    """Work that cannot be opened."""
    raise ValueError("the folder belongs to another job")


def load() -> int:
    """What a worker loads: it tells when it was loaded."""
    return time.time_ns()


def dying() -> None:
    """A model that does not fit into memory."""
    os._exit(1)


def failing() -> None:
    """A model that does not exist."""
    raise OSError("no such model")
