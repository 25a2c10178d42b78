"""Files that hold a table: suffix -> what reads its rows."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tl_experts.corpus.cells import warn
from tl_experts.corpus.decoding import decode, plain_name, read_bytes, suffix
from tl_experts.corpus.features import arrow_rows
from tl_experts.corpus.known import TEXT_COLUMNS
from tl_experts.corpus.languages import names_language
from tl_experts.corpus.options import Options
from tl_experts.errors import CorpusError

Record = Mapping[str, Any]
Format = Callable[[Path, Options], Iterable[Record]]


def is_table(path: Path) -> bool:
    """Whether the name is that of a table in a format that can be read."""
    return suffix(path) in FORMATS


def read_file(path: Path, options: Options) -> Iterable[Record]:
    """The rows of a file. A file of one language (``xquad.es.json``) labels its rows by its name.

    Raises:
        CorpusError: no such file, or a damaged one.
    """
    if not path.is_file():
        raise CorpusError(f"{path} does not exist; give an existing file")
    label = language_of(path)
    rows = FORMATS[suffix(path)](path, options)
    if label is None:
        return rows
    return _labelled(rows, label, options)


def language_of(path: Path) -> str | None:
    """The language that the name of a file ends in, if it does.

    Examples:
        >>> [language_of(Path(name)) for name in ("eng_Latn.jsonl.gz", "xquad.es.json", "en_pud-ud-test.conllu")]
        ['eng_Latn', 'es', 'en']
    """
    name = Path(plain_name(path))
    stem = name.stem.split("_")[0] if suffix(path) == ".conllu" else name.stem.rsplit(".", 1)[-1]
    return stem if names_language(stem) else None


def _labelled(rows: Iterable[Record], label: str, options: Options) -> Iterable[Record]:
    """Rows with the language of their file, where they hold one text and no language of their own."""
    texts = {options.columns.text, *TEXT_COLUMNS}
    for row in rows:
        own = options.columns.language in row or "iso_639_3" in row or texts.isdisjoint(row)
        yield row if own else {**row, options.columns.language: label}


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


def _read_json(path: Path) -> Iterable[Record]:
    """A list of objects, an object of columns, XQuAD's paragraphs, or JSON lines under the name of JSON."""
    try:
        document = json.loads(decode(path))
    except RecursionError as error:
        raise CorpusError(f"{path} is nested too deeply to be a table; expected a list of objects") from error
    except ValueError as error:
        if "Extra data" in str(error):  # one object a line
            return read_jsonl(path)
        raise CorpusError(f"{path} cannot be read as json: {error}") from error
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        document = document["data"]
    if isinstance(document, dict) and document and all(isinstance(cells, list) for cells in document.values()):
        return _rows_of_columns(document, path)
    if not isinstance(document, list) or not all(isinstance(record, dict) for record in document):
        raise CorpusError(
            f"{path} is not a table; expected a list of objects [{{...}}, ...] or an object of columns of equal length"
        )
    if document and all("paragraphs" in article for article in document):
        return _paragraphs(document, path)
    return document


def _rows_of_columns(columns: dict[str, list[Any]], path: Path) -> list[Record]:
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        raise CorpusError(f"{path}: columns of unequal length {lengths}; give every row all of its cells")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _paragraphs(articles: list[dict[str, Any]], path: Path) -> list[Record]:
    """XQuAD: the paragraphs, in the same order in every language."""
    try:
        return [
            {"text": paragraph["context"], "row": f"{number}.{index}"}
            for number, article in enumerate(articles)
            for index, paragraph in enumerate(article["paragraphs"])
        ]
    except (TypeError, KeyError) as error:
        raise CorpusError(f"{path}: expected SQuAD's data, paragraphs, context ({error!r})") from error


def _read_delimited(path: Path, options: Options) -> Iterable[Record]:
    """CSV or TSV; every cell stays the text it is, so that "NA" or "1.0" are sentences."""
    content = decode(path)
    is_tsv = suffix(path) == ".tsv"
    quoted = options.quoted if options.quoted is not None else not is_tsv
    rows = (
        _unquoted(content, "\t" if is_tsv else ",") if not quoted else _quoted(content, "\t" if is_tsv else ",", path)
    )
    if not rows:
        raise CorpusError(f"{path} cannot be read as {suffix(path)[1:]}: it is empty")
    header, *body = rows
    _require_one_shape(header, body, path, quoted=quoted)
    if options.quoted is None and is_tsv:
        _require_unquoted(header, body, path)
    # A row that is cut short has no cell there, which is a blank.
    return [dict(zip(header, row, strict=False)) for row in body]


