"""Line and word pass rate of the Language Confusion benchmark (Marchisio et al. 2024, arXiv 2406.20052, section 3).

As in its published code (for-ai/language-confusion), but for two things. Tokens of Chinese and Japanese are counted as
two characters each, not by a tokenizer. And the list of English words is that of the bundled corpus unless another is
given: theirs is a whole dictionary.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from tl_experts.corpus.bundled import data_folder
from tl_experts.steering.writing.language import base_code, identify_lines
from tl_experts.steering.writing.words import words

WORD_LANGUAGES = ("ar", "hi", "ja", "ko", "ru", "zh")
"""Those that have a word pass rate: they are not written in Latin script."""

_FEWEST = 5
"""Lines of fewer tokens are left out."""

_LETTERS = 4
"""Shorter words are not looked up."""

_PUNCTUATION = re.compile(r"[^\w\s]")


@dataclass(frozen=True)
class PassRates:
    """Shares of texts; None where no text can be judged."""

    lines: float | None
    """LPR: among the texts with a line of five tokens or more, the share whose lines all are in the language."""

    words: float | None
    """WPR: among the texts that pass by line, the share without an English word; None in other languages than those of
    `WORD_LANGUAGES`."""

    right_lines: float | None
    """The mean over texts of the share of lines in the language."""


def pass_rates(texts: Sequence[str], language: str, *, english_words: Collection[str] | None = None) -> PassRates:
    r"""The pass rates of texts that should be in a language.

    Args:
        texts: any.
        language: its code.
        english_words: in lower case; None: the 4,000 or so of the bundled corpus.

    Examples:
        >>> german, mixed = "Das Fenster steht seit gestern offen.", "Das Fenster\nIt has been open since yesterday."
        >>> pass_rates([german, mixed], "de").lines
        0.5
    """
    code = base_code(language)
    shares = [share for text in texts if (share := _right_share(text, code)) is not None]
    lines = right = rate = None
    if shares:
        lines = sum(share == 1 for share in shares) / len(shares)
        right = sum(shares) / len(shares)
    passed = [text for text in texts if _right_share(text, code) == 1]
    if passed and code in WORD_LANGUAGES:
        known = _bundled_words() if english_words is None else english_words
        rate = sum(not _has_word(text, known) for text in passed) / len(passed)
    return PassRates(lines, rate, right)


def _right_share(text: str, code: str) -> float | None:
    """The share of a text's lines that are in the language; None if it has no line that counts."""
    lines = [line for line in _PUNCTUATION.sub("", text).splitlines() if _tokens(line, code) >= _FEWEST]
    found = [line for text in lines for line in identify_lines(text)]
    if not found:
        return None
    return sum(line.language == code for line in found) / len(found)


def _tokens(line: str, code: str) -> int:
    if code in ("zh", "ja"):
        return len("".join(line.split())) // 2
    return len(line.split())


def _has_word(text: str, known: Collection[str]) -> bool:
    return any(len(word) >= _LETTERS and word.islower() and word in known for word in words(text))


@cache
def _bundled_words() -> frozenset[str]:
    """The English words of the bundled corpus that are written in lower case."""
    folder = data_folder() / "corpus"
    texts = [(folder / "text" / "en.txt").read_text("utf-8")]
    for name in ("dev", "test", "prompts"):
        rows = (folder / f"{name}.jsonl").read_text("utf-8").splitlines()
        texts += [json.loads(row)["en"] for row in rows]
    return frozenset(word for text in texts for word in words(text) if word.islower() and len(word) >= _LETTERS)
