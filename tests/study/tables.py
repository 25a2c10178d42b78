"""Rows of a study's tables."""

from dataclasses import replace

import pandas as pd


def row(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    assert len(table) == 1, (wanted, len(table))
    return table.iloc[0]


def assert_same(one, other):
    assert list(one) == list(other)
    for name in other:
        pd.testing.assert_frame_equal(one[name], other[name], rtol=1e-4, atol=1e-5)


def with_tables(result, **tables):
    return replace(result, tables=result.tables | tables)
