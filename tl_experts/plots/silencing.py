"""Figure of the silencing matrix: change of log-perplexity in every language, beside random neurons."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tl_experts.errors import TLExpertsError
from tl_experts.plots.maps import WRITTEN
from tl_experts.plots.style import DIVERGING, Figure, Tables, escaped, finish, language_order, menu, table_of
from tl_experts.steering.matrix import SilencingMatrix

if TYPE_CHECKING:
    import pandas as pd

TITLES = ("neurons of the language", "random neurons of the same layers")

IN_A_ROW = 3
"""Maps in a row of the figure of several matrices."""


def silencing_map(matrix: SilencingMatrix | Mapping[str, SilencingMatrix]) -> Figure:
    """Heat maps: what silencing each language's neurons costs text in every language | random neurons.

    Args:
        matrix: from `silencing_matrix`; or several by name (of their scoring, say), with a menu to choose from.

    Raises:
        TLExpertsError: there is no matrix.
    """
    several = {"": matrix} if isinstance(matrix, SilencingMatrix) else dict(matrix)
    if not several:
        raise TLExpertsError("the mapping of silencing matrices is empty; give at least one")
    return _maps({name: one.to_pandas() for name, one in several.items()})


def silencing_side_by_side(matrices: Mapping[str, SilencingMatrix]) -> Figure:
    """Heat maps of several matrices, each with its diagonality and that of random neurons, on one scale of colours.

    Args:
        matrices: by name, of their scoring, say.

    Raises:
        TLExpertsError: there is no matrix, or something else.
    """
    if not isinstance(matrices, Mapping) or not matrices:
        raise TLExpertsError(f"matrices is {matrices!r:.80}; expected silencing matrices by name, at least one")
    tables = {name: one.to_pandas() for name, one in matrices.items()}
    across = min(IN_A_ROW, len(tables))
    down = -(-len(tables) // across)
    figure = make_subplots(
        rows=down,
        cols=across,
        subplot_titles=[
            f"{escaped(name)}: {one.diagonality.value.value:.3f}, random {one.control_diagonality.value.value:.3f}"
            for name, one in matrices.items()
        ],
        horizontal_spacing=0.06,
        vertical_spacing=0.2 / down,
    )
    for index, table in enumerate(tables.values()):
        at = {"row": index // across + 1, "col": index % across + 1}
        figure.add_trace(_experts(table).update(coloraxis="coloraxis", texttemplate=None), **at)
        figure.update_yaxes(scaleanchor=figure.data[-1].xaxis, **at)
    figure.update_xaxes(type="category", constrain="domain", dtick=1, tickangle=0, tickfont_size=11)
    figure.update_yaxes(type="category", constrain="domain", dtick=1, autorange="reversed", tickfont_size=11)
    figure.update_annotations(font_size=13)
    title = "Change of log-perplexity when neurons are silenced, and the diagonality"
    return finish(figure, title, coloraxis=_scale(tables), height=110 + 300 * down, width=330 * across + 110)


def silencing_maps(study: Tables) -> Figure:
    """The same of a study: a menu of its scorings."""
    table = table_of(study, "silencing")
    return _maps({str(name): rows for name, rows in table.groupby("scoring", sort=False)})


def _maps(tables: "Mapping[str, pd.DataFrame]") -> Figure:
    figure = make_subplots(rows=1, cols=2, subplot_titles=TITLES, horizontal_spacing=0.08)
    for index, table in enumerate(tables.values()):
        for column, trace in enumerate((_experts(table), _control(table)), start=1):
            trace.update(coloraxis="coloraxis", visible=index == 0)
            figure.add_trace(trace, row=1, col=column)
    languages = max(table["text"].nunique() for table in tables.values())
    ticks = {"type": "category", "constrain": "domain", "dtick": 1, "tickfont_size": 14 if languages <= WRITTEN else 11}
    figure.update_xaxes(title_text="language of the text", tickangle=0, **ticks)
    figure.update_yaxes(autorange="reversed", **ticks)
    for column in (1, 2):
        figure.update_yaxes(scaleanchor=f"x{column if column > 1 else ''}", row=1, col=column)
    figure.update_yaxes(title_text="language silenced", row=1, col=1)
    flags = [[name == other for other in tables for _ in range(2)] for name in tables]
    return finish(
        figure,
        "Change of log-perplexity when neurons are silenced",
        updatemenus=[menu(list(tables), flags)] if len(tables) > 1 else [],
        coloraxis=_scale(tables),
        height=max(420, 240 + 24 * languages),
    )


def _scale(tables: "Mapping[str, pd.DataFrame]") -> dict[str, Any]:
    """White at zero, and the same width to either side."""
    widest = max(float(np.abs(table[["change", "control"]].to_numpy()).max()) for table in tables.values()) or 1.0
    bar = {"title": "nats<br>per token", "thickness": 12}
    return {"colorscale": DIVERGING, "cmin": -widest, "cmax": widest, "colorbar": bar}


def _experts(table: "pd.DataFrame") -> Any:
    hover = (
        "%{customdata[0]} neurons of %{y} silenced, text in %{x}: %{z:+.3f} nats per token "
        "[%{customdata[1]:+.3f}, %{customdata[2]:+.3f}]<br>log-perplexity as it is: %{customdata[3]:.3f}<extra></extra>"
    )
    return _trace(table, "change", ("neurons", "low", "high", "log_perplexity"), hover)


def _control(table: "pd.DataFrame") -> Any:
    hover = (
        "%{customdata[0]} random neurons instead of those of %{y}, text in %{x}: %{z:+.3f} nats per token "
        "(± %{customdata[1]:.3f} over draws)<extra></extra>"
    )
    return _trace(table, "control", ("neurons", "control_spread"), hover)


def _trace(table: "pd.DataFrame", value: str, details: tuple[str, ...], hover: str) -> Any:
    rows, columns = language_order(table["silenced"]), language_order(table["text"])

    def grid(name: str) -> np.ndarray:
        pivoted = table.pivot_table(index="silenced", columns="text", values=name).reindex(index=rows, columns=columns)
        return pivoted.to_numpy(dtype=float)

    trace = go.Heatmap(
        z=grid(value),
        x=[escaped(language) for language in columns],
        y=[escaped(language) for language in rows],
        customdata=np.stack([grid(name) for name in details], axis=-1),
        hovertemplate=hover,
        hoverongaps=False,
        xgap=1,
        ygap=1,
    )
    if len(columns) <= WRITTEN:
        trace.update(texttemplate="%{z:.2f}", textfont_size=11)
    return trace
