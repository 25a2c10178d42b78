"""The divergence of next-token distributions: by hand, by formula over Hugging Face's logits, in one direction."""

import math
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
import torch

from tl_experts import Batching
from tl_experts.errors import ModelError
from tl_experts.models.divergence import text_divergences, token_divergences
from tl_experts.models.losses import loss_batches


def logits(*probabilities):
    return torch.tensor([[math.log(value) for value in probabilities]])


def test_one_position_by_hand_and_the_direction():
    fair, biased = logits(0.5, 0.5), logits(0.25, 0.75)
    # KL(P || Q) = 0.5 ln(0.5 / 0.25) + 0.5 ln(0.5 / 0.75); the other way round it is another number.
    assert token_divergences(fair, biased).item() == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))
    assert token_divergences(biased, fair).item() == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5))


def test_adding_a_constant_to_all_logits_changes_nothing():
    assert token_divergences(logits(0.2, 0.8), logits(0.2, 0.8) + 7).item() == pytest.approx(0, abs=1e-6)


def test_a_large_vocabulary_has_the_divergence_of_double_precision():
    """PyTorch's log_softmax in single precision is off by more here."""
    before = 3 * torch.randn(4, 262_144, generator=torch.Generator().manual_seed(0))
    p, q = before.double().log_softmax(-1), (0.3 * before.double()).log_softmax(-1)
    found = token_divergences(before, 0.3 * before).double()
    torch.testing.assert_close(found, (p.exp() * (p - q)).sum(-1), rtol=0, atol=1e-5)


@contextmanager
def scaled(model, factor):
    """The model with logits `factor` times as large."""
    handle = model.unembed.register_forward_hook(lambda _module, _args, output: output * factor)
    yield
    handle.remove()


@pytest.mark.parametrize("batching", [None, Batching(token_budget=1), Batching(padding_side="left")], ids=str)
def test_texts_are_summed_over_their_own_tokens_whatever_the_batches(model_of, hugging_face, corpus, batching):
    model, texts = model_of("llama"), [*corpus.texts[:4], corpus.texts[0]]
    found = text_divergences(
        model, texts, [partial(scaled, model, factor) for factor in (1.0, 0.5)], loss_batches(model, texts, batching)
    )
    assert found.nats.shape == (2, 5)
    np.testing.assert_allclose(found.nats[0], 0, atol=1e-6)
    for index, text in enumerate(texts):
        ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            plain = hugging_face("llama")(torch.tensor([[0, *ids]])).logits[0, :-1].double()
        p, q = plain.log_softmax(-1), (0.5 * plain).log_softmax(-1)
        assert found.tokens[index] == len(ids)
        assert found.nats[1, index] == pytest.approx(float((p.exp() * (p - q)).sum()), rel=1e-4)


def test_no_condition_raises(llama):
    with pytest.raises(ModelError, match="no condition"):
        text_divergences(llama, ["The cat sleeps."], [])
