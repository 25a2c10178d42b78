"""Models load without processing, compute what Hugging Face computes, and refuse what has no language neurons."""

import tempfile

import pytest
import torch

from tests.conftest import ARCHITECTURES, CONVERTED
from tl_experts import load_model
from tl_experts.errors import ModelError, SiteError
from tl_experts.models import SITES, conversion, hook_name, model_fingerprint, require_hooks, require_site, site_widths
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER

TOKENS = torch.randint(3, 300, (3, 40), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_equal_hugging_face(architecture, model_of, hugging_face):
    with torch.inference_mode():
        ours = model_of(architecture)(TOKENS)
        theirs = hugging_face(architecture)(TOKENS).logits
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max().clamp(min=1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_class_is_hooked_transformer_wherever_it_converts(architecture, model_of):
    expected = "HookedTransformer" if architecture in CONVERTED and HAS_HOOKED_TRANSFORMER else "TransformerBridge"
    assert type(model_of(architecture)).__name__ == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_hook_post_is_what_enters_hugging_faces_down_projection(architecture, model_of, hugging_face):
    model, reference = model_of(architecture), hugging_face(architecture)
    seen = {}

    def note(layer):
        return lambda _module, args: seen.__setitem__(layer, args[0])

    names = ("down_proj", "dense_4h_to_h", "c_proj")
    downs = [m for n, m in reference.named_modules() if n.split(".")[-1] in names and "attn" not in n]
    handles = [down.register_forward_pre_hook(note(layer)) for layer, down in enumerate(downs)]
    try:
        with torch.inference_mode():
            reference(TOKENS)
            _, cache = model.run_with_cache(TOKENS)
    finally:
        for handle in handles:
            handle.remove()
    assert len(seen) == 2
    for layer, expected in seen.items():
        actual = cache[hook_name(layer, "mlp.hook_post")]
        assert actual.shape == expected.shape
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_offered_site_has_the_width_hugging_face_gives_it(architecture, model_of):
    model = model_of(architecture)
    gated = architecture not in ("bloom", "gpt2")
    mlp = 48 if gated else 4 * 32
    widths = {"mlp.hook_post": mlp, "mlp.hook_pre": mlp, "hook_mlp_out": 32, "attn.hook_z": 32, "hook_resid_post": 32}
    if gated:
        widths["mlp.hook_pre_linear"] = mlp
    else:
        with pytest.raises(SiteError, match="not gated"):
            require_site(model, "mlp.hook_pre_linear")
    assert set(widths) | {"mlp.hook_pre_linear"} == set(SITES)
    for site, width in widths.items():
        assert site_widths(model, site) == (width, width)


def test_weights_are_not_processed(model_of, hugging_face):
    final = hugging_face("llama").model.norm.weight
    assert torch.equal(model_of("llama").ln_final.w if HAS_HOOKED_TRANSFORMER else final, final)
    assert not torch.equal(final, torch.ones_like(final))


@pytest.mark.parametrize("architecture", CONVERTED)
def test_fingerprint_is_the_same_for_both_classes_and_any_dtype(architecture, model_of, bridge_of, checkpoint):
    expected = model_fingerprint(model_of(architecture))
    assert model_fingerprint(bridge_of(architecture)) == expected
    assert model_fingerprint(load_model(checkpoint(architecture), dtype="bfloat16")) == expected


def test_fingerprints_of_different_models_differ(model_of):
    prints = [model_fingerprint(model_of(architecture)) for architecture in ARCHITECTURES]
    assert len({p["weights"] for p in prints}) == len(prints)
    assert len({p["tokenizer"] for p in prints}) == 1


@pytest.mark.parametrize("part", ["mlp.W_in", "mlp.W_out", "attn.W_Q"])
def test_fingerprint_changes_with_the_weights(part, checkpoint):
    model = load_model(checkpoint("llama"))
    if not hasattr(model.blocks[1].mlp, "W_in") or not HAS_HOOKED_TRANSFORMER:
        pytest.skip("parameters are named otherwise under transformer-lens 4")
    before = model_fingerprint(model)
    owner, name = part.split(".")
    module = getattr(model.blocks[1], owner)
    with torch.no_grad():
        getattr(module, name).mul_(1.5)
    assert model_fingerprint(model)["weights"] != before["weights"]


def test_architecture_is_not_guessed_from_the_folders_name(checkpoint, tmp_path, hugging_face):
    misleading = tmp_path / "llama-gemma-3-t5"
    misleading.symlink_to(checkpoint("gpt2"))
    with torch.inference_mode():
        difference = load_model(misleading)(TOKENS) - hugging_face("gpt2")(TOKENS).logits
    assert difference.abs().max() < 1e-4


def save_config(folder, config, architecture):
    config.architectures = [architecture]
    config.save_pretrained(folder)
    return folder


def test_mixture_of_experts_is_refused_with_the_reason(tmp_path):
    from transformers import MixtralConfig

    with pytest.raises(ModelError, match=r"mixture of experts.*not neurons"):
        load_model(save_config(tmp_path, MixtralConfig(num_local_experts=4), "MixtralForCausalLM"))


def test_encoder_is_refused_with_the_reason(tmp_path):
    from transformers import BertConfig

    with pytest.raises(ModelError, match="no causal language model"):
        load_model(save_config(tmp_path, BertConfig(), "BertForMaskedLM"))


def test_encoder_decoder_is_refused_with_the_reason(tmp_path):
    from transformers import T5Config

    with pytest.raises(ModelError, match="encoder-decoder"):
        load_model(save_config(tmp_path, T5Config(), "T5ForConditionalGeneration"))


def test_vision_model_is_refused_with_the_reason(tmp_path):
    from transformers import Gemma3Config

    with pytest.raises(ModelError, match="images"):
        load_model(save_config(tmp_path, Gemma3Config(), "Gemma3ForConditionalGeneration"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no-such-model", "gemma-3-270m"),
        ("gemma-3-270", "did you mean 'gemma-3-270m'"),
        ("nobody/no-such-model", "no model configuration could be read"),
        ("./no/such/folder", "no model folder"),
        ("", "no model folder"),
    ],
)
def test_a_model_that_is_not_there_is_refused(name, message):
    with pytest.raises(ModelError, match=message):
        load_model(name)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"config\.json"):
        load_model(tmp_path)


def test_a_folder_with_damaged_weights_is_refused(checkpoint, tmp_path):
    import shutil

    folder = shutil.copytree(checkpoint("llama"), tmp_path / "damaged")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"dtype": "int8"}, "dtype 'int8'"), ({"dtype": "float23"}, "float32"), ({"device": "gpu"}, "device 'gpu'")],
)
def test_unknown_dtype_and_device_are_refused(options, message, checkpoint):
    with pytest.raises(ModelError, match=message):
        load_model(checkpoint("llama"), **options)


