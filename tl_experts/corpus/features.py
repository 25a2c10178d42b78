"""What `datasets` knows of its columns beyond their cells: the names of classes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Record = Mapping[str, Any]


def names_of_classes(rows: Iterable[Record], features: Mapping[str, Any] | None) -> Iterator[Record]:
    """The rows, with the names of classes instead of their numbers; -1 is a row without a class."""
    classes = {column: feature.names for column, feature in (features or {}).items() if hasattr(feature, "names")}
    for row in rows:
        yield {column: _name(value, classes[column]) if column in classes else value for column, value in row.items()}


def _name(value: object, names: list[str]) -> object:
    if not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None


def arrow_rows(table: Any) -> list[Record]:
    """The rows of a `pyarrow.Table`, with the classes that `datasets` notes in its schema."""
    features: Any = {}
    if b"huggingface" in (table.schema.metadata or {}):
        from datasets import Features

        features = Features.from_arrow_schema(table.schema)
    # pandas stores its index as a column of this name.
    kept = [name for name in table.column_names if not name.startswith("__index_level_")]
    return list(names_of_classes(table.select(kept).to_pylist(), features))
