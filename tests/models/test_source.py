"""A model, its name, its folder and a source all stand for the same model."""

from dataclasses import FrozenInstanceError
from inspect import signature

import pytest
import torch

from tl_experts import ModelSource, load_model
from tl_experts.errors import ModelError
from tl_experts.models import model_fingerprint
from tl_experts.models.dtypes import dtype_name
from tl_experts.models.source import as_model, model_source


def test_a_source_has_the_arguments_of_load_model_with_their_defaults():
    _, *arguments = signature(load_model).parameters.values()
    _, *fields = signature(ModelSource).parameters.values()

    def defaults(parameters):
        return {one.name: dtype_name(one.default) if one.name == "dtype" else one.default for one in parameters}

    # A source names a model; one in memory, which needs its tokenizer, has no source.
    assert defaults(fields) == defaults(one for one in arguments if one.name != "tokenizer")


def test_a_name_a_folder_a_source_and_a_model_give_the_same_model(checkpoint, model_of):
    folder = checkpoint("llama")
    loaded = model_of("llama")
    assert as_model(loaded) is loaded
    for given in (folder, str(folder), ModelSource(folder)):
        assert model_fingerprint(as_model(given)) == model_fingerprint(loaded)
    assert as_model(ModelSource(folder, dtype="bfloat16")).cfg.dtype == torch.bfloat16


def test_workers_are_told_a_name_and_never_given_a_loaded_model(checkpoint, model_of):
    folder = checkpoint("llama")
    source = ModelSource(folder, dtype="float16")
    assert model_source(source) is source
    assert model_source(folder) == ModelSource(folder)
    with pytest.raises(ModelError, match="give its name, its folder or a ModelSource"):
        model_source(model_of("llama"))
    with pytest.raises(ModelError, match="is loaded already; give the name"):
        ModelSource(model_of("llama"))


def test_a_worker_keeps_the_model_and_forgets_the_devices_of_this_process():
    source = ModelSource("x", device="cuda:3", dtype="float16", revision="main")
    assert source.on_worker(0) == source.on_worker(0.5) == ModelSource("x", dtype="float16", revision="main")
    assert source.on_worker(2).n_devices == 2
    assert ModelSource("x", device_map="auto").on_worker(1) == ModelSource("x")
    assert source.device == "cuda:3"


def test_a_source_is_frozen_and_equal_to_its_like():
    assert ModelSource("x") == ModelSource("x") != ModelSource("x", dtype="float16")
    with pytest.raises(FrozenInstanceError):
        ModelSource("x").name = "y"


def test_an_object_that_is_not_a_model_raises_an_error(hugging_face):
    with pytest.raises(ModelError, match=r"LlamaForCausalLM.*load_model"):
        as_model(hugging_face("llama"))
