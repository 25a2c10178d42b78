"""Options are frozen and checked when they are made."""

import dataclasses

import pytest

from tl_experts import Columns
from tl_experts.corpus.options import Options
from tl_experts.errors import CorpusError


def test_columns_that_differ_from_the_defaults_must_be_in_the_table() -> None:
    assert Columns().named == ()
    assert Columns(row=False).named == ()
    assert Columns("sentence", "lang", "number", "part").named == ("sentence", "lang", "number", "part")


@pytest.mark.parametrize("wrong", [{"text": ""}, {"language": None}, {"row": True}, {"split": 3}])
def test_a_column_is_named_by_text(wrong: dict[str, object]) -> None:
    with pytest.raises(CorpusError, match="expected the name of a column"):
        Columns(**wrong)


def test_options_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options().blanks = "drop"  # type: ignore[misc]


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 2.5}, {"quoted": "no"}, {"blanks": "keep"}, {"columns": 3}])
def test_an_option_out_of_range_raises(wrong: dict[str, object]) -> None:
    with pytest.raises(CorpusError, match=str(next(iter(wrong)))):
        Options(**wrong)


def test_without_languages_every_one_is_wanted() -> None:
    assert Options().wants("de")
    assert Options(wanted=("en",)).wants("en")
    assert not Options(wanted=("en",)).wants("de")
