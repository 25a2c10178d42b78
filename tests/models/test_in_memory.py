"""A Hugging Face model in memory: loaded as from its folder, and left as it was."""

import copy
import warnings
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.conftest import ARCHITECTURES, train_tokenizer
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
    with torch.device("meta"):
        empty = type(model)(model.config)
    with pytest.raises(ModelError, match="parameters without values"):
        standalone_copy(empty, torch.float32)


def recorded(model):
    model.is_quantized = True
    model.config.quantization_config = SimpleNamespace(quant_method="bitsandbytes")
    return model


def dynamic(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated in favour of torchao, which is not a dependency
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


def packed(model):
    weight = model.model.layers[1].mlp.up_proj.weight
    model.model.layers[1].mlp.up_proj.weight = torch.nn.Parameter(weight.to(torch.int8), requires_grad=False)
    return model


def wrapped(model):
    weight = torch.nn.Parameter(model.model.layers[1].mlp.up_proj.weight.as_subclass(Codes))
    model.model.layers[1].mlp.up_proj.weight = weight
    return model


class Codes(torch.Tensor):
    """As torchao and quanto wrap codes and scales."""


@pytest.mark.parametrize(
    ("quantise", "words"),
    [
        (recorded, r"quantised \(bitsandbytes\)"),
        (dynamic, r"quantised \(model.layers.0.self_attn.q_proj is a torch.ao.nn.quantized.dynamic.*Linear"),
        (packed, r"quantised \(model.layers.1.mlp.up_proj.weight is a Tensor of torch.int8"),
        (wrapped, r"quantised \(model.layers.1.mlp.up_proj.weight is a Codes of torch.float32"),
    ],
)
def test_a_quantised_model_in_memory_raises_an_error_that_says_what_to_give(quantise, words, tuned):
    model, tokenizer = tuned
    with pytest.raises(ModelError, match=words + ".*Give the folder or hub name"):
        load_model(quantise(model), tokenizer=tokenizer)


def test_a_tokenizer_goes_with_a_model_in_memory_and_with_nothing_else(tuned, checkpoint):
    model, tokenizer = tuned
    with pytest.raises(ModelError, match="its tokenizer must be given"):
        load_model(model)
    with pytest.raises(ModelError, match="brings its own tokenizer"):
        load_model(checkpoint("llama"), tokenizer=tokenizer)
    with pytest.raises(ModelError, match="for a name"):
        load_model(model, tokenizer=tokenizer, revision="main")
    with pytest.raises(ModelError, match="expected a Hugging Face tokenizer, got str"):
        load_model(model, tokenizer="gpt2")


def test_a_tokenizer_that_was_never_saved_loads_with_what_was_added_to_it(tuned):
    model, _ = tuned
    for tokenizer in (train_tokenizer(), AutoTokenizer.from_pretrained(model.name_or_path)):
        tokenizer.add_tokens(["Katzenklo"])
        before = copy.deepcopy(tokenizer.init_kwargs)
        loaded = load_model(model, tokenizer=tokenizer)
        assert loaded.tokenizer is not tokenizer
        assert loaded.tokenizer("Katzenklo", add_special_tokens=False)["input_ids"] == [len(tokenizer) - 1]
        assert tokenizer.init_kwargs == before
