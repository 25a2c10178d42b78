"""Read a `Corpus` from whatever it lies in: the bundled text, files, folders, objects in memory and hub names."""

import os
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tl_experts.corpus.bundled import data_folder
from tl_experts.corpus.cells import require_found
from tl_experts.corpus.decoding import suffix
from tl_experts.corpus.frames import read_object
from tl_experts.corpus.languages import language_code, names_language
from tl_experts.corpus.layouts import read_folder
from tl_experts.corpus.options import Blanks, Columns, Options
from tl_experts.corpus.records import Record, Table, read_table
from tl_experts.corpus.sentences import Corpus
from tl_experts.corpus.tables import FORMATS, is_table, read_file, read_jsonl
from tl_experts.errors import CorpusError, near, require_choice


def load_sentences(
    source: object = "bundled",
    *,
    split: str | None = None,
    languages: Sequence[str] | None = None,
    columns: Columns = Columns(),  # noqa: B008 (frozen)
    aligned: bool = False,
    blanks: Blanks = "refuse",
    quoted: bool | None = None,
    limit: int | None = None,
    config: str | None = None,
    min_languages: int = 2,
) -> Corpus:
    """Load labelled sentences.

    Columns and files that are not named like a language are not read; a `TLExpertsWarning` names them.

    Args:
        source: ``"bundled"`` (aligned text in nine languages, splits ``dev`` and ``test``); a table (JSON, JSON lines,
            CSV, TSV, Parquet, Arrow, CoNLL-U; also as ``.gz``, ``.xz``, ``.bz2``, ``.zst``); a folder in the layout of
            FLORES-200, FLORES+, NTREX-128, Tatoeba (LASER, XTREME), OPUS, Belebele, XQuAD or PUD, or with one text
            file or table per language; a `datasets` object or folder; a frame of pandas or polars; a mapping of
            language to sentences or to a text file; rows, or (language, text) pairs; a function that returns one of
            these; or the name of a data set on the hub, which is streamed.
        split: of the bundled text, a `DatasetDict`, a hub data set or a folder of splits, or a value of a table's
            split column (then sentences shared between splits are refused).
        languages: keep only these, in this order. Other columns and files are not checked.
        columns: the names of a table's columns.
        aligned: the n-th lines (rows, sentences) of all languages are translations of each other. Data sets that are
            parallel by their layout need no such word.
        blanks: ``"refuse"`` empty cells and lines, or ``"drop"`` their rows, in all languages where rows are aligned,
            with a warning that counts them.
        quoted: whether cells of CSV and TSV may stand in quotation marks; None: in CSV, not in TSV.
        limit: read at most this many rows of a table or stream, or lines of each file.
        config: the hub data set's configuration.
        min_languages: how many languages there must be; experts need two, a single language is fine for embedding.

    Returns:
        A frozen `Corpus`.

    Raises:
        CorpusError: nothing there, an unknown column or split, invalid UTF-8, an empty sentence, a cell that is not
            text, unequal rows, two labels of one language, a sentence in two splits, or fewer than `min_languages`.

    Examples:
        >>> load_sentences("bundled", split="dev", languages=["en", "eng_Latn", "ja"]).languages
        ('en', 'ja')
    """
    wanted = None if languages is None else tuple(dict.fromkeys(map(language_code, _listed(languages))))
    options = Options(split, wanted, columns, aligned, blanks, quoted, limit, config)
    corpus = _read(source, options)
    if wanted is not None:
        require_found(wanted, corpus.languages, corpus.name)
        corpus = corpus.only(wanted)
    if len(corpus.languages) < min_languages:
        found = "one language" if len(corpus.languages) == 1 else f"{len(corpus.languages)} languages"
        raise CorpusError(
            f"{corpus.name} has {found} only ({', '.join(corpus.languages)}), expected at least {min_languages}; "
            "experts are found against other languages. For a single language say min_languages=1"
        )
    return corpus


def _listed(languages: Sequence[str]) -> Sequence[str]:
    if isinstance(languages, str):
        raise CorpusError(f"languages is {languages!r}; expected a list of codes, such as ['en', 'de']")
    return languages


def _read(source: object, options: Options) -> Corpus:
    if callable(source) and not isinstance(source, type) and not hasattr(source, "features"):
        source = source()
    if isinstance(source, os.PathLike):
        source = os.fspath(source)
    if isinstance(source, str):
        return _read_bundled(options) if source == "bundled" else _read_path(str(source), options)
    found = read_object(source, options)
    if found is None:
        raise CorpusError(
            f"cannot read sentences from {type(source).__name__} {reprlib.repr(source)}; expected 'bundled', a file, "
            "a folder, a frame, a datasets.Dataset, a mapping of language to sentences, rows, (language, text) pairs, "
            "or a hub name"
        )
    return found


def _read_bundled(options: Options) -> Corpus:
    if options.split is None:
        raise CorpusError("the bundled corpus has the splits 'dev' (find experts) and 'test' (measure): choose one")
    require_choice(options.split, ("dev", "test"), "split", CorpusError)
    path = data_folder() / "corpus" / f"{options.split}.jsonl"
    rows = ({key: text for key, text in row.items() if key == "row" or names_language(key)} for row in read_jsonl(path))
    return read_table(Table(f"bundled/{options.split}", rows, split_chosen=True), options)


def _read_path(name: str, options: Options) -> Corpus:
    path = Path(name).expanduser()
    if path.is_dir():
        return read_folder(path, options)
    if is_table(path):
        return read_table(Table(str(path), read_file(path, options)), options)
    if path.exists() or suffix(path) == ".txt":
        raise CorpusError(
            f"{path}: cannot tell what this is; expected one of {', '.join(FORMATS)}, a folder of XX.txt, "
            "or {'en': 'path/to/en.txt', ...} for text files"
        )
    _require_hub_name(name)
    rows = islice(_guarded(_from_hub(name, options), name), options.limit)
    return read_table(Table(name, rows, split_chosen=True), options)


def _require_hub_name(name: str) -> None:
    """Tell a mistyped path from the name of a data set.

    Raises:
        CorpusError: the name is a path, since its form or its folder says so.
    """
    parent = Path(name).expanduser().parent
    beside = sorted(path.name for path in parent.iterdir()) if parent.is_dir() and name.count("/") else []
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or beside:
        hint = f"; {near(Path(name).name, beside)} lies in {parent}" if beside else ""
        raise CorpusError(
            f"{name!r} does not exist; give 'bundled', an existing file or folder, or a hub name 'owner/name'{hint}"
        )


def _guarded(stream: Any, name: str) -> Iterator[Record]:
    try:
        yield from stream
    except Exception as error:  # as many types as in opening it
        raise CorpusError(f"{name}: the stream from the data hub broke off: {error}. Try again") from error


def _from_hub(name: str, options: Options) -> Iterable[Record]:
    if options.split is None:
        raise CorpusError(f"{name}: say which split of the data set to read (split='dev', for example)")
    from datasets import load_dataset

    from tl_experts.corpus.features import names_of_classes

    try:
        stream = load_dataset(name, options.config, split=options.split, streaming=True)
    except Exception as error:  # the hub client raises a dozen unrelated types
        raise CorpusError(
            f"{name!r} is not a file or folder here, and could not be opened on the data hub: {error}. "
            "Check the name, the network and, for a gated set, your access; or download it and give the file"
        ) from error
    return names_of_classes(stream, getattr(stream, "features", None))
