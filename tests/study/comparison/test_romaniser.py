"""Cyrillic text in Latin letters: only the letters change; a missing package is named with its extra."""

import sys

import pytest

from tl_experts.errors import StudyError
from tl_experts.study.comparison import romaniser
from tl_experts.study.comparison.romaniser import can_romanise, cyrillic, romanise


@pytest.fixture(autouse=True)
def installed():
    pytest.importorskip("anyascii", reason="the extra `romanise` is not installed")


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        ("Юрий, откройте меню.", "Yuriy, otkroyte menyu."),
        ("Київ", "Kiiv"),
        ("«да» — 5 €, 中文, é", "«da» — 5 €, 中文, é"),
        ("Save the file.", "Save the file."),
        ("", ""),
    ],
)
def test_only_cyrillic_letters_are_rewritten(text, latin):
    assert romanise(text) == latin


def test_languages_are_told_by_their_script():
    assert cyrillic(("es", "ru", "uk", "sr", "sr-Latn", "ja")) == ("ru", "uk", "sr")
    assert cyrillic(("es",)) == ()


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    assert can_romanise()
    monkeypatch.setattr(romaniser, "PACKAGE", "a_package_that_is_not_installed")
    assert not can_romanise()
    monkeypatch.setitem(sys.modules, "anyascii", None)
    with pytest.raises(StudyError, match=r"pip install 'tl-experts\[romanise\]'"):
        romanise("да")
