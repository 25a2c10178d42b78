"""Pieces of work: kept, refused when of another job, made again when damaged."""

import numpy as np
import pytest
import torch

from tl_experts import Batching, Reading
from tl_experts.embeddings.embeddings import embed_pieces
from tl_experts.errors import ArtefactError
from tl_experts.jobs.pieces import Shards
from tl_experts.responses.collect import collect_pieces

JOB = {"model": "abc", "layers": [0, 1], "note": None}


def test_a_piece_comes_back_to_the_bit_and_a_missing_one_is_none(tmp_path):
    shards = Shards(tmp_path / "s", JOB)
    arrays = {"a": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32), "b": np.arange(5)}
    shards.save(7, arrays)
    found = Shards(tmp_path / "s", JOB).load(7)
    assert set(found) == {"a", "b"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    assert shards.load(6) is None


def test_another_job_is_refused_by_what_differs(tmp_path):
    Shards(tmp_path, JOB).save(0, {"a": np.zeros(1)})
    with pytest.raises(ArtefactError, match=r"layers is \[0, 1\] there and \[0, 2\] here"):
        Shards(tmp_path, JOB | {"layers": [0, 2]})
    with pytest.raises(ArtefactError, match="extra is None there"):
        Shards(tmp_path, JOB | {"extra": 1})


def test_a_stray_piece_of_another_job_is_not_taken(tmp_path):
    Shards(tmp_path / "one", JOB).save(0, {"a": np.zeros(1)})
    other = Shards(tmp_path / "two", JOB | {"model": "xyz"})
    (tmp_path / "two" / "000000.safetensors").write_bytes((tmp_path / "one" / "000000.safetensors").read_bytes())
    assert other.load(0) is None
    (tmp_path / "one" / "000001.safetensors").write_bytes((tmp_path / "one" / "000000.safetensors").read_bytes())
    assert Shards(tmp_path / "one", JOB).load(1) is None


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_a_damaged_piece_is_made_again_and_said_so(tmp_path, caplog, damage):
    shards = Shards(tmp_path, JOB)
    shards.save(0, {"a": np.arange(100.0)})
    path = tmp_path / "000000.safetensors"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-5] ^= 1
    path.write_bytes({"truncate": content[:-9], "flip": content, "empty": b""}[damage])
    assert shards.load(0) is None
    assert "made again" in caplog.text


def test_a_damaged_job_file_is_named(tmp_path):
    Shards(tmp_path, JOB)
    (tmp_path / "job.json").write_text("{")
    with pytest.raises(ArtefactError, match=r"job\.json is damaged"):
        Shards(tmp_path, JOB)


# --- long passes over them ------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Nothing catches it, like a signal."""


def killed_after(monkeypatch, batches: int):
    """Let that many batches be saved; the next one is not."""
    saved = Shards.save
    left = [batches]

    def save(self, number, arrays):
        if not left[0]:
            raise Killed
        left[0] -= 1
        saved(self, number, arrays)

    monkeypatch.setattr(Shards, "save", save)


def passes(llama, corpus, shards):
    responses = collect_pieces(
        llama, corpus, Reading(batching=Batching(token_budget=60)), shards=shards("responses"), progress=False
    )
    vectors = embed_pieces(
        llama, corpus, [0, None], batching=Batching(token_budget=60), shards=shards("vectors"), progress=False
    )
    return [responses.values, vectors[0].vectors, vectors[None].vectors]


def test_a_killed_pass_goes_on_after_the_last_batch_with_the_same_bits(llama, corpus, tmp_path, monkeypatch):
    expected = passes(llama, corpus, lambda name: None)
    for kept in (0, 3, 2):
        with monkeypatch.context() as patch:
            killed_after(patch, kept)
            with pytest.raises(Killed):
                passes(llama, corpus, lambda name: Shards(tmp_path / name, JOB))
    before = sorted(path.stat().st_mtime_ns for path in (tmp_path / "responses").glob("*.safetensors"))
    assert len(before) == 5
    found = passes(llama, corpus, lambda name: Shards(tmp_path / name, JOB))
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
    after = sorted(path.stat().st_mtime_ns for path in (tmp_path / "responses").glob("*.safetensors"))
    assert after[:5] == before  # what was there was not made again
    assert len(after) > 5


def test_a_finished_pass_does_not_run_the_model(llama, corpus, tmp_path, monkeypatch):
    def shards(name):
        return Shards(tmp_path / name, JOB)

    expected = passes(llama, corpus, shards)
    monkeypatch.setattr("tl_experts.models.forward.forward_pass", None)
    for one, other in zip(passes(llama, corpus, shards), expected, strict=True):
        assert torch.equal(one, other)
