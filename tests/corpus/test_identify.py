"""Sentences whose identified language is not their label."""

import pytest

from tests.conftest import TEXTS
from tl_experts import Corpus, load_sentences
from tl_experts.corpus.identify import identify

LONG_TEXTS = {code: [text for text in texts if len(text) >= 20] for code, texts in TEXTS.items()}


@pytest.mark.parametrize("code", ["en", "de", "ru"])
def test_a_sentence_is_identified(code: str) -> None:
    for text in LONG_TEXTS[code]:
        language, confidence = identify(text)
        assert language == code
        assert 0.5 < confidence <= 1


def test_english_inside_german_is_listed_by_its_index() -> None:
    corpus = Corpus.from_texts({"de": [*LONG_TEXTS["de"], LONG_TEXTS["en"][0]], "ru": LONG_TEXTS["ru"]})
    found = corpus.mislabelled()
    assert found.indices == (len(LONG_TEXTS["de"]),)
    assert found.counts == {("de", "en"): 1}
    (suspect,) = found
    assert (suspect.label, suspect.identified, suspect.text) == ("de", "en", LONG_TEXTS["en"][0])
    assert "1 of" in str(found)
    assert "de as en: 1" in str(found)


def test_the_bundled_text_has_next_to_no_suspects() -> None:
    found = load_sentences("bundled", split="dev", limit=60).mislabelled()
    assert found.checked > 500
    assert len(found) <= 0.01 * found.checked


def test_a_short_sentence_is_not_judged() -> None:
    corpus = Corpus.from_texts({"de": ["Yes, I know."]})
    assert (len(corpus.mislabelled()), corpus.mislabelled().checked) == (0, 0)
    assert corpus.mislabelled(min_characters=1, confidence=0).counts == {("de", "en"): 1}


def test_a_language_that_the_identifier_does_not_know_is_not_judged() -> None:
    corpus = Corpus.from_texts({"ace": ["The cat sleeps on the warm roof."]})
    assert corpus.mislabelled().checked == 0


@pytest.mark.parametrize("label", ["en-GB", "en", "en-x-foo"])
def test_region_and_script_are_not_compared(label: str) -> None:
    assert not len(Corpus.from_texts({label: LONG_TEXTS["en"]}).mislabelled())


def test_relatives_that_are_written_alike_are_not_suspects() -> None:
    croatian = ["Mačka spava na toplom krovu stare kuće pokraj luke."]
    assert not len(Corpus.from_texts({"hr": croatian, "sr-Latn": croatian}).mislabelled())
