"""The settings that come with the package."""

import json

import pytest

from tl_experts import collect_for_steering, load_sentences
from tl_experts.corpus.bundled import data_folder
from tl_experts.errors import ArtefactError, TLExpertsError
from tl_experts.models import model_fingerprint
from tl_experts.models.catalogue import ENTRIES
from tl_experts.steering import tuned_steering
from tl_experts.steering.tuning.shipped import _read, model_settings, tuned_setting, tuned_settings

FILES = sorted((data_folder() / "tuned").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_is_of_a_model_of_the_catalogue_and_says_what_made_it(path):
    settings = tuned_settings(path.stem)
    assert path.stem in ENTRIES
    for code, one in settings.items():
        assert (one.model, one.language) == (path.stem, code)
        assert one.command.startswith("tl-experts tune") or "tune(" in one.command
        assert {"share", "perplexity", "natural_perplexity", "distinct", "natural_distinct"} <= set(one.measured)
    assert tuned_setting(path.stem, "es") is settings["es"]
    assert tuned_setting(path.stem, "sw") is None


def test_a_shipped_setting_is_built_from_the_model(mini):
    statistics = collect_for_steering(mini, load_sentences("bundled", split="dev", limit=4), progress=False)
    one = tuned_setting("polyglot-mini", "es")
    assert one.weights == model_fingerprint(mini)["weights"]
    built = tuned_steering(mini, "spa", statistics=statistics)
    assert built.strength == one.setting.strength
    assert built.positions == one.setting.positions
    built.require_model(mini)


def test_a_language_or_model_without_one_is_told(mini, llama):
    with pytest.raises(
        TLExpertsError, match="no setting for 'sw' comes with the package for polyglot-mini; choose one"
    ):
        tuned_steering(mini, "sw")
    with pytest.raises(TLExpertsError, match=r"there are some for .*polyglot-mini; tune finds one"):
        tuned_steering(llama, "es")
    assert tuned_settings("another") == {}


@pytest.mark.parametrize("document", [{}, {"model": "a", "weights": "b", "rows": 5, "languages": {"es": {}}}])
def test_a_damaged_file_is_named(tmp_path, document):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ArtefactError, match=r"a\.json"):
        _read(path)


def test_the_settings_of_a_model_are_found_by_its_weights(mini, llama):
    assert model_settings(mini) == tuned_settings("polyglot-mini")
    assert model_settings(llama) == {}
