"""The page around a report's sections: contents, style, script, and plotly, the figures and long tables, packed.

Plotly and its data are packed by gzip, which browsers unpack themselves (`DecompressionStream`): plotly's package has
only its full bundle, 4.8 MB as text. A content security policy forbids every request.
"""

import base64
import gzip
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)

OLD_BROWSER = (
    "This browser is too old to draw the figures (it lacks DecompressionStream); their numbers are in the tables."
)


@dataclass(frozen=True)
class Section:
    """A section of the page, with an entry in the contents."""

    anchor: str
    title: str
    body: str

    entries: tuple[tuple[str, str], ...] = ()
    """Anchor and title of what the contents list below the section."""

    def html(self) -> str:
        """The section with its heading."""
        title = html.escape(self.title)
        return f'<section id="{self.anchor}"><h2><a href="#{self.anchor}">{title}</a></h2>\n{self.body}\n</section>'

    def contents(self) -> str:
        """The section's line in the contents, and those below it."""
        inner = "".join(_link(anchor, title) for anchor, title in self.entries)
        return f'<li><a href="#{self.anchor}">{html.escape(self.title)}</a>{f"<ul>{inner}</ul>" if inner else ""}</li>'


def page(title: str, first: str, sections: Sequence[Section], data: dict[str, Any]) -> str:
    """The whole page.

    Args:
        title: the page's title.
        first: the first screen, as HTML.
        sections: what follows, in order.
        data: the script's input: ``figures`` (views by name), and what `tables.tables_data` gives.
    """
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(title)}</title><style>{_part('report.css')}</style></head><body>",
            '<nav aria-label="Contents"><details open><summary>Contents</summary><ul>'
            '<li><a href="#top">Result</a></li>',
            *(section.contents() for section in sections),
            "</ul></details></nav>",
            f'<main><header id="top"><h1>{html.escape(title)}</h1>{first}</header>',
            *(section.html() for section in sections),
            "</main>",
            _packed("data", json.dumps(data)),
            _packed("plotly", _plotly()),
            f'<script data-old="{html.escape(OLD_BROWSER)}" id="script">{_part("report.js")}</script></body></html>',
        ]
    )


def pack(text: str) -> str:
    """Text as gzip in base64; the same text always gives the same (no time is stored)."""
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def _packed(name: str, text: str) -> str:
    return f'<script type="application/gzip" id="packed-{name}">{pack(text)}</script>'


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


@cache
def _part(name: str) -> str:
    return resources.files("tl_experts.pages.reporting").joinpath(name).read_text(encoding="utf-8")


def _link(anchor: str, title: str) -> str:
    return f'<li><a href="#{html.escape(anchor)}">{html.escape(title)}</a></li>'
