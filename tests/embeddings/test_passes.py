"""A kept pass: the same bits in one process, resumed, and by a pool of workers."""

from functools import partial

import pytest
import torch

from tl_experts import Batching, find_experts
from tl_experts.embeddings.embeddings import embed_layers, embed_pieces
from tl_experts.embeddings.passes import CHUNKS, KeptPass
from tl_experts.errors import ArtefactError
from tl_experts.jobs.job import Job
from tl_experts.models import model_fingerprint
from tl_experts.steering.interventions import steer

BATCHING = Batching(token_budget=60)


class Pool:
    """Does the numbers of a work in this process, as a worker would, and remembers them."""

    workers = 2

    def __init__(self, model):
        self.model, self.numbers = model, []

    def run(self, work, numbers, **_):
        do = work(self.model)
        for number in numbers:
            self.numbers.append(number)
            do(number)


@pytest.fixture
def kept(llama, corpus, tmp_path):
    compute = partial(embed_pieces, sentences=corpus, layers=[None], batching=BATCHING)
    return KeptPass(compute, tmp_path / "pass", Job({"kind": "embeddings"}), model_fingerprint(llama))


def pieces(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}


def test_a_pass_is_computed_once(llama, corpus, kept, monkeypatch):
    expected = embed_layers(llama, corpus, [None], batching=BATCHING, progress=False)[None].vectors
    assert torch.equal(kept.run(llama, progress=False)[None].vectors, expected)
    assert len(pieces(kept.folder)) > 1
    monkeypatch.setattr("tl_experts.models.forward.forward_pass", None)
    assert torch.equal(kept.run(llama, progress=False)[None].vectors, expected)


def test_workers_compute_the_missing_pieces_in_chunks(llama, corpus, kept):
    expected = embed_layers(llama, corpus, [None], batching=BATCHING, progress=False)[None].vectors
    pool = Pool(llama)
    assert torch.equal(kept.run(llama, pool, progress=False)[None].vectors, expected)
    count = len(pieces(kept.folder))
    assert pool.numbers == list(range(min(count, CHUNKS * pool.workers)))
    first, *rest = sorted(pieces(kept.folder))
    before = pieces(kept.folder)
    (kept.folder / first).unlink()
    assert torch.equal(kept.run(llama, Pool(llama), progress=False)[None].vectors, expected)
    assert {name: pieces(kept.folder)[name] for name in rest} == {name: before[name] for name in rest}


def test_workers_steer_as_the_pass_says(llama, corpus, kept, tmp_path):
    experts = find_experts(llama, corpus, k=5, progress=False)[corpus.languages[0]]
    steered = KeptPass(kept.compute, tmp_path / "steered", kept.job, kept.fingerprint, experts, "zero")
    with steer(llama, experts, value="zero"):
        expected = embed_layers(llama, corpus, [None], batching=BATCHING, progress=False)[None].vectors
    assert torch.equal(steered.run(llama, Pool(llama), progress=False)[None].vectors, expected)
    assert not torch.equal(kept.run(llama, progress=False)[None].vectors, expected)


def test_a_worker_with_another_model_raises_an_error(llama, kept, model_of):
    with pytest.raises(ArtefactError, match=r"the pieces in .*pass belong to another model: .* on every machine"):
        kept.run(llama, Pool(model_of("qwen3")), progress=False)
