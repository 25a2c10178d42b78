"""Columns of cells: nothing but text passes, and a blank never shifts a row."""

import pytest

from tests.corpus.sources import content
from tests.messages import says
from tl_experts.corpus.cells import Column, aligned, is_blank, labelled, separate
from tl_experts.corpus.options import Options
from tl_experts.errors import CorpusError, TLExpertsWarning

ENGLISH = Column("eng", ["one", None, "three", " "], "a.txt", "line")
SPANISH = Column("es", ["uno", "dos", "tres", "cuatro"], "b.txt", "line")


def test_a_blank_drops_its_row_in_every_language() -> None:
    with pytest.warns(TLExpertsWarning, match=says("a.txt", "dropped 2 of 4 lines", "line 2 is empty in eng")):
        rows = aligned("both", [ENGLISH, SPANISH], None, Options(blanks="drop"))
    assert content(rows.corpus) == [("en", "one", "0"), ("en", "three", "2"), ("es", "uno", "0"), ("es", "tres", "2")]
    assert rows.indices == (0, 2, 0, 2)


def test_a_blank_drops_its_sentence_alone_where_nothing_is_aligned() -> None:
    with pytest.warns(TLExpertsWarning, match="dropped 2 of 4"):
        rows = separate("both", [ENGLISH, SPANISH], Options(blanks="drop"))
    assert rows.corpus.counts == {"en": 2, "es": 4}


def test_a_language_that_is_not_wanted_is_not_checked() -> None:
    assert len(aligned("both", [ENGLISH, SPANISH], None, Options(wanted=("es",))).corpus) == 4


def test_labels_and_texts_are_checked_row_by_row() -> None:
    rows = labelled("long", ["en", "klingonish", "de"], ["a", 5, "b"], None, Options(wanted=("de",)))
    assert content(rows.corpus) == [("de", "b", None)]
    with pytest.raises(CorpusError, match="'klingonish' is not a language code"):
        labelled("long", ["en", "klingonish"], ["a", "b"], None, Options())


@pytest.mark.parametrize("value", [None, float("nan"), "", " \n"])
def test_nothing_is_blank(value: object) -> None:
    assert is_blank(value)


@pytest.mark.parametrize("value", ["a", 0, False, [], b""])
def test_anything_else_is_not_blank(value: object) -> None:
    assert not is_blank(value)
