"""What may happen to a run: Ctrl-C, a second run in its folder, a folder that cannot be written, a full disk.

Each is said in a line, and nothing is lost.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from tests.cli.found import FIND, PART
from tests.forks import Run, Server
from tl_experts import Experts, ResponseStore
from tl_experts.cli.commands import app

pytestmark = pytest.mark.slow

LONG = 300.0
"""Seconds after which a run hangs."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Where runs are started that may be interrupted."""
    with Server("tests.cli.found") as found:
        yield found


def again(folder: Path) -> None:
    """The same command to its end, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tl_experts.responses.collect.PART", PART)
        done = CliRunner().invoke(app, [*FIND, str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def code(run: Run) -> int | None:
    """The exit code of a run; None if it hangs."""
    run.wait(LONG)
    return run.returncode


def experts_of(folder: Path) -> pd.DataFrame:
    return Experts.from_pretrained(folder / "experts").to_pandas()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The experts of a run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    again(folder)
    return experts_of(folder)


def test_an_interrupted_run_ends_soon_and_says_how_to_go_on(server: Server, tmp_path: Path) -> None:
    run = server.start("find", tmp_path / "run", errors=tmp_path / "errors")
    shards = tmp_path / "run" / "responses" / "shards"
    until = time.monotonic() + 120
    while not list(shards.glob("*.json")) and not run.wait(0.01) and time.monotonic() < until:
        pass
    if run.returncode is None:
        os.kill(run.pid, signal.SIGINT)
    begun = time.monotonic()
    assert run.wait(60)
    assert time.monotonic() - begun < 20  # seconds on a busy machine; one batch
    assert run.returncode == 130, run.errors
    assert "Traceback" not in run.errors
    assert "Run the same command again" in run.errors
    kept = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.json")}
    assert kept
    again(tmp_path / "run")
    assert all((shards / name).stat().st_mtime_ns == written for name, written in kept.items())


def test_two_runs_in_one_folder_end_with_the_same_experts(
    server: Server, undisturbed: pd.DataFrame, tmp_path: Path
) -> None:
    both = [server.start("find", tmp_path / "shared", errors=tmp_path / f"errors{run}") for run in range(2)]
    assert [code(run) for run in both] == [0, 0], [run.errors for run in both]
    assert ResponseStore(tmp_path / "shared" / "responses").missing() == []
    assert experts_of(tmp_path / "shared").equals(undisturbed)


@pytest.mark.skipif(sys.platform != "linux", reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    run = server.start("find_without_rights", closed / "run", errors=tmp_path / "errors")
    assert code(run) == 1, run.errors
    assert run.errors.startswith("tl-experts: ")
    assert run.errors.count("\n") == 1
    assert str(closed) in run.errors
    assert not list(closed.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that holds three shards of six."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_run_that_filled_the_disk_goes_on_when_there_is_room(
    server: Server, small_disk: Path, undisturbed: pd.DataFrame, tmp_path: Path
) -> None:
    run = server.start("find", small_disk / "run", errors=tmp_path / "errors")
    assert code(run) == 1, run.errors
    assert run.errors.startswith("tl-experts: ")
    assert "full" in run.errors or "No space left on device" in run.errors
    assert "Free some space, then run the same call again" in run.errors
    shards = small_disk / "run" / "responses" / "shards"
    kept = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.json")}
    assert 0 < len(kept) < 6
    # Nothing half-written.
    assert {path.suffix for path in small_disk.rglob("*") if path.is_file()} == {".json", ".npy"}
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    again(small_disk / "run")
    assert all((shards / name).stat().st_mtime_ns == written for name, written in kept.items())
    assert experts_of(small_disk / "run").equals(undisturbed)
