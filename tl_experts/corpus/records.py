"""From the rows of a table to a `Corpus`.

Two layouts are understood. *Wide*: one column per language, each row aligned over them. *Long*: one row per
sentence, with a text column and a language column and, for aligned text, a column of row ids.
"""

import numbers
import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from tl_experts.corpus.cells import Column, Rows, aligned, is_null, labelled, separate, warn
from tl_experts.corpus.known import adapt
from tl_experts.corpus.languages import code_of_name, is_also_a_word, language_code, names_language
from tl_experts.corpus.options import Options
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import CorpusError, near, require_choice

Record = Mapping[str, Any]
ROW_COLUMNS = ("row", "row_id")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Table:
    """Rows by column name."""

    name: str
    records: Iterable[Record]

    split_chosen: bool = False
    """Whether these are the rows of the split that was asked for."""


def read_table(table: Table, options: Options) -> Corpus:
    """The corpus of a table.

    Raises:
        CorpusError: no rows, an unknown column or split, columns of neither layout, or cells that are not text.
    """
    rows = islice(table.records, options.limit)
    records = [{str(key): value for key, value in record.items()} for record in rows]
    if not records:
        raise CorpusError(f"{table.name}: no rows; expected one sentence (or one aligned row) each")
    records = adapt(records, options.columns, table.name)
    columns = list(dict.fromkeys(column for record in records for column in record))
    for named in options.columns.named:
        if named not in columns:
            raise CorpusError(f"{table.name}: unknown column {named!r}; {near(named, columns)}")
    row = _row_column(columns, options)
    is_long = options.columns.text in columns and options.columns.language in columns
    found = (_long if is_long else _wide)(table.name, records, columns, row, options)
    if options.split is None or table.split_chosen:
        return found.corpus
    return _keep_split(found, records, columns, table.name, options)


def _row_column(columns: list[str], options: Options) -> str | None:
    given = options.columns.row
    if isinstance(given, str):
        return given
    return None if given is False else next((name for name in ROW_COLUMNS if name in columns), None)


def _long(name: str, records: list[dict[str, Any]], columns: list[str], row: str | None, options: Options) -> Rows:
    del columns
    ids = [None if is_null(record.get(row)) else str(record[row]) for record in records] if row else None
    labels = [record.get(options.columns.language) for record in records]
    return labelled(name, labels, [record.get(options.columns.text) for record in records], ids, options)


def _wide(name: str, records: list[dict[str, Any]], columns: list[str], row: str | None, options: Options) -> Rows:
    others = {row, options.columns.split, *ROW_COLUMNS}
    candidates = [column for column in columns if column not in others]
    chosen = [column for column in candidates if _holds_language(column, records, name, options)]
    passed = [column for column in candidates if column not in chosen]
    if not chosen:
        raise CorpusError(
            f"{name}: columns {columns} hold neither {options.columns.text!r} and {options.columns.language!r} nor "
            "text under language codes; name them with columns=Columns(text=..., language=...)"
            f"{_named_in_full(passed)}"
        )
    if passed and options.wanted is None:
        warn(
            f"{name}: not read, as they are not text of a language: columns {', '.join(map(repr, passed))}"
            f"{_named_in_full(passed)}"
        )
    cells = [Column(column, [record.get(column) for record in records], name) for column in chosen]
    if options.columns.row is False:
        return separate(name, cells, options)
    return aligned(name, cells, _ids(name, records, row), options)


def _ids(name: str, records: list[dict[str, Any]], row: str | None) -> list[str] | None:
    if row is None:
        return None
    for index, record in enumerate(records):
        if is_null(record.get(row)):
            raise CorpusError(f"{name}: row {index} has no {row!r}: {reprlib.repr(record)}; give every row its id")
    return [str(record[row]) for record in records]


def _holds_language(column: str, records: list[dict[str, Any]], name: str, options: Options) -> bool:
    """Whether a column is named like a language, or asked for as one, and holds text."""
    if not names_language(column) and not _is_asked_for(column, options):
        return False
    cells = [record[column] for record in records if not is_null(record.get(column))]
    if any(isinstance(cell, str) for cell in cells):
        return not is_also_a_word(column) or not all(isinstance(cell, str) and _is_identifier(cell) for cell in cells)
    nested = next((i for i, r in enumerate(records) if not _is_plain(r.get(column))), None)
    if nested is not None:
        raise CorpusError(
            f"{name}: row {nested}, column {column!r}, holds {reprlib.repr(records[nested][column])}; expected text. "
            "Remove the column if it is not a language"
        )
    return False


def _is_asked_for(column: str, options: Options) -> bool:
    try:
        return options.wanted is not None and language_code(column) in options.wanted
    except CorpusError:
        return False


def _is_plain(value: object) -> bool:
    """Whether a cell holds no text and nothing that may hold text: a number, a date, nothing."""
    return is_null(value) or isinstance(value, numbers.Number) or not isinstance(value, Iterable | bytes)


def _is_identifier(text: str) -> bool:
    """Whether text has no letter, or is a mark such as ``doc-17``: one ASCII word with a digit."""
    mark = text.isascii() and len(text.split()) < 2 and any(character.isdigit() for character in text)
    return mark or not _LETTER.search(text)


def _named_in_full(columns: list[str]) -> str:
    codes = {column: code_of_name(column) for column in columns}
    hints = [f"{column!r} is {code!r}" for column, code in codes.items() if code]
    return f". Rename columns to codes: {', '.join(hints)}" if hints else ""


def _keep_split(found: Rows, records: list[dict[str, Any]], columns: list[str], name: str, options: Options) -> Corpus:
    split, column = str(options.split), options.columns.split
    if column not in columns:
        raise CorpusError(f"{name}: split {split!r} was asked for, but there is no column {column!r}; leave split= out")
    values = [str(record.get(column)) for record in records]
    require_choice(split, sorted(set(values)), f"{name}: split", CorpusError)
    of_sentence = [values[index] for index in found.indices]
    parts = {
        value: replace(
            found.corpus.take(i for i, other in enumerate(of_sentence) if other == value),
            name=f"{name}, split {value!r}",
        )
        for value in dict.fromkeys([split, *of_sentence])
    }
    for value, part in parts.items():
        if value != split:
            parts[split].require_disjoint(part)
    return parts[split]
