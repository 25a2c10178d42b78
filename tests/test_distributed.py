"""Work over Ray's workers: the same bits, a dead worker's number done again, errors in one line."""

import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tl_experts import collect_responses, find_experts, load_model, store_responses
from tl_experts.distributed import run_on_ray
from tl_experts.errors import TLExpertsError

QUIET = {"progress": False}


class Note:
    """Writes a file a number, in a folder; dies, or fails, at one of them the first time."""

    def __init__(self, folder: Path, dies_at: int = -1, fails_at: int = -1):
        self.folder, self.dies_at, self.fails_at = folder, dies_at, fails_at

    def __call__(self, number: int) -> None:
        marker = self.folder / "died"
        if number == self.dies_at and not marker.exists():
            marker.touch()
            os._exit(1)
        if number == self.fails_at:
            raise ValueError(f"number {number} cannot be done")
        with (self.folder / str(number)).open("a") as stream:
            stream.write(f"{os.getpid()}\n")


@pytest.fixture(scope="module")
def cluster():
    """One Ray for all tests of the module: starting it takes seconds."""
    ray = pytest.importorskip("ray")
    # Workers import the tests, too.
    environment = {"env_vars": {"PYTHONPATH": str(Path(__file__).parent.parent)}}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    yield
    ray.shutdown()


pytestmark = pytest.mark.slow


def test_every_number_is_done_once_by_several_workers(cluster, tmp_path):
    run_on_ray(partial(Note, tmp_path), range(12), workers=2, **QUIET)
    lines = {int(path.name): path.read_text().splitlines() for path in tmp_path.iterdir()}
    assert set(lines) == set(range(12))
    assert all(len(written) == 1 for written in lines.values())
    assert os.getpid() not in {int(line) for written in lines.values() for line in written}


def test_the_number_of_a_worker_that_died_is_done_again(cluster, tmp_path):
    run_on_ray(partial(Note, tmp_path, dies_at=3), range(6), workers=2, **QUIET)
    assert {path.name for path in tmp_path.iterdir()} == {"died", *map(str, range(6))}


def test_a_failing_number_is_one_error_that_says_what_failed(cluster, tmp_path):
    with pytest.raises(TLExpertsError, match=r"failed at shard 2: ValueError: number 2 cannot be done; .* again"):
        run_on_ray(partial(Note, tmp_path, fails_at=2), range(4), workers=1, **QUIET)


def test_two_workers_give_the_bits_of_one_process(cluster, checkpoint, corpus, tmp_path):
    name = str(checkpoint("llama"))
    whole = collect_responses(load_model(name), corpus, **QUIET).values
    options = {"executor": "ray", "executor_options": {"workers": 2}}
    store = store_responses(name, corpus, tmp_path / "store", **options, **QUIET)
    assert torch.equal(store.responses().load().values, whole)
    (tmp_path / "store" / "shards" / "000000.npy").unlink()
    found = find_experts(name, corpus, k=7, folder=tmp_path / "store", **options, **QUIET)
    expected = find_experts(name, corpus, k=7, **QUIET)
    for statistic, column in expected.statistics.items():
        np.testing.assert_array_equal(found.statistics[statistic], column)


@pytest.mark.parametrize(
    ("options", "message"), [({"workers": 0}, "workers is 0; expected 1"), ({"gpus": -1}, "gpus is -1; expected 0")]
)
def test_options_that_cannot_be_are_refused(options, message, tmp_path):
    with pytest.raises(TLExpertsError, match=message):
        run_on_ray(partial(Note, tmp_path), range(2), **options, **QUIET)


def test_without_ray_the_command_that_installs_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(TLExpertsError, match=r"pip install 'tl-experts\[ray\]'"):
        run_on_ray(partial(Note, tmp_path), range(2), **QUIET)
