"""Responses on disk: merged, damaged and stray shards, and errors that name what differs."""

import json
import os

import numpy as np
import pytest
import torch

from tl_experts import (
    RayWorkers,
    Reading,
    ResponseStore,
    collect_responses,
    find_experts,
    merge_stores,
    store_responses,
)
from tl_experts.errors import ArtefactError, ModelError, ResponseError, SelectionError, TLExpertsError
from tl_experts.responses.collect_to_disk import fill_store

QUIET = {"progress": False}
pytestmark = pytest.mark.usefixtures("small_parts")


def test_three_merged_parts_are_the_whole(model, corpus, tmp_path):
    whole = find_experts(model, corpus, k=9, **QUIET)
    folders = [tmp_path / str(number) for number in (1, 2, 3)]
    for number, folder in enumerate(folders, start=1):
        store_responses(model, corpus, folder, part=(number, 3), statistics=number > 1, quantiles=number > 2, **QUIET)
    with pytest.raises(ArtefactError, match=r"2 of 4 shards are missing or damaged \(1, 2\)"):
        ResponseStore(folders[0]).responses()
    merged = merge_stores(folders)
    assert torch.equal(merged.load().values, collect_responses(model, corpus, **QUIET).values)
    assert merged.store.missing(statistics=True) == [0, 3]
    assert merged.store.missing(quantiles=True) == [0, 1, 3]
    again = find_experts(model, corpus, k=9, folder=folders[0], **QUIET)
    for name, column in whole.statistics.items():
        np.testing.assert_array_equal(again.statistics[name], column)
    manifest = json.loads((folders[0] / "manifest.json").read_text())
    assert [shard["sentences"] for shard in manifest["shards"]] == [7, 7, 7, 3]


@pytest.mark.parametrize("suffix", ["npy", "json"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "remove", "grow", "lie"])
def test_a_damaged_shard_is_recomputed(suffix, damage, model, corpus, tmp_path, caplog):
    store = store_responses(model, corpus, tmp_path, **QUIET)
    path = tmp_path / "shards" / f"000001.{suffix}"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    lie = content.replace(b"96", b"96000000000") if suffix == "npy" else content.replace(b'"rows"', b'"worr"')
    new = {"truncate": content[:-9], "flip": content, "empty": b"", "grow": content + b"0" * 9, "lie": lie}
    path.unlink()
    if damage != "remove":
        path.write_bytes(new[damage])
    assert store.missing() == [1]
    again = store_responses(model, corpus, tmp_path, **QUIET)
    assert torch.equal(again.responses().load().values, collect_responses(model, corpus, **QUIET).values)
    assert ("recomputing a piece" in caplog.text) == (damage != "remove" or suffix == "npy")


def test_a_pickle_is_never_read(model, corpus, tmp_path):
    store = store_responses(model, corpus, tmp_path, **QUIET)

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    np.save(tmp_path / "shards" / "000000.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    assert store.missing() == [0]
    assert not (tmp_path / "exploded").exists()


def test_another_job_raises_an_error_that_names_the_difference(model, corpus, model_of, tmp_path):
    store_responses(model, corpus, tmp_path, **QUIET)
    for other, options, message in (
        (model, {"reading": Reading(pooling="mean")}, "pooling is 'max' there and 'mean' here"),
        (model, {"reading": Reading(dtype="float16")}, "dtype is 'float32' there and 'float16' here"),
        (model_of("qwen3"), {}, "its model's weights differ"),
    ):
        with pytest.raises(ArtefactError, match=message):
            store_responses(other, corpus, tmp_path, **options, **QUIET)
    with pytest.raises(ArtefactError, match="corpus is"):
        store_responses(model, corpus.head(2), tmp_path, **QUIET)
    store_responses(model, corpus.head(2), tmp_path / "two", **QUIET)
    with pytest.raises(ArtefactError, match=r"two holds another job: corpus is"):
        merge_stores([tmp_path, tmp_path / "two"])


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("job.json", lambda job: job | {"shards": 10**12}, "1000000000000 shards"),
        ("job.json", lambda job: job | {"dtype": "object"}, "not the job"),
        ("job.json", lambda job: {}, "not the job"),
        ("job.json", lambda job: [], "expected a JSON object; delete"),
        ("corpus.json", lambda rows: rows | {"texts": ["x"] * len(rows["texts"])}, "other sentences"),
        ("corpus.json", lambda rows: rows | {"labels": ["en"]}, "not a corpus"),
        ("corpus.json", lambda rows: {}, "not a corpus"),
    ],
)
def test_a_damaged_store_raises_an_error_that_names_the_file(name, change, message, model, corpus, tmp_path):
    store_responses(model, corpus, tmp_path, **QUIET)
    path = tmp_path / name
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(ArtefactError, match=message):
        ResponseStore(tmp_path)


def test_invalid_arguments_raise_errors_that_name_them(model, corpus, tmp_path):
    with pytest.raises(ArtefactError, match="is the path right"):
        ResponseStore(tmp_path / "nothing")
    with pytest.raises(ArtefactError, match="no folder"):
        merge_stores([])
    for part in ((0, 3), (4, 3)):
        with pytest.raises(ResponseError, match=r"give i/n"):
            store_responses(model, corpus, tmp_path, part=part, **QUIET)
    with pytest.raises(ResponseError, match="response dtype 'int8' is not known"):
        store_responses(model, corpus, tmp_path, reading=Reading(dtype=torch.int8), **QUIET)
    with pytest.raises(TLExpertsError, match="workers is 'dask'"):
        store_responses("polyglot-mini", corpus, tmp_path, workers="dask", **QUIET)
    with pytest.raises(ModelError, match="a ModelSource instead of a loaded model"):
        store_responses(model, corpus, tmp_path, workers=RayWorkers(), **QUIET)
    with pytest.raises(SelectionError, match="need a folder"):
        find_experts("polyglot-mini", corpus, workers=RayWorkers(), **QUIET)


def test_a_shard_of_another_job_or_number_is_recomputed(model, corpus, tmp_path, caplog):
    store = store_responses(model, corpus, tmp_path / "one", **QUIET)
    store_responses(model, corpus, tmp_path / "two", reading=Reading(pooling="mean"), **QUIET)
    for suffix in ("npy", "json"):
        for folder, number in (("two", "000001"), ("one", "000003")):
            stray = (tmp_path / folder / "shards" / f"{number}.{suffix}").read_bytes()
            (tmp_path / "one" / "shards" / f"{'000001' if folder == 'two' else '000002'}.{suffix}").write_bytes(stray)
    assert store.missing() == [1, 2]
    assert caplog.text.count("belongs to another job") == 2


def test_a_store_is_not_continued_by_another_model(model, corpus, model_of, tmp_path):
    store = store_responses(model, corpus, tmp_path, part=(1, 2), **QUIET)
    with pytest.raises(ArtefactError, match=r"the responses in .* belong to another model: .* the same weights"):
        fill_store(store, model_of("qwen3"), progress=False)
    fill_store(store, model, progress=False)
    assert store.missing() == []
