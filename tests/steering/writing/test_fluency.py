"""Perplexities of texts after their prompts: by hand, one text at a time."""

import numpy as np
import pytest
import torch

from tl_experts.errors import ModelError, TLExpertsError
from tl_experts.models import losses
from tl_experts.steering.writing.fluency import text_perplexities

PROMPTS = ["Die Katze", "Every window", "", "猫は"]
TEXTS = [" schläft auf dem warmen Dach.", " in the old house", "Bread, milk and two apples", "屋根の上で"]
QUIET = {"progress": False}


def by_hand(model, prompt, text):
    start = model.tokenizer(prompt, add_special_tokens=False)["input_ids"]
    ids = [0, *model.tokenizer(prompt + text, add_special_tokens=False)["input_ids"]]
    assert ids[1 : len(start) + 1] == start
    with torch.inference_mode():
        logs = model(torch.tensor([ids]))[0].double().log_softmax(-1)
    losses = [-float(logs[at - 1, ids[at]]) for at in range(len(start) + 1, len(ids))]
    return np.exp(np.mean(losses))


def test_each_text_is_scored_after_its_prompt(llama):
    found = text_perplexities(llama, TEXTS, prompts=PROMPTS, **QUIET)
    expected = [by_hand(llama, *pair) for pair in zip(PROMPTS, TEXTS, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_batches_do_not_change_it(llama, monkeypatch):
    whole = text_perplexities(llama, TEXTS, prompts=PROMPTS, **QUIET)
    monkeypatch.setattr(losses, "LOGITS", 1)
    np.testing.assert_allclose(text_perplexities(llama, TEXTS, prompts=PROMPTS, **QUIET), whole, rtol=1e-5)


def test_without_prompts_the_whole_text_is_scored(llama):
    np.testing.assert_allclose(text_perplexities(llama, TEXTS[2:3], **QUIET), [by_hand(llama, "", TEXTS[2])], rtol=1e-4)


def test_an_empty_text_has_none(llama):
    found = text_perplexities(llama, ["", " \n", TEXTS[0]], prompts=["Die Katze"] * 3, **QUIET)
    assert np.isnan(found).tolist() == [True, True, False]


def test_a_model_without_bos_cannot_score_the_first_token(model_of, monkeypatch):
    model = model_of("qwen3")
    monkeypatch.setattr(model.cfg, "default_prepend_bos", False)
    ids = model.tokenizer(TEXTS[2], add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logs = model(torch.tensor([ids]))[0].double().log_softmax(-1)
    expected = np.exp(-np.mean([float(logs[at - 1, ids[at]]) for at in range(1, len(ids))]))
    np.testing.assert_allclose(text_perplexities(model, [TEXTS[2]], **QUIET), [expected], rtol=1e-4)


def test_what_cannot_be_scored_raises_an_error(llama):
    with pytest.raises(TLExpertsError, match="2 texts and 1 prompts"):
        text_perplexities(llama, ["a", "b"], prompts=["c"], **QUIET)
    with pytest.raises(ModelError, match="the model reads 511; shorten it"):
        text_perplexities(llama, ["Die Katze " * 300], **QUIET)
