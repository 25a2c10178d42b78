"""Words and signs of a text, without a tokenizer for each language."""

import re

# Scripts without spaces: each character counts. Kana, Han, Thai, Lao, Khmer, Burmese.
_SPACELESS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U0003134f"
_UNIT = re.compile(rf"[{_SPACELESS}]|[^\W{_SPACELESS}]+|[^\w\s]")
_WORD = re.compile(r"[^\W\d_]+")


def units(text: str) -> list[str]:
    """Words, single characters of scripts that are written without spaces, and signs.

    Examples:
        >>> units("Well, 猫は sleep.")
        ['Well', ',', '猫', 'は', 'sleep', '.']
    """
    return _UNIT.findall(text)


def words(text: str) -> list[str]:
    """Runs of letters.

    Examples:
        >>> words("It's 5 o'clock")
        ['It', 's', 'o', 'clock']
    """
    return _WORD.findall(text)
