"""What a reader is asked for, as frozen values."""

from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from tl_experts.errors import CorpusError, require_choice

Blanks = Literal["refuse", "drop"]


@dataclass(frozen=True)
class Columns:
    """The columns of a table that `load_sentences` reads.

    Raises:
        CorpusError: a name is not text.

    Examples:
        >>> from tl_experts import Columns, load_sentences
        >>> rows = [{"sentence": "Good morning.", "lang": "en"}, {"sentence": "Guten Morgen.", "lang": "de"}]
        >>> load_sentences(rows, columns=Columns(text="sentence", language="lang")).languages
        ('en', 'de')
    """

    text: str = "text"
    """Of a long table: the sentences."""

    language: str = "language"
    """Of a long table: their languages."""

    row: str | bool | None = None
    """The row ids: sentences of one row are translations of each other. None: ``row`` or ``row_id``, where the table
    has one of them. False: no alignment. An ``id`` is often the id of a document, so it is used only if named here."""

    split: str = "split"
    """The split of each row, read if a split is asked for."""

    def __post_init__(self) -> None:
        """Check the names."""
        for item in fields(self):
            value = getattr(self, item.name)
            optional = item.name == "row" and (value is None or value is False)
            if not optional and not (isinstance(value, str) and value):
                raise CorpusError(f"Columns({item.name}={value!r}): expected the name of a column")

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that were named, so that each must be in the table."""
        given = ((self.text, "text"), (self.language, "language"), (self.row, None), (self.split, "split"))
        return tuple(str(value) for value, default in given if value != default and value is not False)


@dataclass(frozen=True)
class Options:
    """The options of `load_sentences`, checked."""

    split: str | None = None
    wanted: tuple[str, ...] | None = None
    """The codes of the languages to keep; None: all."""

    columns: Columns = field(default_factory=Columns)
    aligned: bool = False
    blanks: Blanks = "refuse"
    quoted: bool | None = None
    limit: int | None = None
    config: str | None = None

    def __post_init__(self) -> None:
        """Check what has few values."""
        if not isinstance(self.columns, Columns):
            raise CorpusError(f"columns is {self.columns!r}; expected Columns(text=..., language=..., row=...)")
        require_choice(self.blanks, get_args(Blanks), "blanks", CorpusError)
        if self.quoted not in (None, True, False):
            raise CorpusError(f"quoted is {self.quoted!r}; expected True, False or None (by the kind of file)")
        if self.limit is not None and (not isinstance(self.limit, int) or self.limit < 1):
            raise CorpusError(f"limit is {self.limit!r}; expected at least 1, or None for all")

    def wants(self, code: str) -> bool:
        """Whether sentences of this language are kept."""
        return self.wanted is None or code in self.wanted
