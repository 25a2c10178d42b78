"""The figure of the sweep over k (the paper's Figure 3)."""

import math
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from tl_experts.plots.style import Figure, Tables, colour_of, dash_of, escaped, finish, table_of, targets_of

if TYPE_CHECKING:
    import pandas as pd

SIZES = (7, 18)
"""Marks of the smallest and the largest k, in pixels; numbers beside them would cover each other."""

MOST_TICKS = 6

MEASURES = ["fluency", "distinct", "compression"]
"""Of the free generations."""

TEXTS = (
    "<br>its texts: perplexity %{customdata[2]:.1f}, distinct bigrams %{customdata[3]:.2f}, "
    "compression %{customdata[4]:.2f}"
)
"""What the hover text says about them."""


def sweep_front(study: Tables) -> Figure:
    """Lines: language id against perplexity over k, one per target; marks on the Pareto front are filled.

    The larger a mark, the more experts; lines start at the model without experts (k = 0). A cross is a count whose
    texts repeat themselves.
    """
    table = table_of(study, "sweep")
    # Studies of earlier versions did not measure their texts.
    measured = set(MEASURES) <= set(table)
    table = table.reindex(columns=[*table.columns, *(name for name in (*MEASURES, "repeats") if name not in table)])
    table["repeats"] = table["repeats"].eq(True)
    figure = go.Figure()
    size_of = _sizes(table["k"])
    for target in targets_of(table):
        rows = table[table["target"] == target].sort_values("k")
        figure.add_scatter(
            name=escaped(target),
            x=rows["perplexity"],
            y=rows["language_id"],
            mode="lines+markers",
            line={"color": colour_of(target), "dash": dash_of(target), "width": 1.5},
            marker={
                "symbol": list(map(_symbol, rows["pareto"], rows["repeats"])),
                "size": [size_of[k] for k in rows["k"]],
            },
            customdata=rows[["k", "dev_top1", *MEASURES]],
            hovertemplate="k = %{customdata[0]}: perplexity %{x:.1f}, language id %{y:.3f}, top-1 on dev "
            f"%{{customdata[1]:.3f}}{TEXTS if measured else ''}<extra>%{{fullData.name}}</extra>",
        )
    return finish(
        figure,
        "How many experts: language id against perplexity",
        xaxis={"title": "perplexity of the target's text", "type": "log", "tickvals": _ticks(table["perplexity"])},
        yaxis={"title": "probability of the target language", "range": [-0.03, 1.08]},
        legend_title="target",
    )


def _sizes(counts: "pd.Series") -> dict[int, float]:
    """The size of the mark of every k, evenly spaced by rank."""
    order = sorted(set(counts))
    least, most = SIZES
    return {k: least + (most - least) * rank / max(1, len(order) - 1) for rank, k in enumerate(order)}


def _ticks(values: "pd.Series") -> list[float]:
    """Round numbers of a logarithmic axis; plotly's own between powers of ten are too small to read."""
    low, high = values.min(), values.max()
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    inside = [tick for tick in ticks if low / 2 <= tick <= high * 2]
    return inside if len(inside) <= MOST_TICKS else [10.0**power for power in powers]


def _symbol(best: bool, repeats: bool) -> str:
    return "x" if repeats else "circle" if best else "circle-open"
