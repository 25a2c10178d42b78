"""Sums over tokens: exact counts, precise deviations, parts that add up, the weights of repeated sentences."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import ResponseError, SiteError
from tl_experts.models.batches import Batch
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.token_sums import TokenCounter, TokenSums, gate_acts, gate_site

TEXTS = ("a", "b", "a", "a", "c")
COUNTER = TokenCounter(Corpus(TEXTS, ("en", "en", "en", "de", "de")), NeuronTable((0,), (3,)), *["mlp.hook_post"] * 2)


def batch_of(lengths, indices):
    """Sentences of some lengths, after BOS, padded on the right."""
    pooled = torch.zeros(len(lengths), 1 + max(lengths), dtype=torch.bool)
    for row, length in enumerate(lengths):
        pooled[row, 1 : 1 + length] = True
    return Batch(pooled.long(), pooled, pooled, torch.tensor(indices))


def added(activation, batch, counter=COUNTER):
    sums = counter.zeros()
    for _, hook in counter.readers(batch, sums):
        hook(activation, None)
    return sums


def test_each_token_counts_as_often_as_its_sentence_occurs():
    batch = batch_of([2, 1, 3], [1, 0, 4])
    activation = torch.arange(36, dtype=torch.float32).reshape(3, 4, 3) - 20
    sums = added(activation, batch)
    b, a, c = (activation[row][batch.pooled[row]].double() for row in range(3))
    english, german = torch.cat([b, a, a]), torch.cat([a, c])
    assert sums.tokens.tolist() == [4, 4]
    torch.testing.assert_close(sums.total, torch.stack([english.sum(0), german.sum(0)]), rtol=0, atol=0)
    torch.testing.assert_close(sums.total_of_squares, torch.stack([english.square().sum(0), german.square().sum(0)]))
    assert torch.equal(sums.over_zero, torch.stack([(english > 0).sum(0), (german > 0).sum(0)]))
    assert torch.equal(sums.gate_over_zero, sums.over_zero)


def test_a_small_deviation_from_a_large_mean_is_kept():
    values = (1000 + 0.01 * np.random.default_rng(0).standard_normal((50, 3))).astype(np.float32)
    sums = added(torch.from_numpy(np.stack([np.concatenate([values[:1], values])] * 2)), batch_of([50, 50], [1, 4]))
    statistics = COUNTER.statistics(sums, {})
    np.testing.assert_allclose(statistics.std[0], values.astype(np.float64).std(axis=0), rtol=1e-4)


def test_sums_of_parts_are_added_and_cleared():
    one, other = (added(torch.full((1, 3, 3), value), batch_of([2], [1])) for value in (1.0, -2.0))
    one.add(other)
    assert one.total.tolist() == [[-2.0] * 3, [0.0] * 3]
    assert one.total_of_squares.tolist() == [[10.0] * 3, [0.0] * 3]
    assert (one.tokens.tolist(), one.over_zero.tolist()) == ([4, 0], [[2] * 3, [0] * 3])
    one.clear()
    for name, zeros in vars(TokenSums.zeros(2, 3)).items():
        assert torch.equal(getattr(one, name), zeros), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_activations_of_16_bits_are_summed_in_more(dtype):
    sums = added(torch.full((1, 1001, 3), 256.0, dtype=dtype), batch_of([1000], [1]))
    assert sums.total[0].tolist() == [256_000.0] * 3
    assert sums.total_of_squares[0].tolist() == [65_536_000.0] * 3
    assert sums.over_zero[0].tolist() == [1000] * 3


def test_padding_that_is_not_finite_does_not_matter_but_a_token_does():
    activation = torch.zeros(2, 3, 3)
    activation[1, 2] = float("nan")
    assert added(activation, batch_of([2, 1], [1, 0])).total.tolist() == [[0.0] * 3] * 2
    with pytest.raises(ResponseError, match=r"L0 N0 to sentence 0 \('a'\) is nan"):
        added(activation, batch_of([2, 2], [1, 0]))


def test_only_the_neurons_of_a_gated_mlp_have_a_gate_of_their_own(model_of):
    for architecture, gate in (("llama", "mlp.hook_pre"), ("gpt2", "mlp.hook_post")):
        assert gate_site(model_of(architecture), "mlp.hook_post") == gate
        assert gate_site(model_of(architecture), "hook_resid_post") == "hook_resid_post"


def test_a_gate_whose_activation_function_is_not_known_has_no_quantiles(model_of):
    model, table = model_of("llama"), NeuronTable((0, 1), (48, 48))
    for act in gate_acts(model, table, "mlp.hook_post").values():
        torch.testing.assert_close(act(torch.tensor([1.0, -1.0])), torch.nn.functional.silu(torch.tensor([1.0, -1.0])))
    assert gate_acts(model, table, "mlp.hook_pre") == gate_acts(model_of("gpt2"), table, "mlp.hook_post") == {}
    strange = SimpleNamespace(hook_dict=model.hook_dict, blocks=[SimpleNamespace(mlp=object())] * 2)
    with pytest.raises(SiteError, match=r"layer 0 has no act_fn.*leave out quantiles"):
        gate_acts(strange, table, "mlp.hook_post")
