"""Pooling reads each sentence's own tokens, never padding or BOS."""

import pytest
import torch

from tl_experts.models.pooling import pool


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
