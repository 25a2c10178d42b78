"""Text in Cyrillic letters, written in Latin ones. It needs the extra ``romanise``."""

from collections.abc import Iterable
from importlib.util import find_spec
from unicodedata import name

from tl_experts.corpus.languages import script_of
from tl_experts.errors import StudyError

PACKAGE = "anyascii"
"""AnyAscii, ISC licence: one character at a time, as passports and road signs do."""

INSTALL = "pip install 'tl-experts[romanise]'"


def can_romanise() -> bool:
    """Whether the package is installed."""
    return find_spec(PACKAGE) is not None


def cyrillic(languages: Iterable[str]) -> tuple[str, ...]:
    """Those of some languages that are written in Cyrillic letters.

    Examples:
        >>> cyrillic(("es", "ru", "sr", "sr-Latn"))
        ('ru', 'sr')
    """
    return tuple(language for language in languages if script_of(language) == "Cyrl")


def romanise(text: str) -> str:
    """The text with every Cyrillic letter in Latin letters; all other characters stay.

    Examples:
        >>> romanise("Юрий: «да», 5 €")  # doctest: +SKIP
        'Yuriy: «da», 5 €'

    Raises:
        StudyError: the package is not installed.
    """
    try:
        from anyascii import anyascii
    except ImportError as error:
        raise StudyError(f"text in Latin letters needs {PACKAGE} ({error}): {INSTALL}") from error
    return "".join(anyascii(letter) if name(letter, "").startswith("CYRILLIC") else letter for letter in text)
