"""Read a `Corpus` from whatever it lies in: the bundled text, files, folders, `datasets` objects and hub names.

Two layouts of a table are understood. *Wide*: one column per language, each row aligned over them (columns whose
name is no language code are ignored, `row` or `row_id` gives the row's name). *Long*: one row per sentence,
with a text column and a language column, and, for aligned text, a row column.
"""

import csv
import io
import json
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from tl_experts.corpus.bundled import data_folder
from tl_experts.corpus.languages import language_code, names_language
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import CorpusError, near, require_choice

Record = Mapping[str, Any]
SUFFIXES = (".jsonl", ".csv", ".tsv", ".parquet")
_ROW_COLUMNS = ("row", "row_id")


def load_sentences(
    source: object = "bundled",
    *,
    split: str | None = None,
    languages: Sequence[str] | None = None,
    text_column: str = "text",
    language_column: str = "language",
    row_column: str | None = None,
    aligned: bool = False,
    limit: int | None = None,
    config: str | None = None,
    min_languages: int = 2,
) -> Corpus:
    """Load labelled sentences.

    Args:
        source: ``"bundled"`` (aligned text in nine languages, splits ``dev`` and ``test``); a ``.jsonl``, ``.csv``,
            ``.tsv`` or ``.parquet`` file; a folder of ``XX.txt`` (one sentence a line), a mapping of language code
            to such a text file; a `datasets` object (`Dataset`, `DatasetDict`, streaming too), or the name of a
            data set on the hub, which is streamed.
        split: which split to keep: of the bundled text, of a `DatasetDict` or hub data set, or by the values of
            a table's ``split`` column (then sentences shared between splits are refused).
        languages: keep only these, in this order.
        text_column: for long tables.
        language_column: for long tables.
        row_column: the column of row ids; by default ``row`` or ``row_id``, and in a long table ``id`` too
            (in a wide one ``id`` is Indonesian).
        aligned: for text files: the n-th lines of all files are translations of each other.
        limit: read at most this many rows (of a table or stream) or lines (of each text file).
        config: the hub data set's configuration.
        min_languages: how many languages there must be; experts need two, a single language is fine for embedding.

    Returns:
        A frozen `Corpus`.

    Raises:
        CorpusError: nothing there, an unknown column or split, invalid UTF-8, an empty sentence, unequal rows,
            a sentence in two splits, or fewer than `min_languages` languages.

    Examples:
        >>> load_sentences("bundled", split="dev", languages=["en", "eng_Latn", "ja"]).languages
        ('en', 'ja')
    """
    if limit is not None and limit < 1:
        raise CorpusError(f"limit is {limit}; expected at least 1, or None for all")
    if isinstance(source, Mapping) and not hasattr(source, "column_names"):
        _require_no_split(split, "text files")
        wrong = next((key for key, value in source.items() if not isinstance(value, str | Path)), None)
        if wrong is not None:
            raise CorpusError(
                f"{wrong!r} is given a {type(source[wrong]).__name__}; expected the path of a text file. "
                "For sentences at hand use Corpus.from_texts"
            )
        corpus = _read_texts({str(k): Path(v) for k, v in source.items()}, aligned, limit, "text files")
    elif isinstance(source, str | Path) and str(source) == "bundled":
        corpus = _read_bundled(split, limit)
    elif isinstance(source, str | Path) and Path(source).is_dir():
        _require_no_split(split, str(source))
        corpus = _read_folder(Path(source), aligned, limit)
    else:
        records, name, chosen = _records(source, split, config, limit)
        corpus = _from_records(records, name, split, text_column, language_column, row_column, chosen=chosen)
    if languages is not None:
        corpus = corpus.only(languages)
    if len(corpus.languages) < min_languages:
        found = "one language" if len(corpus.languages) == 1 else f"{len(corpus.languages)} languages"
        raise CorpusError(
            f"{corpus.name} has {found} only ({', '.join(corpus.languages)}), expected at least {min_languages}; "
            "experts are found against other languages. For a single language say min_languages=1"
        )
    return corpus


def _read_bundled(split: str | None, limit: int | None) -> Corpus:
    if split is None:
        raise CorpusError("the bundled corpus has the splits 'dev' (find experts) and 'test' (measure): choose one")
    require_choice(split, ("dev", "test"), "split", CorpusError)
    path = data_folder() / "corpus" / f"{split}.jsonl"
    return _from_records(islice(read_jsonl(path), limit), f"bundled/{split}", None, "text", "language", None)


def _require_no_split(split: str | None, name: str) -> None:
    if split is not None:
        raise CorpusError(f"{name}: split {split!r} was asked for, but text files have no splits; leave split= out")


