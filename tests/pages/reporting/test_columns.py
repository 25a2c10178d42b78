"""Headings in words, and values as they are read: percent, points, small p, layers as integers."""

import numpy as np
import pytest

from tl_experts.pages.reporting.columns import COLUMNS, SPECIAL, TITLES, column_of, title_of, written


@pytest.mark.parametrize(
    ("table", "name", "value", "expected"),
    [
        ("gains", "pre", 0.10333, "10.3"),
        ("gains", "gain", -0.0125, "-1.2"),
        ("gains", "gain", np.float64(0.1), "+10.0"),
        ("gains", "p", 0.0009, "< 0.001"),
        ("gains", "p", 0.001, "0.001"),
        ("gains", "p_holm", float("nan"), ""),
        ("gains", "condition", "pre", "before"),
        ("table1", "pre", 0.795, "0.795"),
        ("table1", "measure", "all_pairs", "all pairs of languages"),
        ("correlations", "low", -0.5, "-0.500"),
        ("correlations", "of", "acc_pre~d_pre", "accuracy before, distance before"),
        ("experts", "layer_median", 10.0, "10"),
        ("experts", "layer_q1", 10.25, "10.2"),
        ("experts", "k", np.int64(500), "500"),
        ("sweep", "perplexity", 1234.56, "1234.6"),
        ("sweep", "pareto", np.True_, "yes"),
        ("layers", "layer", "last", "last"),
        ("layers", "chosen", False, "no"),
        ("choice", "why", None, ""),
        ("another", "new_thing", 3, "3.000"),
        ("another", "new_thing", "text", "text"),
    ],
)
def test_values_are_written_for_readers(table, name, value, expected):
    assert written(value, column_of(table, name), name) == expected


def test_an_interval_has_the_unit_of_its_value():
    assert column_of("gains", "low").unit == "points"
    assert column_of("baselines", "low").unit == "%"
    assert column_of("correlations", "low").unit == ""
    assert (
        column_of("silencing_summary", "control_contrast_low").unit == column_of("silencing_summary", "contrast").unit
    )


def test_the_papers_values_have_the_unit_of_ours():
    assert column_of("gain_spread", "paper median").unit == "points"
    assert column_of("table1", "paper pre").unit == ""
    assert column_of("paraphrases", "paper").unit == "%"


def test_headings_are_words_with_an_explanation():
    for column in (*COLUMNS.values(), *SPECIAL.values()):
        assert "_" not in column.heading
        assert column.meaning.endswith(".")
    for name, title in TITLES.items():
        assert "_" not in title
        assert title_of(name) == title
    assert title_of("new_table") == "New table"
