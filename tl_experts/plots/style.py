"""Style of all figures: one template, and the colour, marker, dash and rank of every language.

Colours are those of Okabe and Ito (2008), which colour-blind readers can distinguish. They repeat after eight
languages; marker, dash and pattern repeat after seven, so no two of the first 55 languages look alike, nor two of the
first 14 in grey.
"""

import html
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

if TYPE_CHECKING:
    import pandas as pd

from tl_experts.errors import TLExpertsError, near
from tl_experts.steering.wording import SCORINGS

Figure = Any
"""A `plotly.graph_objects.Figure` (plotly ships no types)."""

Tables = Mapping[str, "pd.DataFrame"]
"""The tables of a study by name: a `StudyResult`, or a dictionary."""

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#A08000")
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "2px,6px")
PATTERNS = ("", "/", "x", "-", "|", "+", ".")
FILLED = {"fillmode": "overlay", "fgcolor": "#ffffff", "size": 6, "solidity": 0.25}
"""Patterns are drawn in white on the language's colour."""

SEQUENTIAL = "Cividis"
DIVERGING = "PuOr"

# The paper's targets, its negatives, the rest of the bundled corpus, the rest of the paper's, then others.
_KNOWN_CODES = """
en de fr es ja zh ru ar hi pt th cs el he id it ko nl fa pl ro tr uk vi
sw bn ta te ur fi sv da nb hu bg hr sr sk sl lt lv et ca eu gl is ga cy mt sq mk ka hy az kk
"""
_KNOWN = tuple(_KNOWN_CODES.split())

TEMPLATE = go.layout.Template(
    layout=go.Layout(
        font={"family": "system-ui, sans-serif", "size": 14, "color": "#1a1a1a"},
        title={"x": 0.0, "xanchor": "left", "y": 1.0, "yanchor": "top", "pad": {"t": 14}, "font": {"size": 17}},
        colorway=COLOURS,
        paper_bgcolor="white",
        plot_bgcolor="white",
        hoverlabel={"align": "left", "bgcolor": "white", "font": {"color": "#1a1a1a"}},
        xaxis={"gridcolor": "#e5e5e5", "linecolor": "#888", "zerolinecolor": "#bbb", "automargin": True},
        yaxis={"gridcolor": "#e5e5e5", "linecolor": "#888", "zerolinecolor": "#bbb", "automargin": True},
        legend={"itemsizing": "constant"},
        margin={"l": 60, "r": 20, "t": 70, "b": 60},
    )
)
"""The look of every figure, for figures of your own: ``figure.update_layout(template=TEMPLATE)``."""


def language_order(languages: Iterable[str]) -> list[str]:
    """Languages in the order that every figure uses: the paper's first, unknown ones last by name."""
    return sorted(set(languages), key=lambda code: (_rank(code) if code in _KNOWN else len(_KNOWN), code))


def colour_of(language: str) -> str:
    """The colour of a language, the same in every figure.

    Examples:
        >>> colour_of("en")
        '#0072B2'
    """
    return COLOURS[_rank(language) % len(COLOURS)]


def symbol_of(language: str) -> str:
    """The marker of a language."""
    return SYMBOLS[_rank(language) % len(SYMBOLS)]


def dash_of(language: str) -> str:
    """The dash of a language's line."""
    return DASHES[_rank(language) % len(DASHES)]


def pattern_of(language: str) -> str:
    """The pattern of a language's bars."""
    return PATTERNS[_rank(language) % len(PATTERNS)]


def mark_of(group: str, others: Sequence[str] = ()) -> dict[str, str]:
    """Colour and symbol of what neurons are chosen by, the same in every figure; others follow in their order.

    Args:
        group: a scoring in words, or one of the others.
        others: groups that are not scorings.
    """
    number = [*SCORINGS.values(), *others].index(group)
    return {"color": COLOURS[number % len(COLOURS)], "symbol": SYMBOLS[number % len(SYMBOLS)]}


def _rank(language: str) -> int:
    # A language that is not listed is ranked by its name, so that it looks the same in every session.
    return _KNOWN.index(language) if language in _KNOWN else zlib.crc32(language.encode())


def finish(figure: Figure, title: str, **layout: Any) -> Figure:
    """Apply the template and the title to a figure; the title is escaped (plotly reads it as a kind of HTML)."""
    if layout.get("updatemenus"):
        layout.setdefault("margin_t", 115)  # the menu is between the title and the plot
    return figure.update_layout(template=TEMPLATE, title_text=escaped(title), **layout)


def escaped(text: object) -> str:
    """Escape text from outside, which plotly would read as markup."""
    return html.escape(str(text), quote=False)


def shorten(text: str, most: int = 90) -> str:
    """A sentence, shortened and escaped for a hover text."""
    return escaped(text if len(text) <= most else text[: most - 1] + "…")


def table_of(study: Tables, name: str) -> "pd.DataFrame":
    """A table of a study; a missing target (as in a table read from a .csv) becomes an empty one.

    Raises:
        TLExpertsError: the study has no table of this name, or it is empty.
    """
    if name not in study:
        raise TLExpertsError(f"the figure needs the study's table {name!r}; {near(name, list(study))}")
    if study[name].empty:
        raise TLExpertsError(f"the study's table {name!r} has no rows: nothing to draw")
    table = study[name]
    return table.assign(target=table["target"].fillna("")) if "target" in table else table


def targets_of(table: "pd.DataFrame") -> list[str]:
    """The targets of a table in the common order, without the empty one (pre)."""
    return language_order(str(target) for target in table["target"] if target)


def menu(labels: Sequence[str], visible: Sequence[Sequence[bool]]) -> dict[str, Any]:
    """A menu that shows one view of a figure at a time."""
    buttons = [
        {"label": escaped(label), "method": "update", "args": [{"visible": list(flags)}]}
        for label, flags in zip(labels, visible, strict=True)
    ]
    # On the left: plotly's toolbar covers the top right corner.
    return {"buttons": buttons, "x": 0.0, "xanchor": "left", "y": 1.12, "yanchor": "bottom"}


def whiskers(value: "pd.Series", spread: "pd.Series") -> dict[str, Any]:
    """Error bars of quantities that cannot be negative: none below zero, and none where the spread is unknown or 0."""
    known = spread.where(spread > 0)
    return {"array": known, "arrayminus": known.clip(upper=value)}
