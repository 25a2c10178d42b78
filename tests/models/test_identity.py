"""Fingerprints: every parameter counts, classes and dtypes do not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ARCHITECTURES, CONVERTED
from tests.copies import own_copy
from tl_experts import embed, find_experts, load_model, store_embeddings
from tl_experts.errors import ArtefactError, TLExpertsWarning
from tl_experts.models import fingerprint_difference, model_fingerprint, require_same_model
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER

needs_hooked = pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")


def values_of(model) -> dict[str, torch.Tensor]:
    """The parameters that a pass reads and that are not zero: a thousandth more of zero is zero."""
    return {
        name: parameter
        for name, parameter in torch.nn.Module.named_parameters(model)
        if parameter.any() and not ("W_pos" in name and model.cfg.positional_embedding_type != "standard")
    }


@pytest.mark.parametrize("architecture", CONVERTED)
def test_both_classes_and_both_dtypes_of_a_checkpoint_are_one_model(architecture, model_of, bridge_of, checkpoint):
    expected = model_fingerprint(model_of(architecture))
    for other in (bridge_of(architecture), load_model(checkpoint(architecture), dtype="bfloat16")):
        assert model_fingerprint(other)["weights"] == expected["weights"]
        assert fingerprint_difference(model_fingerprint(other), expected) is None
        require_same_model(other, expected, "these experts")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_same_checkpoint_loaded_twice_has_one_fingerprint(architecture, model_of, checkpoint):
    assert model_fingerprint(load_model(checkpoint(architecture))) == model_fingerprint(model_of(architecture))


def test_fingerprints_of_different_models_differ(model_of):
    prints = [model_fingerprint(model_of(architecture)) for architecture in ARCHITECTURES]
    assert len({p["weights"] for p in prints}) == len(prints)
    assert len({p["tokenizer"] for p in prints}) == 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("how", ["in place", "through .data", "replaced"])
def test_a_thousandth_more_of_any_one_parameter_changes_the_fingerprint(architecture, how, model_of):
    model = own_copy(model_of(architecture))
    before = model_fingerprint(model)
    for name, parameter in values_of(model).items():
        kept = parameter.detach().clone()
        if how == "in place":
            with torch.no_grad():
                parameter.mul_(1.001)
        elif how == "through .data":
            parameter.data.mul_(1.001)
        else:
            parameter.data = parameter.data * 1.001
        changed = model_fingerprint(model)
        assert changed != before, name
        assert fingerprint_difference(changed, before) is not None, name
        with torch.no_grad():
            parameter.copy_(kept)
        assert model_fingerprint(model) == before, name


@settings(max_examples=60)
@given(data=st.data())
def test_a_thousandth_more_of_any_one_value_changes_the_fingerprint(data, model_of):
    model = own_copy(model_of("qwen3"))
    before = model_fingerprint(model)
    name, parameter = data.draw(st.sampled_from(sorted(values_of(model).items())), label="parameter")
    index = tuple(data.draw(st.integers(0, size - 1)) for size in parameter.shape)
    with torch.no_grad():
        parameter[index] *= 1.001
    assert model_fingerprint(model) != before, name


@pytest.mark.parametrize("architecture", CONVERTED)
def test_a_fine_tuned_model_is_told_in_another_class_and_dtype(architecture, model_of, bridge_of):
    """Every parameter of a bridge changed by a twentieth, as bfloat16 shows it; the experts are of float32."""
    expected = model_fingerprint(model_of(architecture))
    bridge = own_copy(bridge_of(architecture)).to(torch.bfloat16)
    assert fingerprint_difference(model_fingerprint(bridge), expected) is None
    for name, parameter in bridge.original_model.named_parameters():
        # A fused matrix is kept but not used. Gemma's norms are compared in one class and dtype only.
        if not parameter.any() or ".qkv." in name or (architecture == "gemma3" and "norm" in name):
            continue
        kept = parameter.detach().clone()
        with torch.no_grad():
            parameter.mul_(1.05)
        assert "weights differ" in fingerprint_difference(model_fingerprint(bridge), expected), name
        with torch.no_grad():
            parameter.copy_(kept)


def test_neurons_in_another_order_are_another_model(model_of):
    model = own_copy(model_of("gpt2"))
    before = model_fingerprint(model)
    if not hasattr(model.blocks[0].mlp, "b_in"):
        pytest.skip("transformer-lens 4 names the parameters otherwise")
    mlp, order = model.blocks[0].mlp, torch.arange(128).flip(0)
    with torch.no_grad():
        mlp.W_in.copy_(mlp.W_in[:, order].clone())
        mlp.b_in.copy_(mlp.b_in[order].clone())
        mlp.W_out.copy_(mlp.W_out[order].clone())
    assert model_fingerprint(model)["weights"] != before["weights"]


def test_weights_made_in_inference_mode_are_read_again_each_time(model_of):
    model = own_copy(model_of("llama"))
    expected = model_fingerprint(model)
    with torch.inference_mode():
        name, parameter = next(iter(values_of(model).items()))
        parameter.data = parameter.data.clone()
        assert parameter.is_inference()
        assert model_fingerprint(model) == expected, name
        parameter.view(-1)[-1] *= 1.001
        assert model_fingerprint(model) != expected


# --- refusals say why --------------------------------------------------------------------------------------------


def refusal(model, fingerprint) -> str:
    with pytest.raises(ArtefactError) as refused:
        require_same_model(model, fingerprint, "these experts", fix="find them again")
    message = str(refused.value)
    assert message.startswith("these experts belong to another model: ")
    assert message.endswith("; find them again")
    return message


def test_a_refusal_names_another_architecture(model_of):
    message = refusal(model_of("qwen3"), model_fingerprint(model_of("llama")))
    assert "weights differ" in message
    assert "made with LlamaForCausalLM (2 layers x 48 neurons, 32 dimensions, 381 tokens)" in message
    assert "this is Qwen3ForCausalLM" in message


def test_a_refusal_names_another_tokenizer(model_of):
    model = own_copy(model_of("llama"))
    before = model_fingerprint(model)
    model.tokenizer.add_tokens(["<new>"])
    message = refusal(model, before)
    assert "tokenizer differs" in message
    assert "the weights are the same" in message


def test_a_refusal_names_fine_tuning(model_of):
    model = own_copy(model_of("llama"))
    before = model_fingerprint(model)
    with torch.no_grad():
        next(iter(values_of(model).values())).mul_(1.1)
    assert "fine-tuned, edited, or is another revision" in refusal(model, before)


@needs_hooked
def test_a_refusal_names_a_change_too_small_for_bfloat16(model_of):
    model = own_copy(model_of("llama"))
    with torch.no_grad():
        model.ln_final.w.fill_(1.0)
    before = model_fingerprint(model)
    with torch.no_grad():
        model.ln_final.w.mul_(1.001)
    assert "by less than bfloat16 shows" in refusal(model, before)


@needs_hooked
def test_a_refusal_names_processed_weights(model_of):
    model = own_copy(model_of("llama"))
    before = model_fingerprint(model)
    model.process_weights_(fold_ln=True)
    assert "this model has processed weights" in refusal(model, before)
    assert "that model has processed weights" in refusal(model_of("llama"), model_fingerprint(model))


def test_a_refusal_names_another_dtype(checkpoint, model_of):
    half = load_model(checkpoint("llama"), dtype="float16")
    message = refusal(half, model_fingerprint(model_of("llama")))
    assert "float16" in message
    assert "float32" in message
    assert "load the same dtype" in message


def test_a_refusal_names_an_older_artefact(model_of):
    message = refusal(model_of("llama"), {"weights": "0", "tokenizer": "0"})
    assert "does not record architecture and form and exact" in message
    assert "another version of tl-experts" in message


def test_a_folder_of_another_models_responses_is_refused(model_of, corpus, tmp_path):
    model = own_copy(model_of("llama"))
    find_experts(model, corpus, k=2, folder=tmp_path / "run", progress=False)
    for parameter in values_of(model).values():
        kept = parameter.detach().clone()
        with torch.no_grad():
            parameter.mul_(1.001)
        with pytest.raises(ArtefactError, match=r"job: its model's weights differ .+fine-tuned.+choose another"):
            find_experts(model, corpus, k=2, folder=tmp_path / "run", progress=False)
        with torch.no_grad():
            parameter.copy_(kept)
    find_experts(model, corpus, k=2, folder=tmp_path / "run", progress=False)


def test_a_folder_of_another_dtype_is_refused_naming_it(model_of, checkpoint, corpus, tmp_path):
    store_embeddings(model_of("llama"), corpus, tmp_path, progress=False)
    with pytest.raises(ArtefactError, match="dtype is 'float32' there and 'bfloat16' here"):
        store_embeddings(load_model(checkpoint("llama"), dtype="bfloat16"), corpus, tmp_path, progress=False)


@needs_hooked
def test_embedding_with_processed_weights_warns(model_of, corpus):
    model = own_copy(model_of("llama"))
    expected = embed(model, corpus, progress=False).vectors
    model.process_weights_(fold_ln=True)
    with pytest.warns(TLExpertsWarning, match="processed weights.*load_model"):
        found = embed(model, corpus, progress=False).vectors
    assert not torch.allclose(found, expected, atol=1e-3)


# --- quantised weights -----------------------------------------------------------------------------------------------


class Quantised(torch.Tensor):
    """Codes and a scale behind one tensor, as torchao keeps them: few operations are defined on it."""

    @staticmethod
    def __new__(cls, codes, scale):
        kept = torch.Tensor._make_wrapper_subclass(cls, codes.shape, dtype=torch.float32)
        kept.codes, kept.scale = codes, scale
        return kept

    def __tensor_flatten__(self):
        return ["codes", "scale"], None

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.detach.default:
            return cls(args[0].codes, args[0].scale)
        raise NotImplementedError(function)


def with_up_projection(bridge, weight):
    """A copy of a bridge whose second layer has other weights."""
    model = own_copy(bridge)
    parameters = dict(model.original_model.named_parameters())
    [name] = [name for name in parameters if ".layers.1." in name and ".up_proj." in name]
    module = model.original_model.get_submodule(name.removesuffix(".weight"))
    module.weight = torch.nn.Parameter(weight, requires_grad=False)
    return model


def test_codes_and_scales_of_quantised_weights_count(bridge_of):
    bridge = bridge_of("llama")
    codes = torch.randint(-128, 127, (48, 32), generator=torch.Generator().manual_seed(0)).to(torch.int8)
    other, scale = codes.clone(), torch.ones(48)
    other[3, 4] += 1
    packed = [with_up_projection(bridge, weight) for weight in (codes, codes, other)]
    wrapped = [
        with_up_projection(bridge, Quantised(*parts))
        for parts in ((codes, scale), (codes.clone(), scale.clone()), (other, scale), (codes, 2 * scale))
    ]
    for first, same, *changed in (packed, wrapped):
        expected = model_fingerprint(first)
        assert model_fingerprint(same) == expected
        for model in changed:
            assert fingerprint_difference(model_fingerprint(model), expected) is not None
