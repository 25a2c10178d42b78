"""Measures of texts worked by hand, and what is written and measured in one call."""

from dataclasses import replace

import numpy as np
import pytest

from tl_experts import Decoding, continue_prompts, find_experts, measure_texts, measure_writing, steer
from tl_experts.errors import TLExpertsError
from tl_experts.steering.writing.fluency import text_perplexities
from tl_experts.steering.writing.measures import TextMeasures

QUIET = {"progress": False}


def measures(inside, perplexities, bigrams, compressions, *, prompts=None, natural=None) -> TextMeasures:
    count = len(inside)
    columns = [np.array(column, dtype=float) for column in (perplexities, bigrams, compressions)]
    before = tuple(prompts or [""] * count)
    return TextMeasures("es", ("texto",) * count, before, np.array(inside, dtype=bool), *columns, natural)


NATURAL = measures([1, 1, 1], [10, 12, 30], [1.0, 0.9, 1.1], [0.8, 0.7, 0.9])
"""Median perplexity 12, means 1.0 and 0.8."""


def test_the_reductions_are_share_median_and_means():
    found = measures([1, 0, 1, 0], [8, 2, np.nan, 5], [0.5, 1.0, np.nan, 0.9], [0.4, 0.6, np.nan, 0.8])
    assert found.share.value == 0.5
    assert found.perplexity.value == 5
    assert found.distinct.value == pytest.approx(0.8)
    assert found.compression.value == pytest.approx(0.6)
    assert found.share.low < 0.5 < found.share.high
    assert found.perplexity.low == 2
    assert found.perplexity.high == 8


def test_quality_and_score_by_hand():
    found = measures([1, 1, 0, 1], [12, 48, 24, np.nan], [0.45, 1, 2, np.nan], [0.9, 0.36, 0.72, np.nan])
    found = replace(found, natural=NATURAL)
    # Perplexity up to 24, bigrams from 0.9, compression from 0.72 on: no loss. An empty text has no quality.
    np.testing.assert_allclose(found.quality, [0.5, 0.5 * 0.5, 1.0, 0.0])
    share, quality = 0.75, 1.75 / 4
    assert found.score.value == pytest.approx(2 * share * quality / (share + quality))
    assert measures([0], [12], [1], [1], natural=NATURAL).score.value == 0


@pytest.mark.parametrize(
    ("perplexity", "bigrams", "compression", "expected"),
    [
        (24, 0.9, 0.72, True),
        (24.1, 0.9, 0.72, False),
        (24, 0.89, 0.72, False),
        (24, 0.9, 0.71, False),
        (4, 0.1, 0.2, False),  # repeats itself, at a low perplexity
        (np.nan, np.nan, np.nan, False),
    ],
)
def test_a_text_that_only_repeats_does_not_read_well(perplexity, bigrams, compression, expected):
    assert measures([1], [perplexity], [bigrams], [compression], natural=NATURAL).reads_well is expected


def test_texts_of_one_prompt_are_resampled_together():
    inside = [1, 1, 1, 1, 0, 0, 0, 0]
    apart = measures(inside, [1] * 8, [1] * 8, [1] * 8).share
    together = measures(inside, [1] * 8, [1] * 8, [1] * 8, prompts=["a"] * 4 + ["b"] * 4).share
    assert (together.low, together.high) == (0, 1)
    assert 0 < apart.low < apart.high < 1


def test_texts_are_measured_by_their_modules(llama):
    texts = ["La ventana está abierta desde ayer.", "The window is open."]
    found = measure_texts(llama, texts, "es", prompts=["Die Katze", "猫は"], **QUIET)
    assert found.in_language.tolist() == [True, False]
    expected = text_perplexities(llama, texts, prompts=["Die Katze", "猫は"], **QUIET)
    np.testing.assert_array_equal(found.perplexities, expected)
    assert "2 texts, 50% in es" in str(found)
    row = found.to_dict()
    assert row["line_pass_rate"] == 1  # the second has four tokens
    assert "score" not in row
    assert found.to_pandas()["text"].tolist() == texts
    beside = measure_texts(llama, texts, "es", natural=found, **QUIET).to_dict()
    assert {"score", "reads_well", "natural_perplexity"} <= set(beside)


def test_writing_is_steered_and_its_perplexity_is_not(llama, corpus):
    prompts, decoding = ["Die Katze", "Every window"], Decoding(max_new_tokens=6)
    experts = find_experts(llama, corpus, k=20, progress=False)["ja"]
    found = measure_writing(llama, prompts, "ja", steering=experts, texts=2, decoding=decoding, **QUIET)
    with steer(llama, experts):
        written = continue_prompts(llama, prompts, texts=2, decoding=decoding, **QUIET)
    assert list(found.texts) == written[0] + written[1]
    assert list(found.prompts) == ["Die Katze"] * 2 + ["Every window"] * 2
    expected = text_perplexities(llama, found.texts, prompts=found.prompts, **QUIET)
    np.testing.assert_array_equal(found.perplexities, expected)


def test_texts_of_one_question_are_resampled_together_and_read_without_it(llama, monkeypatch):
    template = "{{ bos_token }}{% for m in messages %}Q: {{ m.content }} A:{% endfor %}"
    monkeypatch.setattr(llama.tokenizer, "chat_template", template, raising=False)
    found = measure_writing(llama, ["Brot?", "Milch?"], "de", texts=2, decoding=Decoding(4, chat=True), **QUIET)
    assert found.prompts == ("Brot?", "Brot?", "Milch?", "Milch?")
    np.testing.assert_array_equal(found.perplexities, text_perplexities(llama, found.texts, **QUIET))


def test_what_cannot_be_measured_raises_an_error(llama, unchecked):
    with pytest.raises(TLExpertsError, match="give a list"):
        measure_texts(llama, "a text", "es", **QUIET)
    with pytest.raises(TLExpertsError, match="give a list"):
        measure_texts(llama, [], "es", **QUIET)
    with pytest.raises(TLExpertsError, match="should be in es, these in de"):
        measure_texts(llama, ["a"], "de", natural=NATURAL, **QUIET)
    for name in ("score", "quality", "reads_well"):
        with pytest.raises(TLExpertsError, match="no natural texts"):
            getattr(NATURAL, name)
