"""The rank of this process from torchrun or srun, and torchrun itself with two processes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.cli.found import PART
from tl_experts import Batching, Experts, Reading, find_experts, load_sentences
from tl_experts.cli.commands import app
from tl_experts.errors import TLExpertsError
from tl_experts.jobs.launch import launched_device, launched_part

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variables", "part"),
    [
        ({"RANK": "0", "WORLD_SIZE": "4"}, (1, 4)),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}, (4, 4)),
        # torchrun under srun: one SLURM task is several processes.
        ({"RANK": "5", "WORLD_SIZE": "8", "SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, (6, 8)),
    ],
)
def test_the_part_is_that_of_the_launcher(variables, part, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert launched_part() == part


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "neither torchrun nor srun"),
        ({"RANK": "0"}, "neither torchrun nor srun"),
        ({"RANK": "one", "WORLD_SIZE": "4"}, "RANK='one', WORLD_SIZE='4' are not numbers"),
        (
            {"SLURM_PROCID": "4", "SLURM_NTASKS": "4"},
            "PROCID=4 is out of range; expected 0 to SLURM_NTASKS - 1 = 3",
        ),
        ({"RANK": "-1", "WORLD_SIZE": "4"}, "RANK=-1 is out of range"),
    ],
)
def test_an_impossible_rank_raises_an_error(variables, message, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TLExpertsError, match=message):
        launched_part()


def test_processes_of_a_machine_take_its_gpus_in_turn(monkeypatch):
    assert launched_device(4) is None
    monkeypatch.setenv("SLURM_LOCALID", "5")
    assert launched_device(4) == "cuda:1"
    assert launched_device(0) is None
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert launched_device(4) == "cuda:2"
    assert launched_device(1) == "cuda:0"


@pytest.mark.slow
def test_torchrun_divides_a_job_between_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["find", "polyglot-mini-small", "--limit", "8", "--k", "20", "--quiet", "--output", str(tmp_path)]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    done = subprocess.run(
        [*launcher, "-m", "tests.cli.found", *command, "--shard", "auto"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("Part auto is done") == 2
    assert len(list((tmp_path / "responses" / "shards").glob("*.npy"))) == 2
    monkeypatch.setattr("tl_experts.responses.collect.PART", PART)
    merged = CliRunner().invoke(app, ["merge", str(tmp_path), "--k", "20", "--quiet"], catch_exceptions=False)
    assert merged.exit_code == 0, merged.output
    found = Experts.from_pretrained(tmp_path / "experts")
    sentences = load_sentences("bundled", split="dev", limit=8)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in torchrun's processes: PyTorch's rounding depends on how threads divide the work
    expected = find_experts(
        "polyglot-mini-small", sentences, k=20, reading=Reading(batching=Batching(truncate=True)), progress=False
    )
    torch.set_num_threads(threads)
    for name, column in expected.statistics.items():
        np.testing.assert_array_equal(found.statistics[name], column)
