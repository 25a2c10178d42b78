"""Tables as CSV and Parquet files."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tl_experts.jobs.tables import write_frame, write_parquet, write_table


def test_a_table_is_csv_with_a_header(tmp_path: Path) -> None:
    rows = [["日本語", 'say "hi", please'], ["two\nlines", ""], [1.5, None]]
    path = write_table(tmp_path / "deep" / "table.csv", ["a", "b"], iter(rows))
    with path.open(encoding="utf-8", newline="") as stream:
        read = list(csv.reader(stream))
    assert read == [["a", "b"], ["日本語", 'say "hi", please'], ["two\nlines", ""], ["1.5", ""]]


def test_a_frame_is_written_as_parquet_and_as_csv_without_its_index(tmp_path: Path) -> None:
    frame = pd.DataFrame({"language": ["ja", "de"], "top1": [0.25, 1.0]}, index=[7, 9])
    parquet, text = write_frame(tmp_path / "tables" / "gains", frame)
    assert (parquet.name, text.name) == ("gains.parquet", "gains.csv")
    for found in (pd.read_parquet(parquet), pd.read_csv(text)):
        pd.testing.assert_frame_equal(found, frame.reset_index(drop=True))


def test_a_matrix_is_a_column_of_lists_of_one_length(tmp_path: Path) -> None:
    matrix = np.arange(6, dtype=np.float32).reshape(3, 2)
    path = write_parquet(tmp_path / "new" / "v.parquet", {"text": ("a", "日本語", None), "vector": matrix})
    table = pq.read_table(path)
    assert table["vector"].type == pa.list_(pa.float32(), 2)
    assert table.to_pydict() == {"text": ["a", "日本語", None], "vector": matrix.tolist()}
    assert [file.name for file in path.parent.iterdir()] == ["v.parquet"]
