"""Work on Ray's workers: the bits of one process, the numbers of dead workers repeated, errors in one line."""

import os
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.jobs.ray_work import Note, dying, failing, load, opening_fails
from tl_experts import (
    Batching,
    ModelSource,
    RayWorkers,
    Reading,
    StudyConfig,
    collect_responses,
    collect_statistics,
    embed,
    find_experts,
    load_model,
    run_study,
    steer,
    store_embeddings,
    store_responses,
)
from tl_experts.errors import TLExpertsError
from tl_experts.jobs.workers import ATTEMPTS, RayPool
from tl_experts.responses.token_statistics import ARRAYS, OPTIONAL

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def cluster():
    """One Ray cluster for all tests of the module: starting it takes seconds."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        # Workers import the tests. As a runtime_env, each worker would be started twice.
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=os.pathsep)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def a_workers_threads():
    """One thread, as each of two workers on two processors has: PyTorch's rounding depends on the division of work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


pytestmark = pytest.mark.slow


def test_every_number_is_done_once_by_several_workers(cluster, tmp_path):
    with RayPool(load, RayWorkers(count=2)) as pool:
        pool.run(Note(tmp_path), range(12), **QUIET)
    lines = {int(path.name): path.read_text().splitlines() for path in tmp_path.iterdir()}
    assert set(lines) == set(range(12))
    assert all(len(written) == 1 for written in lines.values())
    assert os.getpid() not in {int(line.split()[0]) for written in lines.values() for line in written}


def test_a_worker_loads_once_and_opens_each_work_once(cluster, tmp_path):
    with RayPool(load, RayWorkers(count=1)) as pool:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            pool.run(Note(tmp_path / name), range(3), **QUIET)
        pool.run(Note(tmp_path), [], **QUIET)
    lines = [path.read_text().split() for path in sorted(tmp_path.rglob("[0-9]"))]
    assert len({loaded for _, loaded, _ in lines}) == 1
    assert [before for _, _, before in lines] == ["0", "1", "2"] * 2  # a work is opened in each run, and kept within it


def test_the_number_of_a_dead_worker_is_repeated(cluster, tmp_path):
    with RayPool(load, RayWorkers(count=2)) as pool:
        pool.run(Note(tmp_path, dies_at=3), range(6), **QUIET)
    assert {path.name for path in tmp_path.iterdir()} == {"died", *map(str, range(6))}


def test_a_number_that_kills_every_worker_is_an_error_with_advice(cluster, tmp_path):
    with (
        RayPool(load, RayWorkers(count=1)) as pool,
        pytest.raises(
            TLExpertsError,
            match=r"4 workers died at piece 1; .* smaller Batching\(token_budget=\.\.\.\)",
        ),
    ):
        pool.run(Note(tmp_path, dies_at=1, always=True), range(3), **QUIET)
    assert len((tmp_path / "died").read_text()) == ATTEMPTS


def test_a_worker_that_cannot_start_is_an_error(cluster, tmp_path):
    with RayPool(dying, RayWorkers(count=1)) as pool, pytest.raises(TLExpertsError, match="workers died at piece 0"):
        pool.run(Note(tmp_path), range(2), **QUIET)
    with RayPool(failing, RayWorkers(count=1)) as pool, pytest.raises(TLExpertsError, match="OSError: no such model"):
        pool.run(Note(tmp_path), range(2), **QUIET)


def test_a_failing_number_is_one_error_that_names_it(cluster, tmp_path):
    message = r"failed at piece 2: ValueError: number 2 cannot be done; .* again"
    with RayPool(load, RayWorkers(count=1)) as pool:
        with pytest.raises(TLExpertsError, match=message):
            pool.run(Note(tmp_path, fails_at=2), range(4), **QUIET)
        pool.run(Note(tmp_path), range(4, 6), **QUIET)  # the pool still works
    assert {"4", "5"} <= {path.name for path in tmp_path.iterdir()}


def test_work_that_cannot_be_opened_is_an_error(cluster):
    with (
        RayPool(load, RayWorkers(count=1)) as pool,
        pytest.raises(TLExpertsError, match="failed at piece 0: ValueError: the folder belongs to another job"),
    ):
        pool.run(opening_fails, range(2), **QUIET)


def test_missing_gpus_raise_an_error(cluster):
    with pytest.raises(TLExpertsError, match="the cluster has 0; leave it out"):
        RayPool(load, RayWorkers(gpus=1))


