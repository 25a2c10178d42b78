"""Tables as CSV and Parquet files."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_experts.jobs.files import written
from tl_experts.jobs.paths import user_path

if TYPE_CHECKING:
    import pandas as pd


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write a CSV file (UTF-8, with a header).

    Raises:
        ArtefactError: the file cannot be written.
    """
    target = user_path(path)
    with written(target) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)
    return target


def write_frame(path: str | Path, frame: "pd.DataFrame") -> list[Path]:
    """Write a table twice, as ``.parquet`` and ``.csv``.

    Args:
        path: without suffix.
        frame: the table; its index is not written.

    Returns:
        Both paths.

    Raises:
        ArtefactError: a file cannot be written.
    """
    target = user_path(path)
    parquet, text = target.with_name(f"{target.name}.parquet"), target.with_name(f"{target.name}.csv")
    with written(parquet) as parquet_file, written(text) as text_file:
        frame.to_parquet(parquet_file, index=False)
        frame.to_csv(text_file, index=False)
    return [parquet, text]
