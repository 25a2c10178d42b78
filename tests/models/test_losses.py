"""Losses of texts are Hugging Face's, whatever the batches and the padding, and padding and BOS never count."""

import numpy as np
import pytest
import torch

from tl_experts import Batching
from tl_experts.errors import ModelError
from tl_experts.models.losses import loss_batches, text_losses

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def wanted(model_of, hugging_face, corpus):
    """Each sentence alone through Hugging Face's model: nats and tokens."""
    found = []
    for text in corpus.texts:
        ids = model_of("llama").tokenizer(text, add_special_tokens=False)["input_ids"]
        tokens = torch.tensor([[0, *ids]])
        with torch.inference_mode():
            found.append((float(hugging_face("llama")(tokens, labels=tokens).loss) * len(ids), len(ids)))
    return np.array(found).T


@pytest.mark.parametrize("batching", [None, Batching(token_budget=1), Batching(padding_side="left")], ids=str)
def test_losses_are_hugging_faces(llama, corpus, wanted, batching):
    found = text_losses(llama, corpus.texts, loss_batches(llama, corpus.texts, batching), **QUIET)
    np.testing.assert_array_equal(found.tokens, wanted[1])
    np.testing.assert_allclose(found.nats, wanted[0], rtol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_without_bos_the_first_token_is_not_predicted(model_of, hugging_face, corpus, side):
    model, texts = model_of("llama"), corpus.texts[:5]
    batching = Batching(prepend_bos=False, padding_side=side)
    found = text_losses(model, texts, loss_batches(model, texts, batching), **QUIET)
    for text, nats, count in zip(texts, found.nats, found.tokens, strict=True):
        tokens = torch.tensor([model.tokenizer(text, add_special_tokens=False)["input_ids"]])
        with torch.inference_mode():
            loss = float(hugging_face("llama")(tokens, labels=tokens).loss)
        assert count == tokens.shape[1] - 1
        assert nats == pytest.approx(loss * count, rel=1e-5)


def test_a_repeated_text_is_run_once_and_has_the_same_loss(llama, corpus):
    texts = [corpus.texts[0], corpus.texts[1], corpus.texts[0]]
    batches = loss_batches(llama, texts)
    assert sum(len(batch.indices) for batch in batches) == 2
    found = text_losses(llama, texts, batches, **QUIET)
    assert found.nats[0] == found.nats[2] > 0
    assert found.tokens[0] == found.tokens[2] > 0


def test_the_budget_shrinks_with_the_vocabulary(llama, corpus, monkeypatch):
    monkeypatch.setattr("tl_experts.models.losses.LOGITS", 20 * llama.cfg.d_vocab)
    assert max(batch.tokens.numel() for batch in loss_batches(llama, corpus.texts) if len(batch.tokens) > 1) <= 20


def test_a_text_without_a_token_to_predict_raises(llama):
    with pytest.raises(ModelError, match=r"sentence 1 \('a'\) has no token to predict"):
        loss_batches(llama, ["The cat sleeps.", "a"], Batching(prepend_bos=False))
