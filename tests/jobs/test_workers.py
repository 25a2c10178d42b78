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

from tests.jobs.ray_work import NeedsEarlier, Note, dying, failing, load, opening_fails
from tl_experts import (
    Batching,
    Corpus,
    Experts,
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
from tl_experts.models import Model
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


def test_a_round_begins_when_the_one_before_has_ended_and_the_work_is_opened_once(cluster, tmp_path):
    with RayPool(load, RayWorkers(count=2)) as pool:
        pool.run_rounds(NeedsEarlier(tmp_path, needed=2), [[0, 1], [], [2, 3]], **QUIET)
        opened = (tmp_path / "opened").read_text().split()
        assert len(set(opened)) == len(opened) <= 2  # once by each worker that took a number
        assert {path.name for path in tmp_path.iterdir()} == {"opened", *map(str, range(4))}
        (tmp_path / "1").unlink()
        with pytest.raises(TLExpertsError, match="only 1 of 2 are here"):
            pool.run_rounds(NeedsEarlier(tmp_path, needed=2), [[0, 2], [1]], **QUIET)
        pool.run_rounds(NeedsEarlier(tmp_path / "none", needed=2), [[], []], **QUIET)


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
    # One pool for both: each of its workers imports PyTorch, which takes seconds.
    with RayPool(partial(load_model, name), RayWorkers(count=2)) as pool:
        store_by(pool, name, corpus, tmp_path / "store")
        embed_by(pool, name, corpus, tmp_path / "embeddings")
    find_what_is_missing(name, corpus, tmp_path / "store")
    embed_what_is_missing(name, corpus, tmp_path / "embeddings" / "steered")


def store_by(pool: RayPool, name: str, corpus: Corpus, folder: Path) -> None:
    """Responses and statistics by workers are those of this process."""
    model = load_model(name)
    store = store_responses(name, corpus, folder, quantiles=True, workers=pool, **QUIET)
    assert torch.equal(store.responses().load().values, collect_responses(model, corpus, **QUIET).values)
    counted, alone = store.statistics(quantiles=True), collect_statistics(model, corpus, quantiles=True, **QUIET)
    assert counted.exact
    assert all(getattr(counted, array).tobytes() == getattr(alone, array).tobytes() for array in (*ARRAYS, *OPTIONAL))


def find_what_is_missing(name: str, corpus: Corpus, folder: Path) -> None:
    """Workers that are started for the call find the experts of this process, over a shard that was lost."""
    (folder / "shards" / "000000.npy").unlink()
    options = {"k": 7, "scoring": "token_mean_difference", **QUIET}
    found = find_experts(name, corpus, folder=folder, workers=RayWorkers(count=2), **options)
    expected = find_experts(name, corpus, **options)
    np.testing.assert_array_equal(found.neuron, expected.neuron)
    for statistic, column in expected.statistics.items():
        np.testing.assert_array_equal(found.statistics[statistic], column)


def embed_by(pool: RayPool, name: str, corpus: Corpus, root: Path) -> None:
    """Embeddings by workers are those of this process, with experts held and without."""
    model = load_model(name)
    for folder, held in (("plain", None), ("steered", held_experts(model, corpus))):
        options = EMBEDDING | {"experts": held}
        here = store_embeddings(model, corpus, root / folder / "here", **options)
        there = store_embeddings(name, corpus, root / folder / "there", workers=pool, **options)
        assert list(there) == [0, None]
        assert all(torch.equal(there[layer].vectors, here[layer].vectors) for layer in here)
        with steer(model, held) if held else nullcontext():
            alone = embed(model, corpus, batching=EMBEDDING["batching"], **QUIET)
        assert torch.equal(alone.vectors, here[None].vectors)


def embed_what_is_missing(name: str, corpus: Corpus, folder: Path) -> None:
    """Workers that are started for the call compute the piece that is missing, and nothing else."""
    model = load_model(name)
    written = {path.name: path.stat().st_mtime_ns for path in (folder / "there").glob("*.safetensors")}
    assert len(written) > 2
    first, *rest = sorted(written)
    (folder / "there" / first).unlink()
    options = EMBEDDING | {"experts": held_experts(model, corpus)}
    found = store_embeddings(name, corpus, folder / "there", workers=RayWorkers(count=2), **options)
    here = store_embeddings(model, corpus, folder / "here", **options)
    assert torch.equal(found[0].vectors, here[0].vectors)
    assert all((folder / "there" / name).stat().st_mtime_ns == written[name] for name in rest)


EMBEDDING = {"layers": [0, None], "batching": Batching(token_budget=32), **QUIET}


def held_experts(model: Model, corpus: Corpus) -> Experts:
    return find_experts(model, corpus, k=5, **QUIET)[corpus.languages[0]]


def test_workers_load_the_model_as_the_caller_asks(cluster, checkpoint, corpus, tmp_path):
    name = str(checkpoint("llama"))
    source, options = ModelSource(name, dtype="bfloat16"), {"reading": Reading(dtype="bfloat16")}
    ray = {"workers": RayWorkers(count=2)}
    found = store_responses(source, corpus, tmp_path / "ray", **options, **ray, **QUIET).responses().load()
    alone = store_responses(source, corpus, tmp_path / "alone", **options, **QUIET).responses().load()
    assert torch.equal(found.values, alone.values)
    assert not torch.equal(alone.values.float(), collect_responses(load_model(name), corpus, **QUIET).values)


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
        text_tokens=8,
        dev_rows=12,
        test_rows=12,
        control_seeds=2,
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
