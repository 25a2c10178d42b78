"""Objects that hold sentences: data sets, frames, mappings, lists of rows or pairs, generators.

Objects are recognised by their methods, so that neither pandas, polars nor `datasets` has to be imported.
"""

import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from tl_experts.corpus.cells import Column, aligned, labelled, separate
from tl_experts.corpus.decoding import lines
from tl_experts.corpus.features import arrow_rows, names_of_classes
from tl_experts.corpus.options import Options
from tl_experts.corpus.records import Record, Table, read_table
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import CorpusError, require_choice

Source = Any
Reader = Callable[[Source, Options], Corpus | None]


def read_object(source: object, options: Options) -> Corpus | None:
    """The corpus of an object, by the first reader that knows it; None: none does."""
    return next((found for read in READERS if (found := read(source, options)) is not None), None)


def require_no_split(options: Options, name: str) -> None:
    """Refuse a split of what has none.

    Raises:
        CorpusError: a split was asked for.
    """
    if options.split is not None:
        raise CorpusError(f"{name}: split {options.split!r} was asked for, but there are no splits; leave split= out")


def _dataset(source: Source, options: Options) -> Corpus | None:
    """`datasets`: a data set or a dictionary of splits, streaming or not, in any format."""
    split_chosen = False
    if hasattr(source, "keys") and hasattr(source, "column_names"):
        require_choice(options.split, list(source.keys()), "split", CorpusError)
        source, split_chosen = source[options.split], True
    if not (isinstance(source, Iterable) and hasattr(source, "features") and hasattr(source, "with_format")):
        return None
    name = str(getattr(getattr(source, "info", None), "dataset_name", None) or "dataset")
    rows = names_of_classes(source.with_format(None), source.features)
    return read_table(Table(name, rows, split_chosen), options)


def _frame(source: Source, options: Options) -> Corpus | None:
    """A frame of pandas or polars (lazy too), or a table of Arrow."""
    if hasattr(source, "collect") and hasattr(source, "collect_schema"):
        source = source.collect()
    if hasattr(source, "to_dicts") and hasattr(source, "columns"):
        rows = source.to_dicts()
    elif hasattr(source, "to_pylist") and hasattr(source, "column_names"):
        rows = arrow_rows(source)
    elif hasattr(source, "to_dict") and hasattr(source, "columns"):
        rows = source.to_dict("records")
    else:
        return None
    return read_table(Table("frame", rows), options)


def _mapping(source: Source, options: Options) -> Corpus | None:
    """A mapping of language to its sentences, or to the text file that holds them, one a line."""
    if not isinstance(source, Mapping):
        return None
    require_no_split(options, "sentences by language")
    if source and all(isinstance(value, str | Path) for value in source.values()):
        files = {str(label): Path(value).expanduser() for label, value in source.items()}
        return read_texts("text files", files, options)
    columns = [_column(str(label), value, options) for label, value in source.items()]
    return from_columns("sentences by language", columns, options)


def _column(label: str, value: object, options: Options) -> Column:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise CorpusError(
            f"{label!r} is given {reprlib.repr(value)} ({type(value).__name__}); "
            "expected sentences (a list, a series, a generator); or give the path of a text file for every language"
        )
    return Column(label, list(islice(value, options.limit)), repr(label), "sentence")


def from_columns(name: str, columns: list[Column], options: Options) -> Corpus:
    """The corpus of one column per language."""
    read = separate(name, columns, options) if not options.aligned else aligned(name, columns, None, options)
    return read.corpus


def read_texts(name: str, files: Mapping[str, Path], options: Options) -> Corpus:
    """The corpus of one text file per language, one sentence a line."""
    return from_columns(name, text_columns(files, options), options)


def text_columns(files: Mapping[str, Path], options: Options) -> list[Column]:
    """The lines of text files. Blank lines at the end of all of them are not sentences."""
    found = {label: lines(path) for label, path in files.items()}
    filled = {
        label: max((n for n, line in enumerate(some, 1) if line.strip()), default=0) for label, some in found.items()
    }
    # Where lines are aligned, a blank at the end of one file has a sentence beside it in another.
    ends = dict.fromkeys(filled, max(filled.values(), default=0)) if options.aligned else filled
    return [
        Column(label, some[: ends[label]][: options.limit], str(files[label]), "line") for label, some in found.items()
    ]


def _series(source: Source, options: Options) -> Corpus | None:
    """A series of pandas: its index holds the languages."""
    if not (hasattr(source, "items") and hasattr(source, "index") and hasattr(source, "to_frame")):
        return None
    return _pairs(iter(source.items()), options)


def _rows(source: Source, options: Options) -> Corpus | None:
    """A list or generator of rows (mappings) or of (language, text) pairs."""
    if isinstance(source, str | bytes | Mapping) or not isinstance(source, Iterable):
        return None
    items = iter(source)
    first = next(items, None)
    if first is None:
        raise CorpusError(f"{type(source).__name__}: no rows; expected one sentence (or one aligned row) each")
    if isinstance(first, Mapping):
        return read_table(Table("rows", _mappings(chain([first], items))), options)
    if isinstance(first, list | tuple) and len(first) == 2:
        return _pairs(chain([first], items), options)
    return None


def _mappings(items: Iterable[object]) -> Iterator[Record]:
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise CorpusError(f"row {index} is {reprlib.repr(item)}; expected a mapping, as the rows before")
        yield item


def _pairs(items: Iterable[object], options: Options) -> Corpus:
    require_no_split(options, "pairs")
    labels: list[object] = []
    texts: list[object] = []
    for index, item in enumerate(items):
        if options.limit is not None and index >= options.limit:
            break
        if not isinstance(item, list | tuple) or len(item) != 2:
            raise CorpusError(f"item {index} is {reprlib.repr(item)}; expected a pair (language, text)")
        labels.append(item[0])
        texts.append(item[1])
    return labelled("pairs", labels, texts, None, options).corpus


READERS: list[Reader] = [_dataset, _frame, _series, _mapping, _rows]
"""What reads an object; the first that does not return None has read it. A reader of one's own can be put first."""
