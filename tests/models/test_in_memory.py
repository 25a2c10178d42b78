"""A Hugging Face model in memory: loaded as from its folder, and left as it was."""

import copy

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.conftest import ARCHITECTURES
from tl_experts import find_experts, load_model
from tl_experts.errors import ModelError
from tl_experts.models import fingerprint_difference, model_fingerprint
from tl_experts.models.in_memory import standalone_copy


@pytest.fixture
def tuned(checkpoint):
    """A model that was changed after it was read, with its tokenizer."""
    model = AutoModelForCausalLM.from_pretrained(checkpoint("llama"))
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight.add_(0.1)
    return model, AutoTokenizer.from_pretrained(checkpoint("llama"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_in_memory_is_that_of_its_folder(architecture, checkpoint, model_of):
    in_memory = load_model(
        AutoModelForCausalLM.from_pretrained(checkpoint(architecture)),
        tokenizer=AutoTokenizer.from_pretrained(checkpoint(architecture)),
    )
    assert type(in_memory) is type(model_of(architecture))
    assert fingerprint_difference(model_fingerprint(in_memory), model_fingerprint(model_of(architecture))) is None
    tokens = torch.tensor([[0, 7, 9, 30]])
    torch.testing.assert_close(in_memory(tokens), model_of(architecture)(tokens))


def test_what_was_tuned_counts(tuned, model_of, corpus):
    model, tokenizer = tuned
    loaded = load_model(model, tokenizer=tokenizer)
    tokens = torch.tensor([[0, 7, 9, 30]])
    torch.testing.assert_close(loaded(tokens).cpu(), model(tokens).logits.detach(), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(loaded(tokens), model_of("llama")(tokens), atol=1e-2)
    assert find_experts(loaded, corpus, k=3, progress=False).total == 12


def test_the_callers_model_is_not_changed(tuned):
    model, tokenizer = tuned
    model.train()
    before = copy.deepcopy(model.state_dict())
    attention = model.config._attn_implementation
    loaded = load_model(model, tokenizer=tokenizer, dtype="bfloat16")
    assert loaded.cfg.dtype == torch.bfloat16
    assert model.training
    assert model.config._attn_implementation == attention
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with torch.no_grad():
        model.model.embed_tokens.weight.zero_()  # nor do the two share memory
    assert loaded(torch.tensor([[0, 7]])).abs().sum() > 0


def test_a_model_of_a_configuration_alone_loads(tuned):
    model, tokenizer = tuned
    fresh = type(model)(model.config)
    fresh.config.architectures = None
    assert load_model(fresh, tokenizer=tokenizer).cfg.n_layers == 2
    assert fresh.config.architectures is None


class _Adapted:
    peft_config = "default"


def test_what_cannot_be_copied_raises_an_error_that_says_what_to_give(tuned, model_of):
    model, tokenizer = tuned
    for other, words in (
        (_Adapted(), "merge_and_unload"),
        (torch.nn.Linear(2, 2), "got Linear"),
        (model_of("llama"), "is used as it is"),
        (5, "got int"),
    ):
        with pytest.raises(ModelError, match=words):
            load_model(other, tokenizer=tokenizer)
    quantised = copy.deepcopy(model)
    quantised.is_quantized = True
    with pytest.raises(ModelError, match="LlamaForCausalLM is quantised"):
        standalone_copy(quantised, torch.float32)
    with torch.device("meta"):
        empty = type(model)(model.config)
    with pytest.raises(ModelError, match="parameters without values"):
        standalone_copy(empty, torch.float32)


def test_a_tokenizer_goes_with_a_model_in_memory_and_with_nothing_else(tuned, checkpoint):
    model, tokenizer = tuned
    with pytest.raises(ModelError, match="its tokenizer must be given"):
        load_model(model)
    with pytest.raises(ModelError, match="brings its own tokenizer"):
        load_model(checkpoint("llama"), tokenizer=tokenizer)
    with pytest.raises(ModelError, match="for a name"):
        load_model(model, tokenizer=tokenizer, revision="main")
