"""Heat maps of languages by languages, before | after | difference, one target at a time."""

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tl_experts.errors import TLExpertsError
from tl_experts.plots.style import DIVERGING, SEQUENTIAL, Figure, escaped, finish, language_order, menu

if TYPE_CHECKING:
    import pandas as pd

NAMES = {"top1": "top-1"}
"""Values that are not named like their column."""

WRITTEN = 10
"""Up to this many languages, the values are written in the cells."""


def before_after_maps(
    before: "pd.DataFrame",
    after: "dict[str, pd.DataFrame]",
    *,
    rows: str,
    columns: str,
    value: str,
    difference: str,
    sign: int = 1,
    top: float | None = None,
) -> Figure:
    """Three maps side by side with a menu of targets.

    Args:
        before: one row per cell.
        after: the same with each target's experts set.
        rows: column of the tables that names the map's rows.
        columns: column of the tables that names the map's columns.
        value: column of the tables that is shown.
        difference: name of the third map.
        sign: 1: after - before; -1: before - after.
        top: largest value of the colour scale; None: the largest value in the tables.
    """
    if before.empty or not after:
        raise TLExpertsError("the maps need rows from before and, for at least one target, from after the intervention")
    order = language_order([*before[rows], *before[columns]])
    grid_before = _grid(before, rows, columns, value, order)
    grids = {target: _grid(table, rows, columns, value, order) for target, table in after.items()}
    changes = {target: sign * (grid - grid_before) for target, grid in grids.items()}
    highest = top if top is not None else float(np.nanmax([grid_before, *grids.values()]))
    widest = float(np.nanmax(np.abs(list(changes.values())))) or 1.0
    figure = make_subplots(
        rows=1, cols=3, subplot_titles=("before", "after", difference), shared_yaxes=True, horizontal_spacing=0.03
    )
    hover = f"{rows} %{{y}}, {columns} %{{x}}: %{{z:.3f}}"
    labels = [escaped(language) for language in order]
    text = len(order) <= WRITTEN
    even = {"coloraxis": "coloraxis"}
    figure.add_trace(_map(grid_before, labels, f"{hover} before<extra></extra>", text) | even, row=1, col=1)
    for index, target in enumerate(grids):
        shown = {"visible": index == 0}
        figure.add_trace(
            _map(grids[target], labels, f"{hover} with {escaped(target)} experts<extra></extra>", text) | even | shown,
            row=1,
            col=2,
        )
        figure.add_trace(
            _map(changes[target], labels, f"{hover} {difference}<extra></extra>", text)
            | {"coloraxis": "coloraxis2"}
            | shown,
            row=1,
            col=3,
        )
    flags = [[True, *(target == other for other in grids for _ in range(2))] for target in grids]
    # Every language is named: with many languages, plotly would omit every other name.
    ticks = {"type": "category", "constrain": "domain", "dtick": 1, "tickfont_size": 14 if text else 11}
    figure.update_xaxes(title_text=columns, tickangle=0 if text else -90, **ticks)
    figure.update_yaxes(autorange="reversed", **ticks)
    for column in range(1, 4):
        figure.update_yaxes(scaleanchor=f"x{column if column > 1 else ''}", row=1, col=column)
    figure.update_yaxes(title_text=rows, row=1, col=1)
    return finish(
        figure,
        "",
        updatemenus=[menu([f"{target} experts" for target in grids], flags)],
        coloraxis={
            "colorscale": SEQUENTIAL,
            "cmin": 0,
            "cmax": highest,
            "colorbar": _bar(NAMES.get(value, value), 0.78),
        },
        coloraxis2={"colorscale": DIVERGING, "cmin": -widest, "cmax": widest, "colorbar": _bar(difference, 0.25)},
        height=max(420, 240 + 12 * len(order)),
    )


def _grid(table: "pd.DataFrame", rows: str, columns: str, value: str, order: list[str]) -> np.ndarray:
    grid = table.pivot_table(index=rows, columns=columns, values=value).reindex(index=order, columns=order)
    return grid.to_numpy(dtype=float)


def _map(grid: np.ndarray, labels: list[str], hover: str, text: bool) -> dict[str, object]:
    trace = go.Heatmap(z=grid, x=labels, y=labels, hovertemplate=hover, hoverongaps=False, xgap=1, ygap=1)
    if text:
        trace.update(texttemplate="%{z:.2f}", textfont_size=11)
    return dict(trace.to_plotly_json())


def _bar(title: str, height: float) -> dict[str, object]:
    return {"title": escaped(title), "len": 0.45, "y": height, "thickness": 12}
