"""Checked sentences from columns of cells: only text passes, and a blank is refused or counted, never shifted."""

import reprlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tl_experts.corpus.languages import language_code, require_distinct
from tl_experts.corpus.options import Options
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import CorpusError, TLExpertsWarning, near


@dataclass(frozen=True)
class Column:
    """The cells of one language, as the source has them."""

    label: str
    """The language, as the source writes it."""

    cells: Sequence[object]
    source: str
    """Names the file or table in messages."""

    unit: str = "row"
    """What a cell is called there: a row (counted from 0) or a line (counted from 1)."""

    def at(self, index: int) -> str:
        """Where a cell is, for messages."""
        return f"{self.source}: {self.unit} {index + (self.unit == 'line')}"


@dataclass(frozen=True)
class Rows:
    """A corpus with the index, in its source, of the row that each sentence is from."""

    corpus: Corpus
    indices: tuple[int, ...]


def warn(message: str) -> None:
    """Warn of what works, but perhaps not as intended."""
    warnings.warn(message, TLExpertsWarning, stacklevel=3)


def is_null(value: object) -> bool:
    """Whether a cell holds nothing: None, NaN, or what pandas has for them."""
    return (
        value is None or (isinstance(value, float) and value != value) or type(value).__name__ in ("NAType", "NaTType")
    )


def is_blank(value: object) -> bool:
    """Whether a cell holds nothing or white space alone."""
    return is_null(value) or (isinstance(value, str) and not value.strip())


def require_text(value: object, where: str) -> str:
    """Text as it is; anything else is an error.

    Raises:
        CorpusError: naming what was found and where.
    """
    if not isinstance(value, str):
        raise CorpusError(f"{where} holds {reprlib.repr(value)} ({type(value).__name__}); expected text, a sentence")
    return value


def require_found(wanted: Sequence[str] | None, found: Iterable[str], name: str) -> None:
    """Refuse a language that is asked for and not in the source.

    Raises:
        CorpusError: naming it and those that are.
    """
    there = tuple(dict.fromkeys(found))
    if wanted is not None and not wanted:
        raise CorpusError(f"{name}: no language was asked for; {near('', there)}")
    for code in wanted or ():
        if code not in there:
            raise CorpusError(f"{name}: language {code!r} has no sentence; {near(code, there)}")


def aligned(name: str, columns: Sequence[Column], ids: Sequence[str] | None, options: Options) -> Rows:
    """The sentences of columns whose n-th cells are translations of each other.

    Args:
        name: of the corpus.
        columns: one per language.
        ids: of the rows; None: their numbers.
        options: of the reader.

    Raises:
        CorpusError: columns of unequal length, two columns of one language, a blank that is not to be dropped, or a
            cell that is not text.
    """
    codes = require_distinct((column.label for column in columns), name)
    require_found(options.wanted, codes.values(), name)
    kept = [column for column in columns if options.wants(codes[column.label])]
    lengths = {column.label: len(column.cells) for column in kept}
    if len(set(lengths.values())) > 1:
        raise CorpusError(f"{name}: rows of unequal length {lengths}; aligned text needs one sentence per row")
    count = min(lengths.values(), default=0)
    blank = {index: [c.label for c in kept if is_blank(c.cells[index])] for index in range(count)}
    blank = {index: labels for index, labels in blank.items() if labels}
    _refuse_or_count(blank, count, kept, options)
    rows = [index for index in range(count) if index not in blank]
    texts = [require_text(c.cells[i], f"{c.at(i)}, {c.label!r}") for c in kept for i in rows]
    names = [ids[i] if ids is not None else str(i) for i in rows]
    corpus = Corpus(tuple(texts), tuple(codes[c.label] for c in kept for _ in rows), tuple(names * len(kept)), name)
    return Rows(corpus, tuple(rows * len(kept)))


def separate(name: str, columns: Sequence[Column], options: Options) -> Rows:
    """The sentences of columns that are not aligned.

    Raises:
        CorpusError: as for `aligned`; columns may differ in length.
    """
    codes = require_distinct((column.label for column in columns), name)
    require_found(options.wanted, codes.values(), name)
    kept = [column for column in columns if options.wants(codes[column.label])]
    texts: list[str] = []
    labels: list[str] = []
    indices: list[int] = []
    for column in kept:
        blank = {index: [column.label] for index, cell in enumerate(column.cells) if is_blank(cell)}
        if len(blank) == len(column.cells):
            raise CorpusError(f"{name}: language {column.label!r} has no sentence; add some or leave it out")
        _refuse_or_count(blank, len(column.cells), [column], options)
        rows = [index for index in range(len(column.cells)) if index not in blank]
        texts += [require_text(column.cells[i], f"{column.at(i)}, {column.label!r}") for i in rows]
        labels += [codes[column.label]] * len(rows)
        indices += rows
    return Rows(Corpus(tuple(texts), tuple(labels), (), name), tuple(indices))


def labelled(
    name: str, labels: Sequence[object], texts: Sequence[object], ids: Sequence[str | None] | None, options: Options
) -> Rows:
    """The sentences of a long table: one label and one text per row.

    Raises:
        CorpusError: a blank that is not to be dropped, or a cell that is not text.
    """
    known = [label for label in labels if isinstance(label, str) and label.strip() and _known(label, options)]
    codes = require_distinct(known, name)
    require_found(options.wanted, codes.values(), name)
    kept, blank = [], {}
    for index, (label, text) in enumerate(zip(labels, texts, strict=True)):
        if is_blank(label):
            blank[index] = ["its language"]
            continue
        code = codes.get(require_text(label, f"{name}: row {index}, as the language,"))
        if code is None or not options.wants(code):
            continue
        if is_blank(text):
            blank[index] = [f"its text ({code})"]
        else:
            require_text(text, f"{name}: row {index}, as the text,")
            kept.append(index)
    _refuse_or_count(blank, len(labels), [Column("", (), name)], options)
    return Rows(
        Corpus(
            tuple(str(texts[i]) for i in kept),
            tuple(codes[str(labels[i])] for i in kept),
            tuple(ids[i] for i in kept) if ids else (),
            name,
        ),
        tuple(kept),
    )


def _known(label: str, options: Options) -> bool:
    """Whether a label is to be read: any, but with languages asked for also labels of other kinds may be there."""
    try:
        language_code(label)
    except CorpusError:
        if options.wanted is None:
            raise
        return False
    return True


def _refuse_or_count(blank: dict[int, list[str]], count: int, columns: Sequence[Column], options: Options) -> None:
    if not blank:
        return
    index, labels = next(iter(blank.items()))
    first = f"{columns[0].at(index)} is empty in {', '.join(labels)}"
    if options.blanks == "refuse":
        raise CorpusError(
            f"{first}; fill it in, leave those languages out with languages=[...], or drop all such rows "
            f"(here {len(blank)} of {count}) with blanks='drop'"
        )
    warn(f"{columns[0].source}: dropped {len(blank)} of {count} {columns[0].unit}s with a blank; the first: {first}")