def test_two_workers_give_the_bits_of_one_process(cluster, checkpoint, corpus, tmp_path):
    name = str(checkpoint("llama"))
    whole = collect_responses(load_model(name), corpus, **QUIET).values
    options = {"workers": RayWorkers(count=2)}
    store = store_responses(name, corpus, tmp_path / "store", quantiles=True, **options, **QUIET)
    assert torch.equal(store.responses().load().values, whole)
    counted = store.statistics(quantiles=True)
    alone = collect_statistics(load_model(name), corpus, quantiles=True, **QUIET)
    assert counted.exact
    assert all(getattr(counted, array).tobytes() == getattr(alone, array).tobytes() for array in (*ARRAYS, *OPTIONAL))
    (tmp_path / "store" / "shards" / "000000.npy").unlink()
    found = find_experts(
        name, corpus, k=7, scoring="token_mean_difference", folder=tmp_path / "store", **options, **QUIET
    )
    expected = find_experts(name, corpus, k=7, scoring="token_mean_difference", **QUIET)
    np.testing.assert_array_equal(found.neuron, expected.neuron)
    for statistic, column in expected.statistics.items():
        np.testing.assert_array_equal(found.statistics[statistic], column)


def test_workers_load_the_model_as_the_caller_asks(cluster, checkpoint, corpus, tmp_path):
    name = str(checkpoint("llama"))
    source, options = ModelSource(name, dtype="bfloat16"), {"reading": Reading(dtype="bfloat16")}
    ray = {"workers": RayWorkers(count=2)}
    found = store_responses(source, corpus, tmp_path / "ray", **options, **ray, **QUIET).responses().load()
    alone = store_responses(source, corpus, tmp_path / "alone", **options, **QUIET).responses().load()
    assert torch.equal(found.values, alone.values)
    assert not torch.equal(alone.values.float(), collect_responses(load_model(name), corpus, **QUIET).values)


def test_two_workers_embed_to_the_bits_of_one_process(cluster, checkpoint, corpus, tmp_path):
    name = str(checkpoint("llama"))
    model = load_model(name)
    experts = find_experts(model, corpus, k=5, **QUIET)[corpus.languages[0]]
    with RayPool(partial(load_model, name), RayWorkers(count=2)) as pool:
        for folder, held in (("plain", None), ("steered", experts)):
            options = {"layers": [0, None], "experts": held, "batching": Batching(token_budget=32), **QUIET}
            here = store_embeddings(model, corpus, tmp_path / folder / "here", **options)
            there = store_embeddings(name, corpus, tmp_path / folder / "there", workers=pool, **options)
            assert list(there) == [0, None]
            assert all(torch.equal(there[layer].vectors, here[layer].vectors) for layer in here)
            with steer(model, held) if held else nullcontext():
                alone = embed(model, corpus, batching=Batching(token_budget=32), **QUIET)
            assert torch.equal(alone.vectors, here[None].vectors)
    # Workers that are started for the call compute what is missing, and nothing else.
    written = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "steered" / "there").glob("*.safetensors")}
    assert len(written) > 2
    first, *rest = sorted(written)
    (tmp_path / "steered" / "there" / first).unlink()
    again = store_embeddings(name, corpus, tmp_path / "steered" / "there", workers=RayWorkers(count=2), **options)
    assert torch.equal(again[0].vectors, here[0].vectors)
    assert all((tmp_path / "steered" / "there" / name).stat().st_mtime_ns == written[name] for name in rest)


def test_a_study_by_two_workers_has_the_tables_of_one_process(cluster, tmp_path):
    config = StudyConfig(
        name="tiny",
        model="polyglot-mini-small",
        probe_languages=("en", "de"),
        languages=("en", "de"),
        targets=("de",),
        sweep_k=(20, 50),
        sweep_rows=6,
        texts=4,
        text_seeds=1,
        text_tokens=12,
        dev_rows=20,
        test_rows=20,
        resamples=200,
    )
    here = run_study(config, tmp_path / "here", **QUIET)
    # Workers must have computed every pass that one process computes.
    with RayPool(partial(load_model, config.model), RayWorkers(count=2)) as pool:
        there = run_study(config, tmp_path / "there", workers=pool, **QUIET)
    assert set(there) == set(here)
    for name in here:
        pd.testing.assert_frame_equal(there[name], here[name])
    passes = [
        {path.relative_to(folder) for path in folder.rglob("*.safetensors")}
        for folder in (tmp_path / "here" / "passes", tmp_path / "there" / "passes")
    ]
    assert passes[0] == passes[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"count": 0}, "count of workers is 0; expected 1"), ({"gpus": -1}, "gpus is -1; expected 0")],
)
def test_invalid_numbers_raise_an_error(options, message):
    with pytest.raises(TLExpertsError, match=message):
        RayWorkers(**options)


def test_without_ray_the_error_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(TLExpertsError, match=r"pip install 'tl-experts\[ray\]'"):
        RayPool(load)
