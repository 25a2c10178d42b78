"""Which language a text is in, among all that fastText's lid.176 knows, line by line.

An identifier of a closed set gives rubbish some language of the set. This one knows 176, and says "unknown" where its
probability is below 0.3 (the threshold of the Language Confusion benchmark, Marchisio et al. 2024).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from tl_experts.corpus.identify import identify
from tl_experts.corpus.languages import language_code
from tl_experts.errors import TLExpertsError

UNKNOWN = "unknown"
CONFIDENT = 0.3
"""A line's language is unknown if its probability is not above this."""


@dataclass(frozen=True)
class Line:
    """A line of a text."""

    text: str

    language: str
    """A language code without script or region, or ``"unknown"``."""

    confidence: float
    """The probability of the likeliest language, between 0 and 1."""


def identify_lines(text: str) -> tuple[Line, ...]:
    r"""The language of every line that has a letter or digit.

    Examples:
        >>> [line.language for line in identify_lines("Das ist ein kurzer Satz.\n\nAnd this is another one.")]
        ['de', 'en']
    """
    lines = [line.strip() for line in text.splitlines()]
    return tuple(_line(line) for line in lines if any(character.isalnum() for character in line))


def text_language(text: str) -> str:
    """The language of most of a text: the one whose lines have the most characters; ``"unknown"`` if there is none.

    Examples:
        >>> text_language("Las ventanas de la casa vieja miran al puerto.")
        'es'
        >>> text_language("? ? ? ?")
        'unknown'
    """
    characters: Counter[str] = Counter()
    for line in identify_lines(text):
        characters[line.language] += len(line.text)
    return max(characters, key=lambda code: characters[code]) if characters else UNKNOWN


def in_language(texts: Sequence[str], language: str) -> Bool[np.ndarray, " text"]:
    """Which texts are in a language; script and region are not compared."""
    code = base_code(language)
    return np.array([text_language(text) == code for text in texts], dtype=bool)


def base_code(language: str) -> str:
    """The code as the identifier gives it: without script or region.

    Raises:
        TLExpertsError: not a language code.
    """
    if not isinstance(language, str):
        raise TLExpertsError(f"language is {language!r}; expected a code, such as 'es'")
    return language_code(language).split("-")[0]


def _line(text: str) -> Line:
    code, confidence = identify(text)
    return Line(text, code if confidence > CONFIDENT else UNKNOWN, confidence)
