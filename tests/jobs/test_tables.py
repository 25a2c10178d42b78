"""Tables as CSV and Parquet files."""

import csv
from pathlib import Path

import pandas as pd

from tl_experts.jobs.tables import write_frame, write_table


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
