"""A HookedTransformer on Hugging Face's own tensors: the values of a copy, and no copy."""

import pytest
import torch
from transformers import AutoTokenizer

from tests.conftest import CONVERTED
from tl_experts import load_model
from tl_experts.models import conversion
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER
from tl_experts.models.probe import NotConvertible
from tl_experts.models.shared_weights import share_weights

pytestmark = pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")


def copy_weights(model, state):
    """What transformer_lens does."""
    model.load_and_process_state_dict(
        state,
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
        fold_value_biases=False,
        refactor_factored_attn_matrices=False,
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("architecture", CONVERTED)
def test_values_and_order_in_memory_are_those_of_a_copy(architecture, dtype, checkpoint, monkeypatch):
    shared = load_model(checkpoint(architecture), dtype=dtype)
    monkeypatch.setattr(conversion, "share_weights", copy_weights)
    copied = load_model(checkpoint(architecture), dtype=dtype)
    assert type(shared).__name__ == type(copied).__name__ == "HookedTransformer"
    for (name, one), (other_name, other) in zip(shared.named_parameters(), copied.named_parameters(), strict=True):
        assert name == other_name
        assert (one.shape, one.stride(), one.dtype) == (other.shape, other.stride(), other.dtype), name
        # Bloom has no positions to embed: TransformerLens leaves the matrix uninitialised and never reads it.
        assert torch.equal(one, other) or (architecture, name) == ("bloom", "pos_embed.W_pos"), name
    for (name, one), (_, other) in zip(shared.named_buffers(), copied.named_buffers(), strict=True):
        assert torch.equal(one, other), name


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_no_weight_of_a_llama_is_copied(dtype, checkpoint, monkeypatch):
    seen = []

    def convert(hf_model, *args, **options):
        seen.append(hf_model)
        return conversion.convert(hf_model, *args, **options)

    monkeypatch.setattr("tl_experts.models.loading.convert", convert)
    model = load_model(checkpoint("llama"), dtype=dtype)
    theirs = {parameter.data_ptr() for parameter in seen[0].parameters()}
    assert len(theirs) == 21
    assert theirs <= {parameter.data_ptr() for parameter in model.parameters()}


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_a_model_that_is_loaded_in_inference_mode_is_like_any_other(architecture, checkpoint, hugging_face, model_of):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint(architecture))
    with torch.inference_mode():
        named = load_model(checkpoint(architecture))
        in_memory = load_model(hugging_face(architecture), tokenizer=tokenizer)
    tokens = torch.arange(3, 23).reshape(2, 10)
    for model in (named, in_memory):
        assert not any(parameter.is_inference() for parameter in model.parameters())
        assert torch.equal(model(tokens), model_of(architecture)(tokens))


def test_tied_embeddings_are_two_parameters(checkpoint):
    model = load_model(checkpoint("gpt2"))
    before = model.W_U.clone()
    assert torch.equal(model.W_E.T, before)
    model.W_E.zero_()
    assert torch.equal(model.W_U, before)
    assert torch.equal(load_model(checkpoint("gpt2")).W_U, before)  # nor does the change reach the file


def test_a_tensor_of_another_shape_is_refused(model_of):
    model = model_of("llama")
    with pytest.raises(NotConvertible, match=r"ln_final.w has shape \(33,\), expected \(32,\)"):
        share_weights(model, dict(model.state_dict()) | {"ln_final.w": torch.zeros(33)})


def test_a_quantised_tensor_is_refused(model_of):
    class Packed(torch.Tensor):
        pass

    model = model_of("llama")
    state = dict(model.state_dict())
    with pytest.raises(NotConvertible, match=r"ln_final.w is a Packed, .* \(quantised\?\)"):
        share_weights(model, state | {"ln_final.w": state["ln_final.w"].as_subclass(Packed)})
