"""The long form: prints one table; the exit status is 1 if a reader broke its contract."""

import argparse
import os
import sys
from contextlib import nullcontext

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"  # targets run in forked processes, which do not have the parent's threads

from rich.console import Console
from rich.table import Table

try:
    import atheris
except ImportError:  # not on Linux
    atheris = None
from tests.fuzzing import READERS

with nullcontext() if atheris is None else atheris.instrument_imports(include=READERS):
    from tests.fuzzing.targets import TARGETS
from tests.fuzzing.guided import guided
from tests.fuzzing.harness import Outcome, fuzz

COLUMNS = ("target", "executions", "seconds", "accepted", "refused", "crashes", "slowest (s)", "memory (MiB)")


def main() -> int:
    """Fuzz the targets that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="per target")
    parser.add_argument("--executions", type=int, help="at most, per target")
    parser.add_argument("--targets", nargs="*", choices=[target.name for target in TARGETS])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--blind", action="store_true", help="draw the damage from the seed instead of guiding it by coverage"
    )
    given = parser.parse_args()
    table, broken = Table(*COLUMNS), []
    for target in TARGETS:
        if given.targets and target.name not in given.targets:
            continue
        run = fuzz if given.blind or atheris is None else guided
        done: Outcome = run(target, given.seed, executions=given.executions, seconds=given.seconds)
        numbers = (done.executions, f"{done.seconds:.1f}", done.accepted, done.refused, sum(done.crashes.values()))
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
