"""Kill jobs and print the outcome: `python -m tests.faults --help`. The exit code is 1 if anything was lost."""

import argparse
import contextlib
import hashlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.forks import Run, Server

RESULTS = {
    "find": ["experts/*", "responses/manifest.json"],
    "find_on_ray": ["experts/*", "responses/manifest.json"],
    "embed": ["embeddings.safetensors"],
    "embed_on_ray": ["embeddings.safetensors"],
    "study": ["study/tables/*.csv"],
    "comparison": ["comparison/tables/*.csv"],
    "comparison_on_ray": ["comparison/tables/*.csv"],
    "conversion": ["cache/**/*.safetensors", "cache/**/*.json"],
    "training": ["losses.txt"],
}
"""The results of each job, which must be the same in the end."""

PIECES = {
    "find": "responses/shards/*.json",
    "find_on_ray": "responses/shards/*.json",
    "embed": "embeddings/*.safetensors",
    "embed_on_ray": "embeddings/*.safetensors",
    "study": "study/passes/*/*.safetensors",
    "comparison": "comparison/tuning/*/*/trials/*.safetensors",
    "comparison_on_ray": "comparison/tuning/*/*/trials/*.safetensors",
}
"""The pieces of each job: one that existed when a run was killed must not be recomputed."""

WORKER = "ray::_Worker"
"""Start of the command line of a worker. In jobs with workers, either one worker is killed, or the driver with all.

Ray's own agents are named ``ray::...``, too; Ray shuts down a machine whose agent dies.
"""


@dataclass
class Outcome:
    """The outcome of a job."""

    job: str
    seconds: float
    """Duration of the work of an undisturbed run."""

    killed: list[float] = field(default_factory=list)
    """Seconds after the start of the work of each run that was killed."""

    workers: int = 0
    """How many of these kills hit a worker only, after which the run continued."""

    recovered: int = 0
    """Chains of killed runs that ended with the results of an undisturbed run."""

    lost: int = 0
    """Chains that ended with other results."""

    repeated: int = 0
    """Pieces that were recomputed although they existed."""


def digest(job: str, folder: Path) -> str:
    """The SHA-256 of a job's results."""
    found = hashlib.sha256()
    for pattern in RESULTS[job]:
        for path in sorted(folder.glob(pattern)):
            found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return found.hexdigest()


def pieces(job: str, folder: Path) -> dict[str, int]:
    """The existing pieces, and when each was written."""
    return {str(path): path.stat().st_mtime_ns for path in folder.glob(PIECES[job])} if job in PIECES else {}


def undisturbed(job: str, folder: Path) -> float:
    """A run that nothing disturbs.

    Returns:
        The seconds of its work, without the imports.
    """
    command = [sys.executable, "-m", "tests.faults.scripts", job, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{job} fails undisturbed\n{done.stderr[-2000:]}")
    return float(done.stdout.splitlines()[-1])


def ended(run: Run, seconds: float | None = None) -> bool:
    """Wait for a run; True if it ended before it was killed."""
    if not run.wait(seconds):
        return False
    if run.returncode:
        sys.stderr.write(run.errors[-2000:])
    return True


def descendants(run: Run) -> dict[int, str]:
    """The processes that a run has started, each with its command line."""
    found = {run.pid: ""}
    for path in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            words = (path / "cmdline").read_text()
        except (OSError, ValueError):
            continue  # the process has ended
        if parent in found:
            found[int(path.name)] = words
    return found


def kill(run: Run) -> None:
    """Kill all processes of a run; Ray's own have process groups of their own."""
    for process in descendants(run):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    run.wait()


def kill_often(job: str, kills: int, seed: int, servers: Sequence[Server]) -> Iterator[Outcome]:
    """Kill a job many times; yields the outcome after every kill."""
    chance = random.Random(f"{job}{seed}")
    turns = itertools.cycle(servers)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        outcome = Outcome(job, undisturbed(job, root / "undisturbed"))
        expected = digest(job, root / "undisturbed")
        shutil.rmtree(root / "undisturbed")
        while len(outcome.killed) < kills:
            folder = root / str(len(outcome.killed))
            whole = False
            while not whole:
                before = pieces(job, folder)
                run = next(turns).start("run", job, folder, errors=root / "errors")
                moment = chance.uniform(0, outcome.seconds)
                whole = (len(outcome.killed) >= kills and ended(run)) or ended(run, moment)
                if not whole:
                    outcome.killed.append(moment)
                    victims = [process for process, words in descendants(run).items() if words.startswith(WORKER)]
                    if victims and chance.random() < 0.5:
                        os.kill(chance.choice(victims), signal.SIGKILL)
                        outcome.workers += 1
                        whole = ended(run)
                    else:
                        kill(run)
                    yield outcome
                after = pieces(job, folder)
                outcome.repeated += sum(after.get(name) != written for name, written in before.items())
            good = run.returncode == 0 and digest(job, folder) == expected
            outcome.recovered += good
            outcome.lost += not good
            shutil.rmtree(folder)
        yield outcome


def main() -> int:
    """Run the jobs that are asked for."""
    parser = argparse.ArgumentParser(description="Kill runs and check that nothing is lost.")
    parser.add_argument("--jobs", nargs="*", choices=list(RESULTS), default=list(RESULTS))
    parser.add_argument("--kills", type=int, default=40, help="number of kills of each job")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    table = Table("job", "undisturbed", "killed", "of these workers", "moments", "recovered", "lost", "recomputed")
    lost = 0
    # Two take turns: as between processes that a user starts, the order of Python's sets differs from run to run.
    with Server("tests.faults.scripts") as one, Server("tests.faults.scripts") as other:
        for job in arguments.jobs:
            outcome = None
            for outcome in kill_often(job, arguments.kills, arguments.seed, (one, other)):
                sys.stderr.write(f"{job}: {len(outcome.killed)} of {arguments.kills} killed, {outcome.lost} lost\n")
            if outcome is None:
                continue
            lost += outcome.lost + outcome.repeated
            table.add_row(*row(outcome))
    Console(width=160).print(table)
    return int(lost > 0)


def row(outcome: Outcome) -> list[str]:
    """A row of the table."""
    moments = f"{min(outcome.killed):.1f} to {max(outcome.killed):.1f} s"
    counts = (outcome.recovered, outcome.lost, outcome.repeated)
    killed = (len(outcome.killed), outcome.workers)
    return [outcome.job, f"{outcome.seconds:.1f} s", *map(str, killed), moments, *map(str, counts)]


if __name__ == "__main__":
    sys.exit(main())
