"""What may happen to a run: Ctrl-C, a second run in its folder, a folder that cannot be written, a full disk.

Each is said in a line, and nothing is lost.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tl_experts import Experts, ResponseStore

pytestmark = pytest.mark.slow

SMALL = """
import sys, tl_experts.responses.collect
tl_experts.responses.collect.PART = 96
from tl_experts.cli.commands import main
options = ["--limit", "60", "--k", "20", "--quiet", "--output", sys.argv[1]]
sys.argv = ["tl-experts", "find", "polyglot-mini-small", *options]
main()
"""


def started(folder: Path, *, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    """`tl-experts find` with small shards, so that there are many."""
    run = [sys.executable, "-c", SMALL, str(folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(run, **pipes, text=True, env=os.environ, preexec_fn=before)


def test_an_interrupted_run_ends_soon_and_says_how_to_go_on(tmp_path: Path) -> None:
    run = started(tmp_path)
    shards = tmp_path / "responses" / "shards"
    until = time.monotonic() + 120
    while not list(shards.glob("*.json")) and run.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    begun = time.monotonic()
    _, said = run.communicate(timeout=60)
    assert time.monotonic() - begun < 20  # seconds on a busy machine; one batch
    assert run.returncode == 130, said
    assert "Traceback" not in said
    assert "Run the same command again" in said
    kept = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.json")}
    assert kept
    again = started(tmp_path)
    assert again.wait(timeout=300) == 0
    assert all((shards / name).stat().st_mtime_ns == written for name, written in kept.items())


def test_two_runs_in_one_folder_end_with_the_same_experts(tmp_path: Path) -> None:
    alone = started(tmp_path / "alone")
    assert alone.wait(timeout=300) == 0
    both = [started(tmp_path / "shared") for _ in range(2)]
    errors = [run.communicate(timeout=300)[1] for run in both]
    assert [run.returncode for run in both] == [0, 0], errors
    assert ResponseStore(tmp_path / "shared" / "responses").missing() == []
    one, two = (Experts.from_pretrained(tmp_path / name / "experts") for name in ("alone", "shared"))
    assert one.to_pandas().equals(two.to_pandas())


def without_the_right_to_write_anywhere() -> None:
    """Root minus the capability that lets it write where nobody may (Linux)."""
    drop, override = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(drop, override, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    run = started(tmp_path / "run", before=without_the_right_to_write_anywhere)
    _, said = run.communicate(timeout=300)
    tmp_path.chmod(0o700)
    assert run.returncode == 1, said
    assert said.startswith("tl-experts: ")
    assert said.count("\n") == 1
    assert str(tmp_path) in said
    assert not list(tmp_path.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that holds three shards of six."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1800k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_run_that_filled_the_disk_goes_on_when_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    run = started(small_disk / "run")
    _, said = run.communicate(timeout=300)
    assert run.returncode == 1, said
    assert said.startswith("tl-experts: ")
    assert "full" in said or "No space left on device" in said
    assert "Free some space, then run the same call again" in said
    shards = small_disk / "run" / "responses" / "shards"
    kept = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.json")}
    assert 0 < len(kept) < 6
    assert {path.suffix for path in small_disk.rglob("*") if path.is_file()} == {
        ".json",
        ".npy",
    }  # nothing half-written
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert started(small_disk / "run").wait(timeout=300) == 0
    assert all((shards / name).stat().st_mtime_ns == written for name, written in kept.items())
    assert started(tmp_path / "undisturbed").wait(timeout=300) == 0
    one, other = (
        Experts.from_pretrained(place / "experts") for place in (small_disk / "run", tmp_path / "undisturbed")
    )
    assert one.to_pandas().equals(other.to_pandas())
