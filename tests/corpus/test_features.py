"""Classes are read by name, and the index of pandas is not a column."""

import datasets
import pandas as pd
import pyarrow as pa

from tl_experts.corpus.features import arrow_rows, names_of_classes


def test_numbers_become_names_and_none_where_there_is_no_class() -> None:
    features = {"label": datasets.ClassLabel(names=["en", "de"])}
    rows = [{"label": 1, "n": 1}, {"label": -1, "n": 0}, {"label": None, "n": 7}]
    assert list(names_of_classes(rows, features)) == [
        {"label": "de", "n": 1},
        {"label": None, "n": 0},
        {"label": None, "n": 7},
    ]
    assert list(names_of_classes(rows, None)) == rows


def test_the_index_of_pandas_is_left_out() -> None:
    table = pa.Table.from_pandas(pd.DataFrame({"en": ["a", "b"]}, index=["x", "y"]))
    assert arrow_rows(table) == [{"en": "a"}, {"en": "b"}]
