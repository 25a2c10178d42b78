"""Figures of a comparison: which method writes a language naturally, and which brings translations together."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from tl_experts.plots.style import COLOURS, SYMBOLS, Figure, escaped, finish, table_of

if TYPE_CHECKING:
    import pandas as pd

UNSTEERED = "no intervention"
VIEWS = ("last layer", "last layer, centred", "best layer", "best layer, centred")
SHOWN = 8
"""Interventions that the bars show beside the baselines."""


def writing_front(result: "Mapping[str, pd.DataFrame]") -> Figure:
    """A point per method, averaged over targets: share of texts in the language against their natural quality.

    Quality is what fluency and repetition leave of a natural text's, 0 to 1; up and to the right is better.

    Args:
        result: a `CompareResult`, or its table ``writing``.

    Raises:
        TLExpertsError: the table is missing or empty.
    """
    table = table_of(result, "writing")
    means = table.groupby(["method", "scoring"], sort=False, dropna=False)[["share", "score", "perplexity"]].mean()
    points = means.assign(quality=_quality(means["share"], means["score"])).reset_index()
    figure = go.Figure()
    for index, (scoring, rows) in enumerate(points.groupby("scoring", sort=False)):
        figure.add_scatter(
            name=escaped(scoring or "baselines and control"),
            x=rows["share"],
            y=rows["quality"],
            mode="markers" if scoring else "markers+text",
            text=[escaped(method) for method in rows["method"]],
            textposition="top center",
            textfont_size=11,
            marker={"size": 11, "color": COLOURS[index % len(COLOURS)], "symbol": SYMBOLS[index % len(SYMBOLS)]},
            customdata=rows[["score", "perplexity"]],
            hovertemplate="%{text}<br>share %{x:.0%}, quality %{y:.2f}, score %{customdata[0]:.2f}, perplexity "
            "%{customdata[1]:.3g}<extra></extra>",
        )
    return finish(
        figure,
        "Writing: language against quality, mean over targets",
        xaxis={"title": "share of texts in the language", "range": [-0.08, 1.08], "tickformat": ".0%"},
        yaxis={"title": "quality beside natural texts", "range": [-0.05, 1.1]},
        legend={"title": "neurons chosen by", "orientation": "h", "y": -0.2},
    )


def alignment_bars(result: "Mapping[str, pd.DataFrame]") -> Figure:
    """Bars of top-1 over all pairs, with intervals: the baselines and the best interventions, one target at a time.

    A line across marks the best baseline. The interventions are those of highest top-1 on the dev split, each in its
    best view.

    Args:
        result: a `CompareResult`, or its table ``alignment``.

    Raises:
        TLExpertsError: the table is missing or empty.
    """
    table = table_of(result, "alignment")
    targets = list(dict.fromkeys(table["target"]))
    figure = go.Figure()
    lines, flags = [], []
    for number, target in enumerate(targets):
        own = table[table["target"] == target]
        free = own[own["method"] == UNSTEERED]
        steered = own[own["method"] != UNSTEERED].sort_values("dev_top1", ascending=False, kind="stable")
        best = steered.drop_duplicates("method").head(SHOWN)
        for name, rows, colour in (("no intervention", free, COLOURS[1]), ("intervention", best, COLOURS[0])):
            figure.add_bar(**_bars(rows, name, colour, steered=name == "intervention"), visible=number == 0)
        chosen = free[free["view"] == own["best_baseline"].iloc[0]]["top1"].iloc[0]
        lines.append(
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": chosen,
                "y1": chosen,
                "line": {"dash": "dash", "width": 1},
            }
        )
        flags.append([index // 2 == number for index in range(2 * len(targets))])
    buttons = [
        {"label": escaped(target), "method": "update", "args": [{"visible": flag}, {"shapes": [line]}]}
        for target, flag, line in zip(targets, flags, lines, strict=True)
    ]
    return finish(
        figure,
        "Retrieval: top-1 over all pairs of languages",
        xaxis={"tickangle": -35, "automargin": True},
        yaxis={"title": "top-1", "rangemode": "tozero"},
        shapes=lines[:1],
        legend={"orientation": "h", "y": 1.12, "x": 1, "xanchor": "right"},
        updatemenus=[{"buttons": buttons, "x": 0, "y": 1.16, "xanchor": "left"}] if len(targets) > 1 else [],
    )


def _bars(rows: "pd.DataFrame", name: str, colour: str, *, steered: bool) -> dict[str, Any]:
    labels = [
        f"{method}<br>{view}" if steered else view for method, view in zip(rows["method"], rows["view"], strict=True)
    ]
    return {
        "name": name,
        "x": labels,
        "y": rows["top1"],
        "error_y": {
            "type": "data",
            "array": rows["high"] - rows["top1"],
            "arrayminus": rows["top1"] - rows["low"],
            "symmetric": False,
        },
        "marker_color": colour,
        "customdata": np.stack([rows["setting"], rows["layer"]], axis=-1),
        "hovertemplate": "%{x}<br>top-1 %{y:.3f}, layer %{customdata[1]}<br>%{customdata[0]}<extra></extra>",
    }


def _quality(share: Any, score: Any) -> Any:
    """The quality J of which the score is the harmonic mean with the share F: J = S F / (2 F - S)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = score * share / (2 * share - score)
    return found.where((share > 0) & (score > 0), 0.0).clip(upper=1.0)
