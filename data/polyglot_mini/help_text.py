"""The training text: LibreOffice's help in nine languages, from Debian's packages, parallel by page and paragraph.

Every Debian mirror has the packages; nothing else is downloaded. The text is licensed under MPL-2.0.
"""

import hashlib
import re
import subprocess
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from tl_experts.errors import TLExpertsError
from tl_experts.jobs.folders import build_folder

PACKAGES = {
    "en": ("libreoffice-help-en-us", "en-US"),
    "de": ("libreoffice-help-de", "de"),
    "fr": ("libreoffice-help-fr", "fr"),
    "es": ("libreoffice-help-es", "es"),
    "it": ("libreoffice-help-it", "it"),
    "pt": ("libreoffice-help-pt-br", "pt-BR"),
    "ru": ("libreoffice-help-ru", "ru"),
    "ja": ("libreoffice-help-ja", "ja"),
    "zh": ("libreoffice-help-zh-cn", "zh-CN"),
}
"""The Debian package of each language and the folder of its pages."""

LANGUAGES = tuple(PACKAGES)
HELP = Path("usr/share/libreoffice/help")
HELD_OUT_SHARE = 0.05
"""Share of the pages that training never sees."""

_SPACE = re.compile(r"\s+")
_PARAGRAPH = re.compile(r"(par|hd)_")
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of the help, in English and in the languages that have a translation."""

    page: str
    """Path of the page below a language's folder."""

    name: str
    """Id of the paragraph in the page."""

    text: dict[str, str]
    """Language to text."""


class _PageParser(HTMLParser):
    """Collects the text of elements with a paragraph's id, except program code."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, str] = {}
        self._name: str | None = None
        self._depth = 0
        self._pieces: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._name is not None:
            self._depth += tag not in _VOID
            return
        named = dict(attrs)
        name = named.get("id") or ""
        if _PARAGRAPH.match(name) and tag != "pre" and "code" not in (named.get("class") or ""):
            self._name, self._depth, self._pieces = name, 1, []

    def handle_endtag(self, tag: str) -> None:
        if self._name is None or tag in _VOID:
            return
        self._depth -= 1
        if self._depth == 0:
            self.found.setdefault(self._name, _SPACE.sub(" ", "".join(self._pieces)).strip())
            self._name = None

    def handle_data(self, data: str) -> None:
        if self._name is not None:
            self._pieces.append(data)


def fetch(folder: Path) -> dict[str, str]:
    """Download the packages with apt-get and unpack them, without installing anything.

    Args:
        folder: receives the packages and their files; an existing folder is left as it is.

    Returns:
        The SHA-256 of each package file, for the model card.

    Raises:
        TLExpertsError: apt-get or dpkg-deb failed or is missing.
    """

    def build(aside: Path) -> None:
        _call(["apt-get", "download", "-q", *(package for package, _ in PACKAGES.values())], aside)
        for package in sorted(aside.glob("*.deb")):
            _call(["dpkg-deb", "-x", package.name, "root"], aside)

    if not folder.is_dir():
        build_folder(folder, build)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.deb"))}


def _call(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 (our own arguments)
    except FileNotFoundError as error:
        raise TLExpertsError(f"{command[0]} is not installed; run this on Debian or Ubuntu") from error
    except subprocess.CalledProcessError as error:
        raise TLExpertsError(
            f"{' '.join(command[:2])} failed: {error.stderr.strip()[-300:]}; run apt-get update, or check whether the "
            "disk is full"
        ) from error


def page_paragraphs(html: str) -> dict[str, str]:
    r"""The text of each paragraph by its id, in the order of the page.

    >>> page_paragraphs('<h1 id="hd_id1">Cells</h1><p id="par_id2" class="paragraph">Merge <b>two</b>\n cells.</p>')
    {'hd_id1': 'Cells', 'par_id2': 'Merge two cells.'}
    """
    parser = _PageParser()
    parser.feed(html)
    parser.close()
    return {name: text for name, text in parser.found.items() if text}


def read_paragraphs(folder: Path) -> list[Paragraph]:
    """Every paragraph with at least one translation, once, in the order of the English pages.

    A text equal to the English one counts as untranslated and is dropped, which also drops names and formulas.
    """
    with ProcessPoolExecutor() as pool:
        pages = dict(zip(LANGUAGES, pool.map(_read_pages, [folder] * len(LANGUAGES), LANGUAGES), strict=True))
    paragraphs, seen = [], set()
    for page, english in pages["en"].items():
        for name, source in english.items():
            others = {language: pages[language].get(page, {}).get(name, source) for language in LANGUAGES}
            text = {"en": source} | {language: other for language, other in others.items() if other != source}
            if len(text) > 1 and source not in seen:
                seen.add(source)
                paragraphs.append(Paragraph(page, name, text))
    if not paragraphs:
        raise TLExpertsError(f"{folder} has no help pages under {HELP}; remove the folder to fetch the packages again")
    return paragraphs


def _read_pages(folder: Path, language: str) -> dict[str, dict[str, str]]:
    top = folder / "root" / HELP / PACKAGES[language][1] / "text"
    return {
        str(path.relative_to(top)): page_paragraphs(path.read_text("utf-8", errors="replace"))
        for path in sorted(top.rglob("*.html"))
    }


def split_pages(paragraphs: Iterable[Paragraph]) -> tuple[list[Paragraph], list[Paragraph]]:
    """Training and held-out paragraphs.

    The hash of its path decides whether a page is held out, so the version of the packages does not matter. A held-out
    paragraph is dropped if its text in any language is also in the training text.
    """
    training: list[Paragraph] = []
    held_out: list[Paragraph] = []
    for paragraph in paragraphs:
        digest = hashlib.sha256(paragraph.page.encode()).digest()
        (held_out if digest[0] < 256 * HELD_OUT_SHARE else training).append(paragraph)
    seen = {text for paragraph in training for text in paragraph.text.values()}
    return training, [paragraph for paragraph in held_out if seen.isdisjoint(paragraph.text.values())]
