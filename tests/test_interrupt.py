"""Ctrl-C ends a run soon, says how to go on, and loses nothing; two runs in one folder do each other no harm."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tl_experts import Experts, ResponseStore

pytestmark = pytest.mark.slow

SMALL = """
import sys, tl_experts.responses
tl_experts.responses.PART = 96
from tl_experts.cli import main
options = ["--limit", "60", "--k", "20", "--quiet", "--output", sys.argv[1]]
sys.argv = ["tl-experts", "find", "polyglot-mini-small", *options]
main()
"""


def started(folder: Path) -> subprocess.Popen[str]:
    """`tl-experts find` with small shards, so that there are many."""
    run = [sys.executable, "-c", SMALL, str(folder)]
    return subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


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


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    run = started(tmp_path / "run")
    _, said = run.communicate(timeout=300)
    tmp_path.chmod(0o700)
    assert run.returncode == 1
    assert said.startswith("tl-experts: ")
    assert str(tmp_path) in said
