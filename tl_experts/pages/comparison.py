"""One HTML page that reports a comparison: what wins, two figures, the tables. It opens without a network.

Whatever comes from outside (texts, names) is escaped with `html.escape`.
"""

import html
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tl_experts.jobs.files import write_text
from tl_experts.study.comparison.conclusion import conclusion
from tl_experts.study.comparison.result import CompareResult

if TYPE_CHECKING:
    import pandas as pd

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
h1, h2 { line-height: 1.2 } table { border-collapse: collapse; font-size: 14px; margin: .5rem 0 }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: right }
.wide { overflow: auto; max-height: 34rem }
th { background: #f5f5f5; position: sticky; top: 0 } td:first-child, td:nth-child(2) { text-align: left }
summary { cursor: pointer; font-weight: 600; margin: 1rem 0 } .note { color: #555; font-size: 14px }
"""

COLUMNS = {
    "writing": {
        "target": "target",
        "method": "method",
        "share": "in the language",
        "score": "score",
        "perplexity": "perplexity",
        "natural_perplexity": "of natural texts",
        "distinct": "distinct bigrams",
        "reads_well": "reads well",
        "example": "first text",
    },
    "alignment": {
        "target": "target",
        "method": "method",
        "view": "embeddings",
        "layer": "layer",
        "top1": "top-1",
        "low": "from",
        "high": "to",
        "gain": "gain over the best baseline",
        "p": "p",
    },
    "costs": {
        "target": "target",
        "method": "method",
        "language": "language of the text",
        "change": "nats per token",
        "low": "from",
        "high": "to",
    },
}
"""Of each table: the columns that are shown, and their headings."""

NOTES = {
    "writing": "Each method at the best setting of its own search, on prompts that chose none. Score: the harmonic "
    "mean of the share of texts in the language and their quality beside natural texts.",
    "alignment": "Setting and layer were chosen on the dev split. Gain: paired bootstrap over rows; p is not "
    "corrected here.",
    "costs": "Change of the cross-entropy at the setting for writing; above 0, the text is predicted worse.",
}


def write_comparison(result: CompareResult, path: str | Path | None = None) -> Path:
    """Write the page; default: ``report.html`` in the comparison's folder.

    Raises:
        ArtefactError: the path cannot be written.

    Examples:
        >>> from tl_experts import CompareResult
        >>> write_comparison(CompareResult.load("my-comparison"), "report.html")  # doctest: +SKIP
    """
    return write_text(path or result.folder / "report.html", page(result))


def page(result: CompareResult) -> str:
    """The page as HTML. Plotly is imported here to keep the command line fast."""
    from plotly.offline import get_plotlyjs

    from tl_experts import plots

    title = html.escape(f"Methods compared: {result.config.model}")
    figures = [plots.writing_front(result), plots.alignment_bars(result)]
    first, *others = conclusion(result)
    return "\n".join(
        [
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style>',
            f"<script>{get_plotlyjs()}</script></head><body><h1>{title}</h1>",
            *(f"<p>{html.escape(paragraph)}</p>" for paragraph in (first, *others)),
            *(
                figure.to_html(full_html=False, include_plotlyjs=False, config={"responsive": True})
                for figure in figures
            ),
            *_tables(result),
            "</body></html>",
        ]
    )


def _tables(result: CompareResult) -> Iterable[str]:
    for name, columns in COLUMNS.items():
        table = result[name]
        shown = table[[column for column in columns if column in table]].rename(columns=columns)
        yield f"<details><summary>{name.capitalize()}: {len(shown)} rows</summary>"
        yield f'<p class="note">{html.escape(NOTES[name])} The file is tables/{html.escape(name)}-LANGUAGE.csv.</p>'
        yield f'<div class="wide">{_html(shown)}</div></details>'


def _html(table: "pd.DataFrame") -> str:
    return str(table.to_html(index=False, border=0, na_rep="–", escape=True, float_format=lambda value: f"{value:.3g}"))
