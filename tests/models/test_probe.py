"""The probe is long enough for what a configuration names, and short enough for a large model."""

from types import SimpleNamespace

import pytest
import torch
import transformers as hf

from tests.models.test_conversion import windowed_config
from tl_experts.errors import ModelError
from tl_experts.models.probe import LONGEST, probe_tokens, rotary_kinds, take_reference


@pytest.mark.parametrize(
    ("config", "length"),
    [
        (hf.LlamaConfig(), 8),
        (hf.Qwen2Config(use_sliding_window=True, sliding_window=16), 24),
        (hf.MistralConfig(sliding_window=4096), 8),
        (windowed_config("llama3", 381), 72),
        (hf.LlamaConfig(max_position_embeddings=4), 4),
    ],
)
def test_the_probe_passes_every_boundary_below_its_longest(config, length):
    tokens = probe_tokens(config)
    assert tokens.shape == (1, length)
    assert int(tokens.max()) == config.vocab_size - 1
    assert length <= LONGEST


def test_tokens_are_distinct_whatever_the_default_dtype():
    config = windowed_config("llama3", 50_000)
    expected = probe_tokens(config)
    torch.set_default_dtype(torch.bfloat16)
    try:
        found = probe_tokens(config)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found, expected)
    assert found.unique().numel() == found.numel()


def test_the_kinds_of_rotary_frequencies_are_read_from_every_form_of_a_configuration():
    assert rotary_kinds(SimpleNamespace()) == {"default"}
    assert rotary_kinds(windowed_config("llama3", 381)) == {"llama3"}
    assert rotary_kinds(SimpleNamespace(rope_scaling={"type": "longrope"})) == {"longrope"}  # before transformers 5
    inner = {"full_attention": {"rope_type": "linear"}, "sliding_attention": {"rope_type": "default"}}
    assert rotary_kinds(SimpleNamespace(rope_parameters=inner)) == {"linear", "default"}


def test_weights_that_are_not_finite_are_named():
    model = hf.LlamaForCausalLM(windowed_config("llama3", 381)).eval()
    assert take_reference(model).logits.isfinite().all()
    with torch.no_grad():
        model.lm_head.weight[3, 0] = torch.nan
    with pytest.raises(ModelError, match=r"a logit of Hugging Face's model is NaN or infinite.*weights"):
        take_reference(model)
