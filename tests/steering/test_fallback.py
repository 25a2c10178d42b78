"""Each step of a fallback is what the model writes with the first languages silenced, and nothing is left behind."""

import json

import numpy as np
import pytest

from tests.steering.activations import read, same_bits
from tl_experts import Steering, steer
from tl_experts.errors import ArtefactError, InterventionError
from tl_experts.steering.fallback import Fallback, fallback_languages
from tl_experts.steering.generation import LanguageIdentifier, generate_texts

OPTIONS = {"seed": 3, "max_new_tokens": 6, "progress": False}


@pytest.fixture
def fallback() -> Fallback:
    """Two steps of two texts, of which one has no content."""
    probabilities = np.array([[[0.9, 0.1], [0.4, 0.6]], [[0.2, 0.8], [0.0, 0.0]]])
    return Fallback(("en",), ("en", "de"), probabilities, (("a", "b"), ("c", " ")))


def test_each_step_silences_the_first_languages(llama, experts):
    before = read(llama)
    found = fallback_languages(llama, experts, ["ja", "deu_Latn"], count=3, **OPTIONS)
    assert found.silenced == ("ja", "de")
    assert found.languages == experts.languages
    silence = [Steering(experts[language], operation="zero") for language in ("ja", "de")]
    assert list(found.texts[0]) == generate_texts(llama, 3, **OPTIONS)
    for step in (1, 2):
        with steer(llama, silence[:step]):
            assert list(found.texts[step]) == generate_texts(llama, 3, **OPTIONS)
    identify = LanguageIdentifier(experts.languages)
    np.testing.assert_array_equal(found.probabilities, np.stack([identify.probabilities(step) for step in found.texts]))
    assert same_bits(read(llama), before)


def test_shares_worked_by_hand(fallback):
    np.testing.assert_allclose(fallback.shares, [[0.5, 0.5], [0.0, 0.5]])
    assert fallback.written == ("en", "de")
    table = fallback.to_pandas()
    assert table["silenced"].tolist() == ["", "", "en", "en"]
    assert table["share"].tolist() == [0.5, 0.5, 0.0, 0.5]
    assert table["probability"].tolist() == pytest.approx([0.65, 0.35, 0.1, 0.4])


def test_texts_without_content_are_in_no_language():
    empty = Fallback(("en",), ("en", "de"), np.zeros((2, 1, 2)), (("",), ("",)))
    assert not empty.shares.any()
    assert empty.written == ("none", "none")


@pytest.mark.parametrize("name", ["folder", "one.safetensors"])
def test_what_is_saved_is_loaded(fallback, tmp_path, name):
    loaded = Fallback.from_pretrained(fallback.save_pretrained(tmp_path / name))
    assert loaded.to_pandas().equals(fallback.to_pandas())
    assert loaded.texts == fallback.texts


@pytest.mark.parametrize(
    "change", [{"silenced": []}, {"silenced": "e"}, {"languages": ["en"]}, {"texts": [["a"], [1]]}]
)
def test_a_changed_header_is_not_loaded(fallback, tmp_path, change):
    fallback.save_pretrained(tmp_path)
    path = tmp_path / "fallback.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtefactError, match="not a complete fallback"):
        Fallback.from_pretrained(tmp_path)


def test_what_cannot_be_silenced_raises(llama, experts, model_of):
    for order in ([], ["de", "de"], "de"):
        with pytest.raises(InterventionError, match="different languages"):
            fallback_languages(llama, experts, order, **OPTIONS)
    with pytest.raises(ArtefactError, match="these experts"):
        fallback_languages(model_of("qwen3"), experts, ["de"], **OPTIONS)
