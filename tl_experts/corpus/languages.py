"""Language codes: every ISO 639 and BCP-47 code, and FLORES codes such as ``eng_Latn``, in one short form.

A code keeps its script only where that is not the usual script of the language (CLDR's likely subtags, as `langcodes`
has them): ``srp_Cyrl`` becomes ``sr``, ``srp_Latn`` becomes ``sr-Latn``.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from tl_experts.errors import CorpusError

if TYPE_CHECKING:
    import langcodes

_FORM = re.compile(
    r"[a-z]{2,3}(-[a-z]{3})?(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?(-[a-z0-9]{4,8})*(-x(-[a-z0-9]{1,8})+)?",
    re.IGNORECASE | re.ASCII,
)

_NAME = re.compile(r"[^\W\d_][\w\s'’().,-]{1,60}")

# Codes that CLDR would replace by a wider language, which has a code of its own in FLORES-200 or Tatoeba. They stay
# apart, so that no two languages of one data set are merged and codes in saved experts stay valid.
_KEPT_APART = {
    **{code: code for code in ("ayr", "dik", "fat", "gaz", "kmr", "knc", "prs", "sh", "tl", "tw")},
    "hbs": "sh",
    "tgl": "tl",
    "twi": "tw",
    "pbt": "ps",
}
# Languages without likely subtags in CLDR, or (crh) with other ones than the data sets have.
_USUAL_SCRIPT = {
    **dict.fromkeys(("acm", "acq", "acw", "ajp", "azb", "prs"), "Arab"),
    **dict.fromkeys(("tzm", "zgh"), "Tfng"),
    "crh": "Latn",
}
# FLORES-200 has these in two scripts, neither of them secondary: the script is part of the code.
_TWO_SCRIPTS = {"ace", "bjn", "knc", "min", "taq"}
_SAME_SCRIPT = {"Hang": "Kore"}

# Three-letter codes of small languages that are usual names of columns, files and splits. They count as languages only
# where they are asked for (`languages=["tag"]`) or given as labels.
_OTHER_NAMES = frozenset(
    """
    abs add age all ans app bin bit box cfg cmd col cor dat day dep dev dim dir doc dst end env err exp ext fig fmt gen
    hit key kit lab len lib log map mat max mis mod mul net num obj old opt out par pos pre ptr ref rel req res rev
    row rst sep seq set sex src std sub sum sys tab tag tgt tmp top tot typ uid und url use usr val var ver vol zxx
    """.split()  # noqa: SIM905 (one code a line else)
)

# Codes that are also ordinary column names: whether the column holds text decides.
_ALSO_WORDS = frozenset("am as be he id in is it my no or run so to".split())  # noqa: SIM905


def language_code(code: str) -> str:
    """Normalise a language code to its BCP-47 short form.

    Examples:
        >>> [language_code(c) for c in ("en", "PT-br", "zh_hant", "jpn_Jpan", "cmn_Hans", "srp_Latn", "arb")]
        ['en', 'pt-BR', 'zh-Hant', 'ja', 'zh', 'sr-Latn', 'ar']

    Raises:
        CorpusError: the value is not a BCP-47 or FLORES code. A language's name ("Spanish") is answered with its code.
    """
    short = _short(code.strip()) if isinstance(code, str) else None
    if short is None:
        named = code_of_name(code)
        raise CorpusError(
            f"{code!r} is not a language code; expected a BCP-47 code such as 'en', 'pt-BR' or 'zh-Hant', "
            f"or a FLORES code such as 'eng_Latn'{f'; did you mean {named!r}?' if named else ''}"
        )
    return short


def script_of(code: str) -> str:
    """The script that a language is written in, as its ISO 15924 code; Latin if CLDR does not know the language.

    Examples:
        >>> [script_of(code) for code in ("en", "ru", "sr-Latn", "srp", "ja", "zh", "azb")]
        ['Latn', 'Cyrl', 'Latn', 'Cyrl', 'Jpan', 'Hans', 'Arab']

    Raises:
        CorpusError: the value is not a language code.
    """
    from langcodes import Language

    language = Language.get(language_code(code))
    usual = _USUAL_SCRIPT.get(str(language.language))
    return language.script or usual or str(language.maximize().script)


def names_language(name: str) -> bool:
    """Whether a column or file of this name holds a language: a registered code that is not a usual name of columns.

    Examples:
        >>> [names_language(c) for c in ("en", "zh-Hant", "deu_Latn", "fil", "url", "text")]
        [True, True, True, True, False, False]
    """
    language = re.split("[-_]", name.lower())[0]
    return _short(name) is not None and language not in _OTHER_NAMES and _is_registered(language)


def is_also_a_word(name: str) -> bool:
    """Whether a code may be an ordinary column name (``id``, ``no``, ``sid``, ``is_id``): what it holds decides."""
    return name.lower() in _ALSO_WORDS or name.lower().endswith("_id") or len(name) == 3


def code_of_name(name: object) -> str | None:
    """The code of a language given by its name in English or in the language itself, if it is one.

    Examples:
        >>> [code_of_name(name) for name in ("Spanish", "Farsi", "Brazilian Portuguese", "Deutsch", "klingonish")]
        ['es', 'fa', 'pt-BR', 'de', None]
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name.strip()):
        return None
    found = _found(name.strip(), "en")
    if found is None or found == _found(name.strip()[:-1], "en"):
        # Not an English name: what the search found is that of a shorter one, to which these letters were added.
        found = _found(name.strip(), "und")
        names = () if found is None else (found.display_name(), found.autonym())
        found = found if name.strip().casefold() in {n.casefold() for n in names} else None
    return None if found is None else language_code(found.to_tag())


