"""Tables as CSV and Parquet files."""

import csv
from collections.abc import Iterable, Mapping, Sequence
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


def write_parquet(path: str | Path, columns: Mapping[str, Any]) -> Path:
    """Write a Parquet file.

    Args:
        path: of the file.
        columns: each a sequence of values, or a matrix, whose rows become lists of one length.

    Raises:
        ArtefactError: the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def column(values: Any) -> Any:
        if getattr(values, "ndim", 1) == 2:
            return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
        return pa.array(values)

    table = pa.table({name: column(values) for name, values in columns.items()})
    target = user_path(path)
    with written(target) as temporary:
        pq.write_table(table, temporary)
    return target