def test_unknown_site_and_hook_are_refused_with_near_matches(llama):
    with pytest.raises(SiteError, match=r"did you mean 'mlp\.hook_post'"):
        require_site(llama, "mlp.hook_pots")
    with pytest.raises(SiteError, match="layers 0 to 1"):
        require_hooks(llama, [("blocks.2.mlp.hook_post", print)])
    with pytest.raises(SiteError, match=r"blocks\.1\.mlp\.hook_post"):
        require_hooks(llama, [("blocks.1.mlp.hook_pots", print)])
    require_hooks(llama, [("blocks.1.mlp.hook_post", print)])


def test_what_is_no_lens_model_is_refused(hugging_face):
    with pytest.raises(ModelError, match=r"LlamaForCausalLM.*load_model"):
        require_site(hugging_face("llama"), "mlp.hook_post")


def test_a_local_folder_named_like_a_hub_model_is_read_for_what_it_holds(
    checkpoint, hugging_face, tmp_path, monkeypatch
):
    import shutil

    shutil.copytree(checkpoint("llama"), tmp_path / "gpt2")
    monkeypatch.chdir(tmp_path)
    model = load_model("gpt2")
    assert type(model).__name__ == ("HookedTransformer" if HAS_HOOKED_TRANSFORMER else "TransformerBridge")
    with torch.inference_mode():
        assert (model(TOKENS) - hugging_face("llama")(TOKENS).logits).abs().max() < 1e-4


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