def _found(name: str, language: str) -> "langcodes.Language | None":
    """The language that the words of a language (``und``: of any) name; the search ignores letters at the end."""
    import langcodes

    try:
        return langcodes.find(name, language)
    except (LookupError, UnicodeError, SystemError):  # the search tree fails on some keys that it does not have
        return None


def require_distinct(labels: Iterable[str], name: str) -> dict[str, str]:
    """The code of every label.

    Raises:
        CorpusError: a label is not a code, or two labels stand for one language; the message names both.
    """
    codes: dict[str, str] = {}
    first: dict[str, str] = {}
    for label in dict.fromkeys(labels):
        code = language_code(label)
        other = first.setdefault(code, label)
        if other != label:
            raise CorpusError(
                f"{name}: {other!r} and {label!r} are both the language {code!r}; "
                "remove or rename one, so that no two sources are merged unseen"
            )
        codes[label] = code
    return codes


@cache
def _short(text: str) -> str | None:
    """The short form of a well-formed code, or None. Cached: a corpus asks for the same few codes again and again."""
    tag = text.replace("_", "-")
    if not _FORM.fullmatch(tag):
        return None
    from langcodes import Language
    from langcodes.tag_parser import LanguageTagError

    try:
        given = Language.get(tag, normalize=False)
        if given.extlangs:
            given = Language.get(tag)  # zh-yue is written yue
    except LanguageTagError:
        return None
    # An unregistered language passes: the registry lags behind ISO 639-3, and a label may be private.
    rest = Language.make("en", None, given.script, given.territory, given.variants, given.extensions, given.private)
    if given.extlangs or given.language is None or not rest.is_valid():
        return None
    language = _short_language(given.language)
    script = given.script if _keeps_script(language, given.script, given.territory) else None
    return Language.make(
        language, None, script, given.territory, given.variants, given.extensions, given.private
    ).to_tag()


def _short_language(language: str) -> str:
    """The two-letter code, and the wider language where the code is its usual member (``arb`` is ``ar``)."""
    if language in _KEPT_APART:
        return _KEPT_APART[language]
    from langcodes import standardize_tag

    short = standardize_tag(language, macro=True)
    return language if "-" in short else short


def _keeps_script(language: str, script: str | None, territory: str | None) -> bool:
    """Whether the script tells more than language and region do."""
    if script is None or language in _TWO_SCRIPTS:
        return True
    from langcodes import Language

    # With and without the region: zh-Hans-TW keeps its script, since zh-TW alone is read as traditional.
    usual = {
        _USUAL_SCRIPT.get(language) or Language.make(language, territory=region).maximize().script
        for region in (None, territory)
    }
    return usual != {_SAME_SCRIPT.get(script, script)}


@cache
def _is_registered(language: str) -> bool:
    from langcodes import Language

    return bool(Language.get(language).is_valid())