def _read_folder(folder: Path, aligned: bool, limit: int | None) -> Corpus:
    files = {path.stem: path for path in sorted(folder.glob("*.txt")) if names_language(path.stem)}
    if not files:
        raise CorpusError(
            f"{folder} holds no file named like a language ('en.txt', 'deu_Latn.txt'); one each is expected"
        )
    return _read_texts(files, aligned, limit, str(folder))


def _read_texts(files: Mapping[str, Path], aligned: bool, limit: int | None, name: str) -> Corpus:
    texts: dict[str, list[str]] = {}
    for code, path in files.items():
        rows = [line.rstrip("\r") for line in decode(path).split("\n")]
        # Only the newline that ends the file is no sentence; an empty line inside would shift aligned rows.
        while rows and not rows[-1].strip():
            rows.pop()
        rows = rows[:limit]
        empty = next((number for number, row in enumerate(rows, 1) if not row.strip()), None)
        if empty:
            raise CorpusError(f"{files[code]}: line {empty} is empty; every line must hold a sentence")
        texts[code] = rows
    return Corpus.from_texts(texts, aligned=aligned, name=name)


def _records(
    source: object, split: str | None, config: str | None, limit: int | None
) -> tuple[Iterable[Record], str, bool]:
    """The rows of a table or data set, its name, and whether the split is chosen already."""
    chosen = False
    if isinstance(source, str | Path):
        path = Path(source)
        if path.suffix in SUFFIXES:
            return islice(_read_table(path), limit), str(path), False
        if path.exists() or path.suffix == ".txt":
            raise CorpusError(
                f"{path}: cannot tell what this is; expected one of {', '.join(SUFFIXES)}, a folder of XX.txt, "
                "or {'en': 'path/to/en.txt', ...} for text files"
            )
        hub = str(source)
        return islice(_guarded(_from_hub(hub, split, config), hub), limit), hub, True
    if hasattr(source, "keys") and hasattr(source, "column_names"):  # a DatasetDict or IterableDatasetDict
        require_choice(split, list(source.keys()), "split", CorpusError)
        source = source[split]  # type: ignore[index]
        chosen = True
    if isinstance(source, Iterable) and hasattr(source, "features"):
        name = str(getattr(getattr(source, "info", None), "dataset_name", None) or "dataset")
        return islice(source, limit), name, chosen
    raise CorpusError(
        f"cannot read sentences from {type(source).__name__} {reprlib.repr(source)}; expected 'bundled', a file, "
        "a folder, a mapping of language to text file, a datasets.Dataset or a hub name"
    )


def _guarded(stream: Any, name: str) -> Iterable[Record]:
    try:
        yield from stream
    except Exception as error:  # as many types as in opening it
        raise CorpusError(f"{name}: the stream from the data hub broke off: {error}. Try again") from error


def _from_hub(name: str, split: str | None, config: str | None) -> object:
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise CorpusError(
            f"{name!r} does not exist; give 'bundled', an existing file or folder, or a hub name 'owner/name'"
        )
    if split is None:
        raise CorpusError(f"{name}: say which split of the data set to read (split='dev', for example)")
    from datasets import load_dataset

    try:
        return load_dataset(name, config, split=split, streaming=True)
    except Exception as error:  # the hub client raises a dozen unrelated types
        raise CorpusError(
            f"{name!r} is no file or folder here, and could not be opened on the data hub: {error}. "
            "Check the name, the network and, for a gated set, your access; or download it and give the file"
        ) from error


def _from_records(
    records: Iterable[Record],
    name: str,
    split: str | None,
    text: str,
    language: str,
    row: str | None,
    *,
    chosen: bool = False,
) -> Corpus:
    table: list[Record] = [{str(key): _cell(value) for key, value in record.items()} for record in records]
    if not table:
        raise CorpusError(f"{name}: no rows; expected one sentence (or one aligned row) each")
    columns = list(dict.fromkeys(column for record in table for column in record))
    for asked, default in ((text, "text"), (language, "language"), (row, None)):
        if asked != default and asked not in columns:
            raise CorpusError(f"{name}: unknown column {asked!r}; {near(asked, columns)}")
    build = _long if text in columns and language in columns else _wide
    candidates = (*_ROW_COLUMNS, "id") if build is _long else _ROW_COLUMNS
    row = row or next((column for column in candidates if column in columns), None)
    whole = build(table, name, columns, text, language, row)
    if split is None or chosen:
        return whole
    if "split" not in columns:
        raise CorpusError(f"{name}: split {split!r} was asked for, but there is no column 'split'; leave split= out")
    return _keep_split(whole, table, name, split, per_row=build is _wide)


