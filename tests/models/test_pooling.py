"""Pooling reads each sentence's own tokens, never padding or BOS."""

import pytest
import torch

from tl_experts.models.pooling import own_tokens, pool


@pytest.mark.parametrize("side", ["left", "right"])
def test_pooling_is_the_maximum_of_each_sentence_alone(side):
    generator = torch.Generator().manual_seed(0)
    lengths = [7, 7, 5, 1]
    activation = torch.randn(4, 8, 6, generator=generator)
    text = torch.zeros(4, 8, dtype=torch.bool)
    for row, length in enumerate(lengths):
        text[row, slice(1, 1 + length) if side == "right" else slice(8 - length, 8)] = True
    expected = torch.stack([activation[row][text[row]].amax(dim=0) for row in range(4)])
    assert torch.equal(pool(activation, text, "max"), expected)


def test_pooling_ignores_what_padding_holds():
    activation = torch.tensor([[[9.0], [1.0], [2.0], [float("inf")]]])
    text = torch.tensor([[False, True, True, False]])
    assert pool(activation, text, "max").item() == 2.0
    assert pool(activation, text, "mean").item() == 1.5


def test_negative_activations_stay_negative_under_max():
    assert pool(torch.tensor([[[-3.0], [-1.0], [7.0]]]), torch.tensor([[True, True, False]]), "max").item() == -1.0


@pytest.mark.parametrize("side", ["left", "right"])
def test_own_tokens_hold_each_sentences_tokens_and_zeros(side):
    generator = torch.Generator().manual_seed(0)
    lengths = [7, 7, 5, 1]
    activation = torch.randn(4, 8, 6, generator=generator)
    text = torch.zeros(4, 8, dtype=torch.bool)
    for row, length in enumerate(lengths):
        text[row, slice(1, 1 + length) if side == "right" else slice(8 - length, 8)] = True
    activation[~text] = float("inf")
    parts = own_tokens(activation, text)
    expected = torch.stack([activation[row][text[row]].sum(dim=0) for row in range(4)])
    torch.testing.assert_close(sum(part.sum(dim=1) for part in parts), expected)
    assert sum(int((part != 0).sum()) for part in parts) == sum(lengths) * 6


def test_own_tokens_are_float32_and_uncopied_where_nothing_is_left_out():
    activation = torch.randn(2, 3, 4)
    (part,) = own_tokens(activation, torch.tensor([[False, True, True]] * 2))
    assert part.data_ptr() == activation[:, 1:].data_ptr()
    (half,) = own_tokens(activation.bfloat16(), torch.ones(2, 3, dtype=torch.bool))
    assert half.dtype == torch.float32
