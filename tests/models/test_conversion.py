"""HookedTransformer wherever it computes what Hugging Face does, with the weights as published."""

import tempfile

import pytest
import torch

from tests.conftest import ARCHITECTURES, CONVERTED
from tl_experts import load_model
from tl_experts.models import conversion, model_fingerprint
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER

TOKENS = torch.randint(3, 300, (3, 40), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_class_is_hooked_transformer_wherever_it_converts(architecture, model_of):
    expected = "HookedTransformer" if architecture in CONVERTED and HAS_HOOKED_TRANSFORMER else "TransformerBridge"
    assert type(model_of(architecture)).__name__ == expected


def test_weights_are_not_processed(model_of, hugging_face):
    final = hugging_face("llama").model.norm.weight
    assert torch.equal(model_of("llama").ln_final.w if HAS_HOOKED_TRANSFORMER else final, final)
    assert not torch.equal(final, torch.ones_like(final))


def test_architecture_is_not_guessed_from_the_folders_name(checkpoint, tmp_path, hugging_face):
    misleading = tmp_path / "llama-gemma-3-t5"
    misleading.symlink_to(checkpoint("gpt2"))
    with torch.inference_mode():
        difference = load_model(misleading)(TOKENS) - hugging_face("gpt2")(TOKENS).logits
    assert difference.abs().max() < 1e-4


@pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")
@pytest.mark.parametrize("architecture", ["llama", "bloom", "qwen3"])
def test_the_layout_of_weights_changes_their_order_in_memory_only(architecture, checkpoint, monkeypatch):
    laid_out = load_model(checkpoint(architecture))
    monkeypatch.setattr(conversion, "lay_out", lambda model: None)
    plain = load_model(checkpoint(architecture))
    tokens = torch.arange(3, 60).reshape(3, 19)
    assert torch.equal(laid_out(tokens), plain(tokens))
    assert laid_out.unembed.W_U.T.is_contiguous()
    assert not plain.unembed.W_U.T.is_contiguous()
    for (name, one), (_, other) in zip(laid_out.named_parameters(), plain.named_parameters(), strict=True):
        # Bloom has no positions to embed: TransformerLens leaves the place uninitialised, and never reads it.
        assert torch.equal(one, other) or (architecture, name) == ("bloom", "pos_embed.W_pos"), name
    assert model_fingerprint(laid_out) == model_fingerprint(plain)


@pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")
def test_chance_does_not_name_the_temporary_folder_of_a_conversion_t5(checkpoint, monkeypatch):
    names = iter(["abt5cdef", "llama_12", "abcdefgh"])
    monkeypatch.setattr(tempfile, "_get_candidate_names", lambda: names)
    assert type(load_model(checkpoint("qwen3"))).__name__ == "HookedTransformer"
    assert next(names, None) is None