def _cell(value: object) -> object:
    if isinstance(value, float) and value != value:  # the hole of pandas
        return None
    return value


def _long(table: list[Record], name: str, columns: list[str], text: str, language: str, row: str | None) -> Corpus:
    del columns
    for number, record in enumerate(table):
        if record.get(text) is None or record.get(language) is None:
            raise CorpusError(f"{name}: row {number} has no {text!r} or no {language!r}: {dict(record)!r}")
        if isinstance(record[text], list | dict):
            raise CorpusError(f"{name}: row {number} has {record[text]!r} as {text!r}; expected a sentence")
    return Corpus(
        texts=tuple(str(record[text]) for record in table),
        labels=tuple(str(record[language]) for record in table),
        rows=tuple(str(record[row]) if row and record.get(row) is not None else None for record in table),
        name=name,
    )


def _wide(table: list[Record], name: str, columns: list[str], text: str, language: str, row: str | None) -> Corpus:
    codes = [column for column in columns if column != row and names_language(column)]
    if not codes:
        raise CorpusError(
            f"{name}: columns {columns} hold neither {text!r} and {language!r} nor language codes; "
            "name the columns with text_column= and language_column="
        )
    for number, record in enumerate(table):
        missing = [code for code in codes if not str(record.get(code) or "").strip()]
        if missing:
            raise CorpusError(
                f"{name}: row {number} is empty in {', '.join(missing)}; aligned rows need every language "
                "(keep some of them with languages=[...] only after filling or dropping the row)"
            )
        if row and record.get(row) is None:
            raise CorpusError(f"{name}: row {number} has no {row!r}: {dict(record)!r}; give every row its id, or none")
    ids = [str(record[row]) if row else str(number) for number, record in enumerate(table)]
    return Corpus(
        texts=tuple(str(record[code]) for code in codes for record in table),
        labels=tuple(language_code(code) for code in codes for _ in table),
        rows=tuple(ids * len(codes)),
        name=name,
    )


def _keep_split(whole: Corpus, table: list[Record], name: str, split: str, *, per_row: bool) -> Corpus:
    values = [str(record.get("split")) for record in table]
    require_choice(split, sorted(set(values)), f"{name}: split", CorpusError)
    marks = values * (len(whole) // len(values)) if per_row else values
    parts = {
        value: replace(whole.take(i for i, mark in enumerate(marks) if mark == value), name=f"{name}, split {value!r}")
        for value in dict.fromkeys(values)
    }
    for value, part in parts.items():
        if value != split:
            parts[split].require_disjoint(part)
    return parts[split]


def _read_table(path: Path) -> Iterable[Record]:
    if not path.is_file():
        raise CorpusError(f"{path} does not exist; give an existing file")
    if path.suffix == ".jsonl":
        return read_jsonl(path)
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        else:
            delimiter = "\t" if path.suffix == ".tsv" else ","
            _check_shape(decode(path), delimiter, path)
            # dtype and na_filter: the text "NA" or "1.0" in a cell is a sentence, not a number or a hole.
            frame = pd.read_csv(path, sep=delimiter, dtype=str, na_filter=False)
        # Inside, too: text of a damaged parquet file is decoded only here.
        return [{str(key): value for key, value in record.items()} for record in frame.to_dict("records")]
    except CorpusError:
        raise
    except Exception as error:  # pandas and pyarrow raise many types for a damaged file
        raise CorpusError(f"{path} cannot be read as {path.suffix[1:]}: {error}") from error


def _check_shape(content: str, delimiter: str, path: Path) -> None:
    """Refuse what pandas would shift or rename without a word."""
    rows = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    columns = next(rows, [])
    twice = next((column for column, count in Counter(columns).items() if count > 1), None)
    if twice:
        raise CorpusError(f"{path} has the column {twice!r} twice; rename or remove one")
    for number, row in enumerate(rows):
        if len(row) > len(columns):
            raise CorpusError(f"{path}: row {number} has {len(row)} cells for {len(columns)} columns; quote or mend it")


def read_jsonl(path: Path) -> Iterable[Record]:
    """The objects of a JSON-lines file; blank lines are passed over."""
    for number, line in enumerate(decode(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{path}: line {number} is not JSON ({error}): {line[:80]!r}") from error
        if not isinstance(record, dict):
            raise CorpusError(f"{path}: line {number} is a {type(record).__name__}; expected an object {{...}}")
        yield record


def decode(path: Path) -> str:
    """The text of a UTF-8 file."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}; "
            "convert it (iconv -t UTF-8)"
        ) from error
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}; give an existing file") from error
