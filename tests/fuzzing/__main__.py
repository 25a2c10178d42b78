"""The long form: one table, and exit status 1 where a reader broke its contract."""

import argparse
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

from rich.console import Console
from rich.table import Table

from tests.fuzzing.harness import fuzz
from tests.fuzzing.targets import TARGETS

COLUMNS = ("target", "executions", "seconds", "accepted", "refused", "crashes", "slowest (s)", "memory (MiB)")


def main() -> int:
    """Fuzz every target that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--executions", type=int, help="of each target, at most")
    parser.add_argument("--targets", nargs="*", choices=[target.name for target in TARGETS])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table, broken = Table(*COLUMNS), []
    for target in TARGETS:
        if given.targets and target.name not in given.targets:
            continue
        done = fuzz(target, given.seed, executions=given.executions, seconds=given.seconds)
        numbers = (done.executions, f"{done.seconds:.1f}", done.accepted, done.refused, done.crashes.total())
        table.add_row(target.name, *map(str, numbers), f"{done.slowest:.2f}", f"{done.growth:.0f}")
        broken += [
            f"{target.name}: {count} x {what} {done.examples.get(what, '')}" for what, count in done.crashes.items()
        ]
    console = Console(width=110)
    console.print(table)
    for line in broken:
        console.print(line, markup=False, highlight=False)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
