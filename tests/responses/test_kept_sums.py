"""Sums over tokens on disk: read back to the bit, added in order, recomputed where they are damaged or another's."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import ArtefactError
from tl_experts.jobs.pieces import Pieces
from tl_experts.responses.kept_sums import KeptSums
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.token_statistics import ARRAYS
from tl_experts.responses.token_sums import TokenCounter, TokenSums

CORPUS, TABLE = Corpus(("a", "b"), ("en", "de")), NeuronTable((0,), (3,))
COUNTER = TokenCounter(CORPUS, TABLE, "mlp.hook_post", "mlp.hook_pre")


def drawn(seed):
    generator = torch.Generator().manual_seed(seed)
    counts = [torch.randint(0, 9, (2, 3), generator=generator) for _ in range(2)]
    totals = [torch.randn(2, 3, generator=generator, dtype=torch.float64) for _ in range(2)]
    return TokenSums(torch.tensor([9, 9]), *counts, *totals)


def assert_same(one, other):
    for name, tensor in vars(one).items():
        assert torch.equal(tensor, getattr(other, name)), name


def read(folder):
    return KeptSums.read(folder, "mark", COUNTER)


def test_sums_are_read_back_and_added_in_their_order(tmp_path):
    assert read(tmp_path) is None
    kept = KeptSums.begin(tmp_path, "mark", COUNTER)
    parts = [drawn(seed) for seed in range(3)]
    for number in (2, 0):
        kept.save(number, parts[number])
    with pytest.raises(ArtefactError, match="the statistics of shard 1 of 3 are missing or damaged"):
        kept.statistics(3, {})
    kept.save(1, parts[1])
    again = read(tmp_path)
    assert again.counter.gate == "mlp.hook_pre"
    for number, part in enumerate(parts):
        assert_same(again.load(number)[0], part)
    whole = kept.counter.zeros()
    for part in parts:
        whole.add(part)
    found = again.statistics(3, {"weights": "w"})
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name).numpy())
    assert found.fingerprint == {"weights": "w"}


def test_those_that_are_missing_are_taken_from_another_folder(tmp_path):
    one, other = (KeptSums.begin(tmp_path / name, "mark", COUNTER) for name in ("one", "other"))
    one.save(0, drawn(0))
    other.save(0, drawn(1))
    other.save(1, drawn(1))
    assert [one.take(other, number) for number in range(3)] == [False, True, False]
    assert_same(one.load(0)[0], drawn(0))
    assert_same(one.load(1)[0], drawn(1))


def test_activations_are_kept_beside_the_sums_and_joined_if_every_shard_has_them(tmp_path, caplog):
    counter = replace(COUNTER, gate=COUNTER.site, quantiles=True)
    one, other = (KeptSums.begin(tmp_path / name, "mark", counter) for name in ("one", "other"))
    sums = counter.zeros()
    sums.tokens.add_(1)
    sums.histogram[..., 200] = 1
    shards = [np.float32([[4, 1], [5, 2], [6, 3]]), np.float32([[0, 7], [0, 8], [9, 9]])]
    one.save(0, sums, shards[0])
    other.save(1, sums, shards[1])
    assert one.take(other, 1)
    assert one.statistics(2, {}).activations.tolist() == [[0, 4, 1, 7], [0, 5, 2, 8], [6, 9, 3, 9]]
    assert KeptSums.begin(tmp_path / "one", "mark", replace(counter, quantiles=False)).load(0)[1] is None
    arrays = {name: tensor.numpy() for name, tensor in vars(sums).items() if tensor.numel()}
    for damaged in (shards[0][:, 1:], shards[0].astype(np.float64)):
        one.pieces.save(0, arrays | {"activations": damaged})
        assert one.load(0) is None
        assert "activations are" in caplog.text
    one.save(0, sums)
    assert not one.statistics(2, {}).exact


def test_a_folder_of_other_responses_or_another_gate_is_refused(tmp_path):
    KeptSums.begin(tmp_path, "mark", COUNTER)
    with pytest.raises(ArtefactError, match="responses is 'mark' there and 'other' here"):
        KeptSums.begin(tmp_path, "other", COUNTER)
    with pytest.raises(ArtefactError, match=r"gate_site is 'mlp\.hook_pre' there"):
        KeptSums.begin(tmp_path, "mark", TokenCounter(CORPUS, TABLE, "mlp.hook_post", "mlp.hook_post"))
    (tmp_path / "job.json").write_text(json.dumps({"responses": "mark", "gate_site": ["x"]}))
    with pytest.raises(ArtefactError, match=r"names the gate \['x'\]; delete"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["tokens", "gate_over_zero", "total"])
def test_damaged_sums_count_as_missing(name, tmp_path, caplog):
    kept = KeptSums.begin(tmp_path, "mark", COUNTER)
    arrays = {field: tensor.numpy() for field, tensor in vars(drawn(0)).items()}
    for damaged in (arrays[name][:1], arrays[name].astype(np.float32), None):
        kept.pieces.save(0, {field: array for field, array in (arrays | {name: damaged}).items() if array is not None})
        assert kept.load(0) is None
        assert f"recomputing a piece: {name} is" in caplog.text
        caplog.clear()
    kept.save(0, drawn(0))
    path = tmp_path / "000000.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert kept.load(0) is None
    strange = Pieces(tmp_path / "strange", kept.pieces.job)
    strange.save(1, arrays)
    (tmp_path / "strange" / "000001.safetensors").rename(path)
    assert kept.load(0) is None
