"""Overlap of scorings: the Jaccard index of their sets, by hand."""

import numpy as np
import pytest

from tests.experts.by_hand import experts_of
from tl_experts.errors import SelectionError
from tl_experts.experts import scoring_overlap

FOUND = {
    "one": experts_of({"en": [(1, 0), (4, 0)], "es": [(7, 1)]}),
    "two": experts_of({"es": [(7, 1), (7, 2)], "en": [(4, 0), (4, 1), (7, 0)]}),
    "three": experts_of({"en": [(4, 0), (1, 0)], "es": [(1, 1)]}),
}


def test_each_language_has_a_table_of_scorings():
    tables = scoring_overlap(FOUND)
    assert list(tables) == ["en", "es"]
    assert list(tables["en"].index) == list(tables["en"].columns) == ["one", "two", "three"]
    np.testing.assert_array_equal(tables["en"], [[1, 1 / 4, 1], [1 / 4, 1, 1 / 4], [1, 1 / 4, 1]])
    np.testing.assert_array_equal(tables["es"], [[1, 1 / 2, 0], [1 / 2, 1, 0], [0, 0, 1]])


def test_two_empty_sets_overlap_by_nothing():
    empty = FOUND["one"] - FOUND["one"]
    assert scoring_overlap({"a": empty, "b": FOUND["one"]})["en"].to_numpy().tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "found is {}; expected experts by scoring"),
        ([FOUND["one"]], "expected experts by scoring"),
        ({"one": {(1, 0)}}, "one: expected Experts, got set"),
        ({"one": FOUND["one"], "two": FOUND["two"]["es"]}, "two has experts of es; expected en, es"),
    ],
    ids=["nothing", "list", "set", "languages"],
)
def test_anything_else_raises_an_error(found, message):
    with pytest.raises(SelectionError, match=message):
        scoring_overlap(found)
    assert len(scoring_overlap({"one": FOUND["one"]})["en"]) == 1
