"""The effect of an intervention is the change of the loss of each language's first sentences."""

import numpy as np
import pytest

from tl_experts import Steering, steer
from tl_experts.models.losses import text_losses
from tl_experts.pages.inspector.effects import Effects


def losses(model, texts):
    found = text_losses(model, texts, progress=False)
    return found.nats.sum() / found.tokens.sum()


def test_effects_are_changes_of_the_mean_loss(llama, experts, corpus):
    steering = Steering(experts["ja"], strength=0.5)
    found = list(Effects(llama, corpus, sentences=3).measure(steering))
    assert [effect.language for effect in found] == list(corpus.languages)
    for effect in found:
        texts = corpus[effect.language].texts[:3]
        assert effect.before == pytest.approx(losses(llama, texts), rel=1e-5)
        with steer(llama, steering):
            assert effect.after == pytest.approx(losses(llama, texts), rel=1e-5)
    assert max(abs(effect.after - effect.before) for effect in found) > 1e-6


def test_the_model_as_it_is_is_measured_once(llama, experts, corpus, monkeypatch):
    effects = Effects(llama, corpus, sentences=1)
    counted = []
    monkeypatch.setattr(
        "tl_experts.pages.inspector.effects.text_losses",
        lambda *arguments, **options: counted.append(1) or text_losses(*arguments, **options),
    )
    first, second = (list(effects.measure(Steering(experts["ja"], operation="zero"))) for _ in range(2))
    assert first == second
    assert len(counted) == 3 * len(corpus.languages)
    np.testing.assert_array_equal([effect.tokens > 0 for effect in first], True)
