"""Directions read and written by neurons, by hand and alike in both model classes."""

from types import SimpleNamespace

import pytest
import torch

from tl_experts.errors import SiteError
from tl_experts.models import promoted_logits, read_scores, weights, written_directions


def test_promoted_words_by_hand(llama):
    row = llama.blocks[1].mlp.W_out[7].detach().float()
    weight = next(iter(llama.ln_final.parameters())).detach()
    normed = row / row.square().mean().add(llama.cfg.eps).sqrt() * weight
    expected = normed @ llama.W_U.detach()
    torch.testing.assert_close(
        promoted_logits(llama, written_directions(llama, 1, [7]))[0], expected, rtol=1e-3, atol=1e-3
    )


def test_both_classes_read_and_write_alike(model_of, bridge_of):
    hooked, bridge = model_of("gemma3"), bridge_of("gemma3")
    for model in (hooked, bridge):
        assert written_directions(model, 0, [1, 2]).shape == (2, 32)
    torch.testing.assert_close(read_scores(hooked, 1, [3]), read_scores(bridge, 1, [3]), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        written_directions(hooked, 1, [3]), written_directions(bridge, 1, [3]), rtol=1e-3, atol=1e-3
    )


class Packed:
    """An MLP of which transformer_lens's bridge reads no weights."""

    @property
    def W_out(self):  # noqa: N802 (transformer_lens's name)
        raise NotImplementedError("packed integer storage")

    W_in = W_gate = W_out


class Codes(torch.Tensor):
    """A tensor class of a quantisation library."""

    def dequantize(self) -> torch.Tensor:
        """What such a class brings, and what a tensor on another device does not."""
        raise NotImplementedError


@pytest.mark.parametrize("mlp", [Packed(), SimpleNamespace(W_in=torch.eye(2), W_out=torch.eye(2).as_subclass(Codes))])
def test_quantised_weights_raise_an_error_that_names_the_matrix(mlp, monkeypatch):
    monkeypatch.setattr(weights, "require_model", lambda model: None)
    model = SimpleNamespace(blocks=[SimpleNamespace(mlp=mlp)])
    with pytest.raises(SiteError, match="layer 0: W_out is quantised"):
        written_directions(model, 0, [0])
    if isinstance(mlp, Packed):
        with pytest.raises(SiteError, match="layer 0: W_gate is quantised"):
            read_scores(model, 0, [0])
