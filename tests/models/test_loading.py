"""Models load without processing, compute what Hugging Face computes, and refuse what has no language neurons."""

import pytest
import torch

from tests.conftest import ARCHITECTURES, train_tokenizer
from tl_experts import load_model
from tl_experts.embeddings.embeddings import embed_layers
from tl_experts.errors import ModelError, SiteError
from tl_experts.models import promoted_logits, read_scores, text_batches
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER

TOKENS = torch.randint(3, 300, (3, 40), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_equal_hugging_face(architecture, model_of, hugging_face):
    with torch.inference_mode():
        ours = model_of(architecture)(TOKENS)
        theirs = hugging_face(architecture)(TOKENS).logits
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max().clamp(min=1)


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

    with pytest.raises(ModelError, match="not a causal language model"):
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
        ("./no/such/folder", "is not a model folder"),
        ("", "is not a model folder"),
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


@pytest.mark.parametrize("norm_before", [False, True])
def test_a_last_hidden_state_that_is_projected_is_hugging_faces(norm_before, tmp_path, corpus):
    """OPT-350m's layout: no final norm, and a projection to the unembedding's width."""
    import transformers as hf

    sizes = {"hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 381}
    config = hf.OPTConfig(
        **sizes,
        word_embed_proj_dim=16,
        do_layer_norm_before=norm_before,
        max_position_embeddings=512,
        bos_token_id=0,
        pad_token_id=2,
        init_std=0.5,
    )
    reference = hf.AutoModelForCausalLM.from_config(config).eval()
    reference.save_pretrained(tmp_path)
    train_tokenizer().save_pretrained(tmp_path)
    model = load_model(tmp_path)
    found = embed_layers(model, corpus, [1, None], progress=False)
    assert found[1].vectors.shape == (24, 32)
    [batch] = text_batches(model, corpus.texts[:1])
    with torch.inference_mode():
        state = reference.model(batch.tokens).last_hidden_state
    assert found[None].vectors.shape == (24, 16)
    for told in (lambda: promoted_logits(model, torch.eye(32)), lambda: read_scores(model, 0, [1])):
        with pytest.raises(SiteError, match="embeddings have 16 dimensions, the layers 32"):
            told()
    torch.testing.assert_close(found[None].vectors[0], state[0][batch.pooled[0]].mean(0), rtol=1e-4, atol=1e-4)


def test_a_model_without_a_final_norm_is_refused_with_the_reason(tmp_path):
    from transformers import OPTConfig

    config = OPTConfig(do_layer_norm_before=False)
    with pytest.raises(ModelError, match="do_layer_norm_before=False"):
        load_model(save_config(tmp_path, config, "OPTForCausalLM"))
