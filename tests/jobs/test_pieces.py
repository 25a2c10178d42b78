"""Pieces of work: kept, and recomputed if they are damaged or belong to another job."""

import numpy as np
import pytest
import torch

from tl_experts import Batching, Reading
from tl_experts.embeddings.embeddings import embed_pieces
from tl_experts.jobs.job import Job
from tl_experts.jobs.pieces import Pieces, once_together, resume
from tl_experts.responses.collect import collect_pieces

DOCUMENT = {"model": "abc", "layers": [0, 1], "note": None}
JOB = Job(DOCUMENT)


def test_a_piece_comes_back_to_the_bit_and_a_missing_one_is_none(tmp_path):
    pieces = Pieces(tmp_path / "s", JOB)
    arrays = {"a": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32), "b": np.arange(5)}
    pieces.save(7, arrays)
    found = Pieces(tmp_path / "s", JOB).load(7)
    assert set(found) == {"a", "b"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    assert pieces.load(6) is None


def test_a_stray_piece_of_another_job_is_ignored(tmp_path):
    Pieces(tmp_path / "one", JOB).save(0, {"a": np.zeros(1)})
    other = Pieces(tmp_path / "two", Job(DOCUMENT | {"model": "xyz"}))
    (tmp_path / "two" / "000000.safetensors").write_bytes((tmp_path / "one" / "000000.safetensors").read_bytes())
    assert other.load(0) is None
    (tmp_path / "one" / "000001.safetensors").write_bytes((tmp_path / "one" / "000000.safetensors").read_bytes())
    assert Pieces(tmp_path / "one", JOB).load(1) is None


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_a_damaged_piece_is_recomputed_and_logged(tmp_path, caplog, damage):
    pieces = Pieces(tmp_path, JOB)
    pieces.save(0, {"a": np.arange(100.0)})
    path = tmp_path / "000000.safetensors"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-5] ^= 1
    path.write_bytes({"truncate": content[:-9], "flip": content, "empty": b""}[damage])
    assert pieces.load(0) is None
    assert "recomputing a piece" in caplog.text


def test_a_piece_is_computed_once(tmp_path):
    computed = []

    def compute():
        computed.append(1)
        return {"a": np.arange(3)}

    for _ in range(2):
        np.testing.assert_array_equal(Pieces(tmp_path, JOB).once(4, compute)["a"], np.arange(3))
    assert len(computed) == 1


# --- resuming -------------------------------------------------------------------------------------------------------


class Squares:
    """Squares of numbers: ten items, each a piece."""

    def __init__(self) -> None:
        self.found: dict[int, int] = {}
        self.done: list[int] = []

    def run(self, pieces: Pieces | None) -> None:
        resume(pieces, range(10), work=self.work, keep=self.keep, restore=self.restore)

    def work(self, items):
        for item in items:
            self.done.append(item)
            self.found[item] = item**2
            yield item

    def keep(self, item):
        return {"square": np.array([self.found[item]])}

    def restore(self, item, arrays):
        self.found[item] = int(arrays["square"][0])


ALL = {number: number**2 for number in range(10)}


def test_without_pieces_all_items_are_done():
    squares = Squares()
    squares.run(None)
    assert squares.found == ALL


def test_several_processes_each_do_their_numbers(tmp_path):
    for only in ({1, 4, 7}, {0, 2}):
        part = Squares()
        part.run(Pieces(tmp_path, JOB, only=only))
        assert part.done == sorted(only)
    rest = Squares()
    rest.run(Pieces(tmp_path, JOB))
    assert rest.done == [3, 5, 6, 8, 9]
    assert rest.found == ALL


def test_delegated_pieces_are_read_back_and_the_others_computed(tmp_path):
    asked = []

    def delegate(numbers):
        asked.append(list(numbers))
        Squares().run(Pieces(tmp_path, JOB, only={2, 3}))

    Pieces(tmp_path, JOB).save(0, {"square": np.array([0])})
    squares = Squares()
    squares.run(Pieces(tmp_path, JOB, delegate=delegate))
    assert asked == [list(range(1, 10))]
    assert squares.done == [1, 4, 5, 6, 7, 8, 9]
    assert squares.found == ALL
    squares.run(Pieces(tmp_path, JOB, delegate=delegate))  # nothing is missing
    assert len(asked) == 1


# --- long passes over them ------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Not an `Exception`, so that nothing catches it, as with a signal."""


def killed_after(monkeypatch, batches: int):
    """Let some batches be saved, and kill the run at the next."""
    saved = Pieces.save
    left = [batches]

    def save(self, number, arrays):
        if not left[0]:
            raise Killed
        left[0] -= 1
        saved(self, number, arrays)

    monkeypatch.setattr(Pieces, "save", save)


def passes(llama, corpus, pieces):
    responses = collect_pieces(
        llama, corpus, Reading(batching=Batching(token_budget=60)), pieces=pieces("responses"), progress=False
    )
    vectors = embed_pieces(
        llama, corpus, [0, None], batching=Batching(token_budget=60), pieces=pieces("vectors"), progress=False
    )
    return [responses.values, vectors[0].vectors, vectors[None].vectors]


def test_a_killed_pass_resumes_after_the_last_batch_with_the_same_bits(llama, corpus, tmp_path, monkeypatch):
    expected = passes(llama, corpus, lambda name: None)
    for kept in (0, 3, 2):
        with monkeypatch.context() as patch:
            killed_after(patch, kept)
            with pytest.raises(Killed):
                passes(llama, corpus, lambda name: Pieces(tmp_path / name, JOB))
    before = sorted(path.stat().st_mtime_ns for path in (tmp_path / "responses").glob("*.safetensors"))
    assert len(before) == 5
    found = passes(llama, corpus, lambda name: Pieces(tmp_path / name, JOB))
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
    after = sorted(path.stat().st_mtime_ns for path in (tmp_path / "responses").glob("*.safetensors"))
    assert after[:5] == before  # existing pieces were not recomputed
    assert len(after) > 5


def test_a_finished_pass_does_not_run_the_model(llama, corpus, tmp_path, monkeypatch):
    def pieces(name):
        return Pieces(tmp_path / name, JOB)

    expected = passes(llama, corpus, pieces)
    monkeypatch.setattr("tl_experts.models.forward.forward_pass", None)
    for one, other in zip(passes(llama, corpus, pieces), expected, strict=True):
        assert torch.equal(one, other)


def test_pieces_that_share_batches_are_computed_together_unless_all_are_kept(tmp_path):
    calls = iter(range(9))

    def compute():
        call = next(calls)
        return [{"a": np.array([call, number])} for number in (4, 2)]

    def values(pieces):
        return [arrays["a"].tolist() for arrays in once_together(pieces, [4, 2], compute)]

    pieces = Pieces(tmp_path, JOB)
    assert values(None) == [[0, 4], [0, 2]]
    assert values(pieces) == values(pieces) == [[1, 4], [1, 2]]
    (tmp_path / "000002.safetensors").write_bytes(b"")
    assert values(pieces) == values(pieces) == [[1, 4], [2, 2]]  # the one that is whole stays
