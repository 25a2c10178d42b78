"""Both model classes are recognised, and nothing else is."""

import pytest

from tl_experts.models import lens
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER, class_line, is_bridge, is_model


def test_a_bridge_is_a_model(bridge_of):
    assert is_bridge(bridge_of("llama"))
    assert is_model(bridge_of("llama"))


@pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")
def test_a_hooked_transformer_is_a_model_and_not_a_bridge(model_of):
    assert not is_bridge(model_of("llama"))
    assert is_model(model_of("llama"))


def test_a_hugging_face_model_is_not_a_model_of_this_package(hugging_face):
    assert not is_bridge(hugging_face("llama"))
    assert not is_model(hugging_face("llama"))


def test_the_class_that_models_load_as_is_said_with_the_reason(monkeypatch):
    monkeypatch.setattr(lens, "HAS_HOOKED_TRANSFORMER", True)
    assert "load as HookedTransformer, or as TransformerBridge where" in class_line()
    monkeypatch.setattr(lens, "HAS_HOOKED_TRANSFORMER", False)
    assert "load as TransformerBridge, since" in class_line()
