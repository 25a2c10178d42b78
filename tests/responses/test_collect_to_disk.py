"""Responses collected to disk: the bits of a pass in memory, resumed after a kill, by parts and by workers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import TEXTS
from tl_experts import (
    Batching,
    Corpus,
    ModelSource,
    RayWorkers,
    Reading,
    ResponseStore,
    collect_both,
    collect_responses,
    collect_statistics,
    score_responses,
    store_responses,
)
from tl_experts.errors import ArtefactError, ResponseError
from tl_experts.experts.auroc import STATISTICS
from tl_experts.models import site_widths
from tl_experts.models.dtypes import DTYPES
from tl_experts.responses.collect_to_disk import begin_store, fill_store, worker_loader
from tl_experts.responses.token_statistics import ARRAYS, OPTIONAL

QUIET = {"progress": False}
pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.mark.parametrize("dtype", DTYPES)
def test_responses_on_disk_are_those_in_memory_to_the_bit(dtype, model, corpus, tmp_path):
    store = store_responses(model, corpus, tmp_path, reading=Reading(dtype=dtype), **QUIET)
    assert store.count == 4
    stored = store.responses()
    memory = collect_responses(model, corpus, reading=Reading(dtype=dtype), **QUIET)
    assert torch.equal(stored.load().values, memory.values)
    for start, stop in ((0, 96), (3, 20), (95, 96)):
        np.testing.assert_array_equal(stored.columns(start, stop), memory.columns(start, stop))
    one, other = score_responses(stored, **QUIET), score_responses(memory, **QUIET)
    for name in STATISTICS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.corpus, one.fingerprint, one.site, one.pooling) == (
        other.corpus,
        other.fingerprint,
        other.site,
        other.pooling,
    )


def assert_same_statistics(one, other):
    for name in (*ARRAYS, *OPTIONAL):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name
    for name in ("languages", "neurons", "site", "gate_site", "corpora", "fingerprint"):
        assert getattr(one, name) == getattr(other, name), name


@pytest.mark.parametrize("site", ["mlp.hook_post", "hook_resid_post"])
def test_statistics_on_disk_are_those_in_memory_to_the_bit(site, model, corpus, tmp_path):
    reading = Reading(site=site, layers=[1], batching=Batching(token_budget=64))
    texts = (*corpus.texts[:-1], corpus.texts[0])
    repeated = replace(corpus, texts=texts)
    store = store_responses(model, repeated, tmp_path, reading=reading, quantiles=True, **QUIET)
    responses, statistics = collect_both(model, repeated, reading=reading, quantiles=True, **QUIET)
    assert store.count == 4
    assert_same_statistics(store.statistics(quantiles=True), statistics)
    assert_same_statistics(store.statistics(), collect_statistics(model, repeated, reading=reading, **QUIET))
    assert torch.equal(store.responses().load().values, responses.values)


def test_statistics_are_added_to_a_folder_of_responses(model, corpus, tmp_path, monkeypatch):
    store = store_responses(model, corpus, tmp_path, **QUIET)
    assert (store.missing(), store.missing(statistics=True)) == ([], [0, 1, 2, 3])
    with pytest.raises(ArtefactError, match=r"keeps no statistics of tokens; .*statistics=True"):
        store.statistics()
    store_responses(model, corpus, tmp_path, statistics=True, part=(2, 2), **QUIET)
    assert store.missing(statistics=True) == [0, 2]
    with pytest.raises(ArtefactError, match="statistics of shard 0 of 4 are missing"):
        store.statistics()
    store_responses(model, corpus, tmp_path, statistics=True, **QUIET)
    assert_same_statistics(store.statistics(), collect_statistics(model, corpus, **QUIET))
    with pytest.raises(ArtefactError, match="statistics with quantiles of shard 0 of 4 are missing"):
        store.statistics(quantiles=True)
    assert store.missing(quantiles=True) == [0, 1, 2, 3]
    monkeypatch.setattr("tl_experts.models.forward.forward_pass", None)  # nothing is left to run
    store_responses(model, corpus, tmp_path, statistics=True, **QUIET)
    store_responses(model, corpus, tmp_path, **QUIET)


def test_a_repeated_sentence_is_run_once_and_fills_all_its_rows(model, corpus, tmp_path, monkeypatch):
    twice = Corpus.from_texts({"en": [*TEXTS["en"], TEXTS["en"][0]], "de": [TEXTS["en"][1], *TEXTS["de"]]})
    expected = collect_responses(model, corpus.only(["en", "de"]), **QUIET).values
    rows = [*range(6), 0, 1, *range(6, 12)]
    site_widths(model, "mlp.hook_post")
    passes = []
    forward = model.forward
    monkeypatch.setattr(model, "forward", lambda tokens, **kw: (passes.append(len(tokens)), forward(tokens, **kw))[1])
    found = collect_responses(model, twice, **QUIET).values
    assert passes == [7, 5]
    torch.testing.assert_close(found, expected[rows], rtol=1e-5, atol=1e-5)
    stored = store_responses(model, twice, tmp_path, **QUIET).responses()
    assert torch.equal(stored.load().values, found)


class Killed(BaseException):
    """Nothing catches it, like a signal."""


def test_a_killed_run_computes_the_missing_shards_only(model, corpus, tmp_path, monkeypatch):
    save = ResponseStore.save

    def dying(self, number, values, rows):
        if number == 2:
            raise Killed
        save(self, number, values, rows)

    with monkeypatch.context() as patch:
        patch.setattr(ResponseStore, "save", dying)
        with pytest.raises(Killed):
            store_responses(model, corpus, tmp_path, **QUIET)
    assert ResponseStore(tmp_path).missing() == [2, 3]
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "shards").iterdir()}
    store = store_responses(model, corpus, tmp_path, **QUIET)
    assert torch.equal(store.responses().load().values, collect_responses(model, corpus, **QUIET).values)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "shards").iterdir()}
    assert {name: after[name] for name in before} == before
    monkeypatch.setattr("tl_experts.models.forward.forward_pass", None)  # nothing is left to run
    store_responses(model, corpus, tmp_path, **QUIET)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_response_that_is_not_finite_names_neuron_and_sentence(value, model, corpus, tmp_path):
    from tl_experts.models import attached

    def spoil(activation, hook):
        activation[:, :, 5] = value
        return activation

    store = begin_store(model, corpus, tmp_path, Reading())
    with attached(model, [("blocks.1.mlp.hook_post", spoil)]):
        for run in (
            lambda: collect_responses(model, corpus, **QUIET),
            lambda: fill_store(store, model, **QUIET),
        ):
            with pytest.raises(ResponseError, match=r"L1 N5 to sentence \d+ \(.*\) is (nan|inf|-inf) as float32"):
                run()


def test_a_store_remembers_the_dtype_of_the_model(checkpoint, corpus, tmp_path):
    name = str(checkpoint("llama"))
    store_responses(ModelSource(name, dtype="bfloat16"), corpus, tmp_path, **QUIET)
    with pytest.raises(ArtefactError, match="computed is 'bfloat16' there and 'float32' here"):
        store_responses(name, corpus, tmp_path, **QUIET)
    assert store_responses(ModelSource(name, dtype=torch.bfloat16), corpus, tmp_path, **QUIET).missing() == []


@pytest.mark.parametrize(
    ("gpus", "n_devices"), [(0, 1), (0.5, 1), (1, 1), (2, 2), (4.0, 4)], ids=lambda value: str(value)
)
def test_a_worker_spreads_the_model_over_its_gpus(gpus, n_devices):
    asked = ModelSource("x", dtype="float16", device="cuda:3", n_devices=8)
    load = worker_loader(asked, RayWorkers(gpus=gpus))
    assert load.__self__ == ModelSource("x", dtype="float16", n_devices=n_devices)
