"""A study's tables as HTML: headings in words, sortable and filterable, folded if long, each with its CSV file.

The rows of the longest tables are packed with the figures: as markup they would be most of a comparison's page.
"""

import csv
import html
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tl_experts.jobs.files import INSPECTOR_PAGE
from tl_experts.pages.reporting.columns import Column, column_of, title_of, written
from tl_experts.study.stages.retrieval import ALL

if TYPE_CHECKING:
    import pandas as pd

FOLDED = 12
"""Tables with more rows are folded."""

PACKED = 100
"""The rows of tables with more are not in the page's markup: `tables_data` gives them, and the script puts them in."""

NOT_UNPACKED = (
    "This browser is too old to show so many rows (it lacks DecompressionStream); the folder has them as CSV files."
)

LINKED = ("language", "target")
"""Columns whose languages link to their experts in the inspector."""


def table_section(name: str, table: "pd.DataFrame", note: str, inspector: str | None) -> str:
    """A table with its title, note and controls; `inspector`: the inspector's page, if there is one."""
    columns = {str(column): column_of(name, str(column)) for column in table.columns}
    rows = len(table)
    unpacked = f'<tr><td colspan="{len(columns)}">{NOT_UNPACKED}</td></tr>'
    body = unpacked if _packed(table) else _body(name, table, inspector)
    count = f"{rows} row{'' if rows == 1 else 's'}"
    return "\n".join(
        [
            f'<details class="table" id="table-{html.escape(name)}"{"" if rows > FOLDED else " open"}>',
            f"<summary><h3>{html.escape(title_of(name))}</h3> <span>{count}</span></summary>",
            f'<p class="note">{html.escape(note)}</p>' if note else "",
            '<div class="tools"><label>Filter <input type="search" placeholder="a word, such as en"></label> '
            f'<output></output> <a class="csv" data-table="{html.escape(name)}" '
            f'download="{html.escape(name)}.csv">Download as CSV</a></div>',
            f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(title_of(name))}"><table>',
            _head(columns),
            f"<tbody>{body}</tbody></table></div>",
            _meanings(columns),
            "</details>",
        ]
    )


def tables_data(tables: Mapping[str, "pd.DataFrame"], inspector: str | None) -> dict[str, dict[str, str]]:
    """What the page's script needs of its tables: the CSV of each (``tables``), and the rows of long ones (``rows``).

    Args:
        tables: those of `table_section`, by name.
        inspector: as there.
    """
    return {
        "tables": {name: as_csv(table) for name, table in tables.items()},
        "rows": {name: _body(name, table, inspector) for name, table in tables.items() if _packed(table)},
    }


def as_csv(table: "pd.DataFrame") -> str:
    """A table as CSV with the names and values of the study's files; missing values are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(["" if value != value else value for value in row] for row in table.itertuples(index=False))
    return text.getvalue()


def _head(columns: dict[str, Column]) -> str:
    cells = "".join(
        f'<th scope="col"{_class(column)}><button type="button" title="{html.escape(column.meaning)}">'
        f"{html.escape(column.heading)}{_unit(column)}</button></th>"
        for column in columns.values()
    )
    return f"<thead><tr>{cells}</tr></thead>"


def inspector_page(folder: Path) -> str | None:
    """The inspector's page beside the report in the folder of a run, for links from its tables; None: there is none."""
    return INSPECTOR_PAGE if (folder / INSPECTOR_PAGE).is_file() else None


def _packed(table: "pd.DataFrame") -> bool:
    return len(table) > PACKED


def _body(name: str, table: "pd.DataFrame", inspector: str | None) -> str:
    columns = {str(column): column_of(name, str(column)) for column in table.columns}
    return "\n".join(_row(row, columns, inspector) for row in table.itertuples(index=False, name=None))


def _row(row: Iterable[object], columns: dict[str, Column], inspector: str | None) -> str:
    cells = (
        f"<td{_class(column)}>{_cell(written(value, column, name), value, inspector if name in LINKED else None)}</td>"
        for value, (name, column) in zip(row, columns.items(), strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def _cell(text: str, value: object, inspector: str | None) -> str:
    shown = html.escape(text)
    if inspector is None or text in ("", ALL):
        return shown
    return f'<a href="{inspector}#{quote(str(value))}" title="its experts in the inspector">{shown}</a>'


def _class(column: Column) -> str:
    return ' class="number"' if column.numeric else ""


def _unit(column: Column) -> str:
    return f" <small>{html.escape(column.unit)}</small>" if column.unit else ""


def _meanings(columns: dict[str, Column]) -> str:
    """The explanations once more, for screens without hover."""
    items = "".join(
        f"<dt>{html.escape(column.heading)}</dt><dd>{html.escape(column.meaning)} "
        f"<code>{html.escape(name)}</code> in the file.</dd>"
        for name, column in columns.items()
    )
    return f'<details class="meanings"><summary>What the columns mean</summary><dl>{items}</dl></details>'
