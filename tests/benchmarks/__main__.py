"""Run jobs, then print and save the table: `python -m tests.benchmarks --help`."""

import argparse
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from tests.benchmarks import processes
from tests.benchmarks.growth import draw, exponent, measure
from tests.benchmarks.inputs import Setting
from tests.benchmarks.jobs import JOBS
from tests.benchmarks.timing import COLUMNS, Row

ALL: dict[str, Callable[[Setting], Row]] = JOBS | {
    "9": processes.memory,
    "9disk": processes.memory_on_disk,
    "10": processes.importing,
    "10help": processes.helping,
    "11": processes.demo,
}


def machine() -> str:
    """Processor, threads and versions of the libraries."""
    names = ("tl-experts", "torch", "transformer-lens", "transformers", "numpy", "numba")
    cores = torch.get_num_threads()
    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass  # not Linux: only the platform's own name is known
    return f"{processor}, {cores} threads; " + ", ".join(f"{name} {version(name)}" for name in names)


def show(rows: list[Row]) -> None:
    """Print the table."""
    table = Table(*COLUMNS, title=machine())
    for row in rows:
        table.add_row(*row.cells())
    Console(width=200).print(table)


def main() -> int:
    """Run the requested jobs. The exit code is 0 whatever the times are."""
    parser = argparse.ArgumentParser(description="The benchmark of tl-experts.")
    parser.add_argument("--model", default="polyglot-mini")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", nargs="*", choices=[*ALL, "growth"], default=[*ALL, "growth"])
    parser.add_argument("--pairs", type=int, default=5, help="timings of each job and its reference")
    parser.add_argument("--rows", type=int, default=500, help="sentences per language")
    parser.add_argument("--output", type=Path, help="folder for benchmark.json and growth.html")
    arguments = parser.parse_args()
    setting = Setting(arguments.model, arguments.device, arguments.pairs, arguments.rows)
    rows = []
    for name in arguments.jobs:
        if name in ALL:
            rows.append(ALL[name](setting))
            sys.stderr.write(" | ".join(rows[-1].cells()) + "\n")
    show(rows)
    grown = measure(setting) if "growth" in arguments.jobs else {}
    for job, points in grown.items():
        rates = f"time grows as n^{exponent(points):.2f}, memory as n^{exponent(points, 2):.2f}"
        sys.stdout.write(f"{job}: {rates}; {points}\n")
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        document = {"machine": machine(), "model": setting.name, "rows": [asdict(row) for row in rows], "growth": grown}
        (arguments.output / "benchmark.json").write_text(json.dumps(document, indent=1), "utf-8")
        if grown:
            draw(grown).write_html(arguments.output / "growth.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
