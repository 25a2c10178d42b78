"""Responses on disk: the same bits whoever made them, nothing torn taken for whole, memory that does not grow."""

import json
import os

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.conftest import TEXTS
from tl_experts import (
    Corpus,
    Experts,
    ResponseStore,
    collect_responses,
    find_experts,
    merge_stores,
    score_responses,
    store_responses,
)
from tl_experts.cli.commands import app
from tl_experts.errors import ArtefactError, ResponseError, SelectionError, TLExpertsError
from tl_experts.experts.auroc import STATISTICS
from tl_experts.models import site_widths
from tl_experts.responses.store import DTYPES

QUIET = {"progress": False}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Seven sentences a shard: four shards of the 24, the last one short."""
    monkeypatch.setattr("tl_experts.responses.collect.PART", 7)


@pytest.fixture(scope="module")
def model(model_of):
    return model_of("llama")


@pytest.mark.parametrize("dtype", DTYPES)
def test_responses_on_disk_are_those_in_memory_to_the_bit(dtype, model, corpus, tmp_path):
    store = store_responses(model, corpus, tmp_path, store=dtype, **QUIET)
    assert store.count == 4
    stored = store.responses()
    memory = collect_responses(model, corpus, store=dtype, **QUIET)
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


def test_three_parts_merged_are_the_whole(model, corpus, tmp_path):
    whole = find_experts(model, corpus, k=9, **QUIET)
    folders = [tmp_path / str(number) for number in (1, 2, 3)]
    for number, folder in enumerate(folders, start=1):
        store_responses(model, corpus, folder, part=(number, 3), **QUIET)
    with pytest.raises(ArtefactError, match=r"2 of 4 shards are missing or damaged \(1, 2\)"):
        ResponseStore(folders[0]).responses()
    merged = merge_stores(folders)
    assert torch.equal(merged.load().values, collect_responses(model, corpus, **QUIET).values)
    again = find_experts(model, corpus, k=9, folder=folders[0], **QUIET)
    for name, column in whole.statistics.items():
        np.testing.assert_array_equal(again.statistics[name], column)
    manifest = json.loads((folders[0] / "manifest.json").read_text())
    assert [shard["sentences"] for shard in manifest["shards"]] == [7, 7, 7, 3]


def test_a_repeated_sentence_is_run_once_and_stands_everywhere(model, corpus, tmp_path, monkeypatch):
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


def test_a_killed_run_makes_what_is_missing_and_nothing_else(model, corpus, tmp_path, monkeypatch):
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


@pytest.mark.parametrize("suffix", ["npy", "json"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "remove", "grow", "lie"])
def test_a_damaged_shard_is_made_again(suffix, damage, model, corpus, tmp_path, caplog):
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
    assert ("made again" in caplog.text) == (damage != "remove" or suffix == "npy")


def test_a_pickle_is_never_read(model, corpus, tmp_path):
    store = store_responses(model, corpus, tmp_path, **QUIET)

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    np.save(tmp_path / "shards" / "000000.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    assert store.missing() == [0]
    assert not (tmp_path / "exploded").exists()


def test_another_job_is_refused_by_what_differs(model, corpus, model_of, tmp_path):
    store_responses(model, corpus, tmp_path, **QUIET)
    for other, options, message in (
        (model, {"pooling": "mean"}, "pooling is 'max' there and 'mean' here"),
        (model, {"store": torch.float16}, "dtype is 'float32' there and 'float16' here"),
        (model_of("qwen3"), {}, "model is"),
    ):
        with pytest.raises(ArtefactError, match=message):
            store_responses(other, corpus, tmp_path, **options, **QUIET)
    with pytest.raises(ArtefactError, match="corpus is"):
        store_responses(model, corpus.head(2), tmp_path, **QUIET)
    store_responses(model, corpus.head(2), tmp_path / "two", **QUIET)
    with pytest.raises(ArtefactError, match="another job"):
        merge_stores([tmp_path, tmp_path / "two"])


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("job.json", lambda job: job | {"shards": 10**12}, "1000000000000 shards"),
        ("job.json", lambda job: job | {"dtype": "object"}, "no job"),
        ("job.json", lambda job: {}, "no job"),
        ("job.json", lambda job: [], "expected a JSON object"),
        ("corpus.json", lambda rows: rows | {"texts": ["x"] * len(rows["texts"])}, "other sentences"),
        ("corpus.json", lambda rows: rows | {"labels": ["en"]}, "no corpus"),
        ("corpus.json", lambda rows: {}, "no corpus"),
    ],
)
def test_a_damaged_store_is_refused_by_name(name, change, message, model, corpus, tmp_path):
    store_responses(model, corpus, tmp_path, **QUIET)
    path = tmp_path / name
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(ArtefactError, match=message):
        ResponseStore(tmp_path)


def test_what_cannot_be_is_refused(model, corpus, tmp_path):
    with pytest.raises(ArtefactError, match="is the path right"):
        ResponseStore(tmp_path / "nothing")
    with pytest.raises(ArtefactError, match="no folder"):
        merge_stores([])
    for part in ((0, 3), (4, 3)):
        with pytest.raises(ResponseError, match=r"give i/n"):
            store_responses(model, corpus, tmp_path, part=part, **QUIET)
    with pytest.raises(ResponseError, match=r"store torch\.int8 is not known"):
        store_responses(model, corpus, tmp_path, store=torch.int8, **QUIET)
    with pytest.raises(TLExpertsError, match="executor 'dask'"):
        store_responses("polyglot-mini", corpus, tmp_path, executor="dask", **QUIET)
    with pytest.raises(ResponseError, match="name or path"):
        store_responses(model, corpus, tmp_path, executor="ray", **QUIET)
    with pytest.raises(SelectionError, match="needs a folder"):
        find_experts("polyglot-mini", corpus, executor="ray", **QUIET)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_response_that_is_not_finite_names_neuron_and_sentence(value, model, corpus, tmp_path):
    from tl_experts.models import attached

    def spoil(activation, hook):
        activation[:, :, 5] = value
        return activation

    with attached(model, [("blocks.1.mlp.hook_post", spoil)]):
        for run in (
            lambda: collect_responses(model, corpus, **QUIET),
            lambda: store_responses(model, corpus, tmp_path),
        ):
            with pytest.raises(ResponseError, match=r"L1 N5 to sentence \d+ \(.*\) is (nan|inf|-inf) as float32"):
                run()


def test_overflow_of_16_bits_is_detected(model, corpus):
    from tl_experts.models import attached

    def large(activation, hook):
        activation[:, :, 7] = 1e5
        return activation

    with attached(model, [("blocks.0.mlp.hook_post", large)]):
        with pytest.raises(ResponseError, match=r"L0 N7 .* is inf as float16; .* use float32"):
            collect_responses(model, corpus, store=torch.float16, **QUIET)
        assert collect_responses(model, corpus, store=torch.bfloat16, **QUIET).values.isfinite().all()


def test_the_command_line_finds_shards_and_merges(checkpoint, tmp_path):
    name = str(checkpoint("llama"))
    common = ["--limit", "6", "--languages", "en,de,ja", "--quiet"]
    run = CliRunner()

    def ok(*arguments):
        done = run.invoke(app, [*map(str, arguments)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    assert "top 5" in ok("find", name, "--k", 5, "--output", tmp_path / "whole", *common)
    for number in (1, 2):
        said = ok("find", name, "--shard", f"{number}/2", "--output", tmp_path / str(number), *common)
        assert f"tl-experts merge {tmp_path / str(number)}" in said
    ok("merge", tmp_path / "1", tmp_path / "2", "--k", 5, "--quiet")
    whole, merged = (Experts.from_pretrained(tmp_path / part / "experts") for part in ("whole", "1"))
    np.testing.assert_array_equal(whole.neuron, merged.neuron)
    for name_, column in whole.statistics.items():
        np.testing.assert_array_equal(column, merged.statistics[name_])
    for arguments in (["--shard", "half"], ["--store", "int8"], ["--k", "0"], ["--gpus", "-1"]):
        assert run.invoke(app, ["find", name, *arguments]).exit_code == 2
    with pytest.raises(TLExpertsError, match="k is 1000"):
        run.invoke(app, ["find", name, "--k", "1000", "--output", str(tmp_path / "x"), *common], catch_exceptions=False)


def test_a_store_remembers_the_dtype_of_the_model(checkpoint, corpus, tmp_path):
    name = str(checkpoint("llama"))
    store_responses(name, corpus, tmp_path, model_options={"dtype": "bfloat16"}, **QUIET)
    with pytest.raises(ArtefactError, match="computed is 'bfloat16' there and 'float32' here"):
        store_responses(name, corpus, tmp_path, **QUIET)
    assert store_responses(name, corpus, tmp_path, model_options={"dtype": torch.bfloat16}, **QUIET).missing() == []