def _unquoted(content: str, delimiter: str) -> list[list[str]]:
    """Lines are rows: a quotation mark is text, as in the TSV of corpora."""
    lines = [line.removesuffix("\r") for line in content.split("\n")]
    return [line.split(delimiter) for line in lines if line]


def _quoted(content: str, delimiter: str, path: Path) -> list[list[str]]:
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise CorpusError(
            f"{path} cannot be read as {suffix(path)[1:]}: line {reader.line_num}: {error}. "
            "If quotation marks are part of the text, say quoted=False"
        ) from error
    if reader.line_num > len(rows):
        warn(
            f"{path}: {reader.line_num} lines hold {len(rows)} rows, since quoted cells hold line ends or lines are "
            "blank. If quotation marks are part of the text, say quoted=False"
        )
    return rows


def _require_one_shape(header: list[str], body: list[list[str]], path: Path, *, quoted: bool) -> None:
    twice = next((column for column, count in Counter(header).items() if count > 1), None)
    if twice is not None:
        raise CorpusError(f"{path} has the column {twice!r} twice; rename or remove one")
    other = "quoted=False" if quoted else "quoted=True"
    for number, row in enumerate(body):
        if len(row) > len(header):
            raise CorpusError(
                f"{path}: row {number} has {len(row)} cells for {len(header)} columns; "
                f"quote or correct it, or say {other}"
            )


def _require_unquoted(header: list[str], body: list[list[str]], path: Path) -> None:
    """Refuse a TSV that was written with quotation marks around cells: read as text, they would become its words."""
    for number, row in enumerate(body):
        quoted = next((cell for cell in row if _is_quoted(cell)), None)
        # A cell with a line end inside is two lines, the first of which lacks cells.
        if quoted is not None or (len(row) < len(header) and row[-1].startswith('"')):
            raise CorpusError(
                f"{path}: row {number} seems to be quoted ({(quoted or row[-1])[:80]!r}); "
                "say quoted=True, or quoted=False if the quotation marks are part of the text"
            )


def _is_quoted(cell: str) -> bool:
    """Whether a cell is written as CSV writes one with quotation marks in its text: "He said ""yes""."."""
    inner = cell[1:-1]
    return len(cell) > 3 and cell[0] == cell[-1] == '"' and '""' in inner and '"' not in inner.replace('""', "")


def _read_parquet(path: Path) -> Iterable[Record]:
    from pyarrow import BufferReader, parquet

    return arrow_rows(parquet.read_table(BufferReader(read_bytes(path))))


def _read_arrow(path: Path) -> Iterable[Record]:
    """Arrow IPC, as a file or, as `datasets` writes it, as a stream."""
    from pyarrow import ArrowInvalid, BufferReader, ipc

    source = BufferReader(read_bytes(path))
    try:
        table = ipc.open_stream(source).read_all()
    except ArrowInvalid:
        source.seek(0)
        table = ipc.open_file(source).read_all()
    return arrow_rows(table)


def _read_conllu(path: Path) -> Iterable[Record]:
    """Universal Dependencies: the sentences as ``# text`` has them. PUD is parallel, so its ids are kept."""
    parallel = "pud" in path.name.lower()
    record: dict[str, Any] = {}
    for line in decode(path).split("\n"):
        key, _, value = line.removeprefix("#").partition("=")
        if line.startswith("#") and key.strip() == "sent_id" and parallel:
            record["row"] = value.strip()
        elif line.startswith("#") and key.strip() == "text":
            record["text"] = value.strip()
        elif not line.strip() and record:
            yield record
            record = {}
    if record:
        yield record


def _guarded(read: Callable[[Path], Iterable[Record]]) -> Format:
    """A reader whose library raises errors of many types for a damaged file."""

    def guarded(path: Path, options: Options) -> Iterable[Record]:
        del options
        try:
            return list(read(path))
        except CorpusError:
            raise
        except Exception as error:
            raise CorpusError(f"{path} cannot be read as {suffix(path)[1:]}: {error}") from error

    return guarded


FORMATS: dict[str, Format] = {
    ".jsonl": lambda path, _: read_jsonl(path),
    ".ndjson": lambda path, _: read_jsonl(path),
    ".json": lambda path, _: _read_json(path),
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".parquet": _guarded(_read_parquet),
    ".arrow": _guarded(_read_arrow),
    ".conllu": lambda path, _: _read_conllu(path),
}
"""Suffix -> reader of a table's rows. A user's own reader can be added under its suffix."""
