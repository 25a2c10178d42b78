"""Fluency and repetition of texts, beside the model's own texts in the language; a text that only repeats is found."""

import numpy as np
import pytest

from tl_experts.steering import Decoding, continue_prompts, text_perplexities
from tl_experts.study.written import natural_texts, only_repeats, summary, text_arrays

GOOD = {"distinct": 1.0, "compression": 0.8}


def test_each_text_is_measured_and_summarised(model):
    texts = ["one two one two", "one two three four", ""]
    found = text_arrays(model, texts, progress=False)
    np.testing.assert_array_equal(found["fluency"], text_perplexities(model, texts, progress=False))
    np.testing.assert_allclose(found["distinct"], [2 / 3, 1, np.nan])
    measures = summary(found)
    assert measures["fluency"] == pytest.approx(found["fluency"][:2].mean())  # the median of two
    assert measures["distinct"] == pytest.approx(5 / 6)
    assert measures["compression"] == pytest.approx(found["compression"][:2].mean())


def test_natural_texts_continue_the_first_half_of_sentences_without_leaving_the_context(model):
    sentences = ["alpha beta gamma delta epsilon", "猫は静かに寝ている", "word " * 4 * model.cfg.n_ctx]
    found = natural_texts(model, sentences, seed=2, tokens=5, progress=False)
    prompts = ["alpha beta", "猫は静か"]
    decoding = Decoding(max_new_tokens=5, temperature=1.0, top_p=0.9)
    texts = [text for (text,) in continue_prompts(model, prompts, seed=2, decoding=decoding, progress=False)]
    wanted = text_arrays(model, texts, prompts=prompts, progress=False)
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name][:2], values, rtol=1e-4)


@pytest.mark.parametrize(
    ("measures", "repeats"),
    [
        ({"distinct": 0.9, "compression": 0.73}, False),
        ({"distinct": 0.89, "compression": 0.8}, True),
        ({"distinct": 1.0, "compression": 0.71}, True),
        ({"distinct": np.nan, "compression": np.nan}, True),
    ],
)
def test_texts_below_nine_tenths_of_natural_ones_only_repeat(measures, repeats):
    assert only_repeats(measures, GOOD) is repeats


def test_without_a_measured_natural_text_only_empty_texts_are_left_out():
    unknown = {"distinct": np.nan, "compression": np.nan}
    assert not only_repeats({"distinct": 0.1, "compression": 0.1}, unknown)
    assert only_repeats(unknown, unknown)
