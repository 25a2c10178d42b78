"""Kill jobs and print the outcome: `python -m tests.faults --help`. The exit code is 1 if anything was lost."""

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = {
    "find": ["experts/*", "responses/manifest.json"],
    "find_on_ray": ["experts/*", "responses/manifest.json"],
    "embed": ["embeddings.safetensors"],
    "embed_on_ray": ["embeddings.safetensors"],
    "study": ["study/tables/*.csv"],
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
    """Duration of an undisturbed run."""

    killed: list[float] = field(default_factory=list)
    """Seconds after the start of each run that was killed."""

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


def start(job: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start a run as the leader of a process group."""
    command = [sys.executable, "-m", "tests.faults.scripts", job, str(folder)]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def ended(run: subprocess.Popen[bytes], seconds: float | None = None) -> bool:
    """Wait for a run; True if it ended before it was killed."""
    try:
        _, errors = run.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    if run.returncode:
        sys.stderr.write(errors.decode(errors="replace")[-2000:])
    return True


def descendants(run: subprocess.Popen[bytes]) -> dict[int, str]:
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


def kill(run: subprocess.Popen[bytes]) -> None:
    """Kill all processes of a run; Ray's own have process groups of their own."""
    for process in descendants(run):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    run.communicate()


def kill_often(job: str, kills: int, seed: int) -> Iterator[Outcome]:
    """Kill a job many times; yields the outcome after every kill."""
    chance = random.Random(f"{job}{seed}")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        begun = time.perf_counter()
        if not ended(run := start(job, root / "undisturbed")) or run.returncode:
            raise SystemExit(f"{job} fails undisturbed")
        outcome = Outcome(job, time.perf_counter() - begun)
        expected = digest(job, root / "undisturbed")
        shutil.rmtree(root / "undisturbed")
        while len(outcome.killed) < kills:
            folder = root / str(len(outcome.killed))
            whole = False
            while not whole:
                before = pieces(job, folder)
                run = start(job, folder)
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
    for job in arguments.jobs:
        outcome = None
        for outcome in kill_often(job, arguments.kills, arguments.seed):
            sys.stderr.write(f"{job}: {len(outcome.killed)} of {arguments.kills} killed, {outcome.lost} lost\n")
        if outcome is None:
            continue
        lost += outcome.lost + outcome.repeated
        moments = f"{min(outcome.killed):.1f} to {max(outcome.killed):.1f} s"
        counts = (len(outcome.killed), outcome.workers)
        table.add_row(
            job,
            f"{outcome.seconds:.1f} s",
            *map(str, counts),
            moments,
            *map(str, (outcome.recovered, outcome.lost, outcome.repeated)),
        )
    Console(width=160).print(table)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
