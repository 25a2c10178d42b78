"""HookedTransformer wherever it computes what Hugging Face does, with the weights as published."""

import tempfile

import pytest
import torch
import transformers as hf

from tests.conftest import ARCHITECTURES, CONVERTED, train_tokenizer
from tl_experts import load_model
from tl_experts.models import conversion, hook_name, model_fingerprint
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER
from tl_experts.models.probe import _last_matrices
from tl_experts.models.windows import converted_windows, stated_windows

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


def contiguous(model):
    for parameter in model.parameters():
        parameter.data = parameter.data.contiguous()


@pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")
@pytest.mark.parametrize("architecture", ["llama", "bloom", "qwen3"])
def test_the_layout_of_weights_changes_their_order_in_memory_only(architecture, checkpoint, monkeypatch):
    laid_out = load_model(checkpoint(architecture))
    monkeypatch.setattr(conversion, "lay_out", contiguous)
    plain = load_model(checkpoint(architecture))
    tokens = torch.arange(3, 60).reshape(3, 19)
    assert torch.equal(laid_out(tokens), plain(tokens))
    assert laid_out.unembed.W_U.T.is_contiguous()
    assert not plain.unembed.W_U.T.is_contiguous()
    for (name, one), (_, other) in zip(laid_out.named_parameters(), plain.named_parameters(), strict=True):
        # Bloom has no positions to embed: TransformerLens leaves the matrix uninitialised and never reads it.
        assert torch.equal(one, other) or (architecture, name) == ("bloom", "pos_embed.W_pos"), name
    assert model_fingerprint(laid_out) == model_fingerprint(plain)


@pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")
def test_chance_does_not_name_the_temporary_folder_of_a_conversion_t5(checkpoint, monkeypatch):
    names = iter(["abt5cdef", "llama_12", "abcdefgh"])
    monkeypatch.setattr(tempfile, "_get_candidate_names", lambda: names)
    assert type(load_model(checkpoint("qwen3"))).__name__ == "HookedTransformer"
    assert next(names, None) is None


# --- windows, boundaries and activation functions ----------------------------------------------------------------

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}


def windowed_config(name: str, vocabulary: int):
    sizes = SIZES | {"vocab_size": vocabulary}
    sliding = {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1}
    return {
        "qwen2": lambda: hf.Qwen2Config(**sizes, **sliding),
        "qwen3": lambda: hf.Qwen3Config(**sizes, **sliding, head_dim=8),
        "mistral": lambda: hf.MistralConfig(**sizes, sliding_window=16),
        "gemma": lambda: hf.GemmaConfig(**sizes, head_dim=8),
        "gemma2": lambda: hf.Gemma2Config(**sizes, head_dim=8, sliding_window=16, query_pre_attn_scalar=8),
        "phi3": lambda: hf.Phi3Config(**sizes, sliding_window=16),
        "gpt_neo": lambda: hf.GPTNeoConfig(
            vocab_size=vocabulary,
            hidden_size=32,
            num_layers=2,
            num_heads=4,
            attention_types=[[["global", "local"], 1]],
            window_size=16,
            max_position_embeddings=512,
            bos_token_id=0,
            eos_token_id=1,
        ),
        "llama3": lambda: hf.LlamaConfig(
            **sizes,
            rope_parameters={
                "rope_type": "llama3",
                "rope_theta": 10000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        ),
    }[name]()


WINDOWED = ("qwen2", "qwen3", "mistral", "gemma", "gemma2", "phi3", "gpt_neo", "llama3")


def save_model(config, folder):
    """A random checkpoint whose weights are large enough for every position to matter."""
    tokenizer = train_tokenizer()
    torch.manual_seed(0)
    model = hf.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(8) if parameter.ndim > 1 else parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.eval()


@pytest.mark.parametrize("name", WINDOWED)
def test_logits_and_neurons_equal_hugging_face_beyond_every_window(name, tmp_path):
    reference = save_model(windowed_config(name, 381), tmp_path)
    model = load_model(tmp_path)
    tokens = torch.randint(3, 380, (2, 100), generator=torch.Generator().manual_seed(1))
    seen = {}
    for layer, module in enumerate(_last_matrices(reference)):
        module.register_forward_pre_hook(lambda _m, args, layer=layer: seen.__setitem__(layer, args[0]))
    with torch.inference_mode():
        expected = reference(tokens).logits
        found, cache = model.run_with_cache(tokens)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert len(seen) == model.cfg.n_layers
    for layer, neurons in seen.items():
        actual = cache[hook_name(layer, "mlp.hook_post")]
        torch.testing.assert_close(actual, neurons.reshape(actual.shape), rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")
@pytest.mark.parametrize("name", WINDOWED)
def test_models_with_windows_stay_hooked_transformers(name, tmp_path):
    save_model(windowed_config(name, 381), tmp_path)
    model = load_model(tmp_path)
    assert type(model).__name__ == "HookedTransformer"
    assert converted_windows(model.cfg) == stated_windows(windowed_config(name, 381))


@pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")
@pytest.mark.parametrize("fault", ["window", "activation"])
def test_a_conversion_that_is_wrong_beyond_eight_tokens_or_at_the_neurons_is_not_used(fault, tmp_path, monkeypatch):
    """Without the repairs of the configuration the check alone must notice, and give a bridge."""
    save_model(windowed_config("qwen2" if fault == "window" else "gemma", 381), tmp_path)
    if fault == "window":
        monkeypatch.setattr(conversion, "set_windows", lambda cfg, hf_config: None)
    else:
        monkeypatch.setattr(conversion, "set_activation", lambda cfg, hf_config: None)
    assert type(load_model(tmp_path)).__name__ == "TransformerBridge"


ROTARY = {
    # Below its boundary of 200 tokens it is the plain embedding: no probe of 160 tokens would notice.
    "longrope": (
        hf.Phi3Config,
        {
            "original_max_position_embeddings": 200,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "short_factor": [1.0] * 4,
                "long_factor": [2.0, 4.0, 6.0, 8.0],
                "attention_factor": 1.0,
                "original_max_position_embeddings": 200,
            },
        },
        "TransformerBridge",
    ),
    "dynamic": (
        hf.LlamaConfig,
        {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}},
        "HookedTransformer",
    ),
    "linear": (
        hf.LlamaConfig,
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}},
        "TransformerBridge",
    ),
    "yarn": (
        hf.LlamaConfig,
        {
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 10000.0,
                "factor": 2.0,
                "original_max_position_embeddings": 256,
            }
        },
        "TransformerBridge",
    ),
}


@pytest.mark.parametrize("kind", ROTARY)
def test_logits_equal_hugging_face_on_both_sides_of_a_rotary_boundary(kind, tmp_path):
    config, options, expected = ROTARY[kind]
    reference = save_model(config(**SIZES, vocab_size=381, **options), tmp_path)
    model = load_model(tmp_path)
    assert type(model).__name__ == (expected if HAS_HOOKED_TRANSFORMER else "TransformerBridge")
    for length in (150, 300, 512):
        tokens = torch.randint(3, 380, (1, length), generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            torch.testing.assert_close(model(tokens), reference(tokens).logits, rtol=1e-4, atol=1e-4)
