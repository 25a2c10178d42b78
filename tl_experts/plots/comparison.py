"""Figures of a comparison: which method writes naturally, at what cost, and which brings translations together."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from tl_experts.errors import TLExpertsError, require_choice
from tl_experts.plots.style import (
    COLOURS,
    Figure,
    colour_of,
    dash_of,
    escaped,
    finish,
    mark_of,
    symbol_of,
    table_of,
)
from tl_experts.steering.wording import SCORINGS as WORDS
from tl_experts.steering.wording import in_words, scoring_in_words

if TYPE_CHECKING:
    import pandas as pd

UNSTEERED = "no intervention"
CEILING = "multilingual-e5-small (another model)"
SHOWN = 8
"""Interventions that the bars show beside the baselines."""

LEAST_COST = 1e-4
"""Costs below are drawn there, since the axis is logarithmic."""


def writing_front(result: "Mapping[str, pd.DataFrame]") -> Figure:
    """A point per method, averaged over targets: share of texts in the language against their natural quality.

    Quality is what fluency and repetition leave of a natural text's, 0 to 1; up and to the right is better.

    Args:
        result: a `CompareResult`, or its table ``writing``.

    Raises:
        TLExpertsError: the table is missing or empty, or has no column ``quality``.
    """
    table = table_of(result, "writing")
    if "quality" not in table:
        raise TLExpertsError(
            "the table 'writing' has no column 'quality', which earlier versions did not write; CompareResult.load "
            "adds it"
        )
    measures = ["share", "quality", "score", "perplexity"]
    points = table.groupby(["method", "scoring"], sort=False, dropna=False)[measures].mean().reset_index()
    points["quality"] = points["quality"].fillna(0.0)  # earlier versions: unknown, since no text was in the language
    # Every baseline is named in the legend; the methods of one scoring share a colour.
    named = zip(points["scoring"], points["method"], strict=True)
    points["group"] = [scoring_in_words(scoring) or method for scoring, method in named]
    groups = points.groupby("group", sort=False)
    others = [str(group) for group in groups.groups if group not in WORDS.values()]
    figure = go.Figure()
    for group, rows in groups:
        figure.add_scatter(
            name=escaped(group),
            x=rows["share"],
            y=rows["quality"],
            mode="markers",
            text=[escaped(in_words(method)) for method in rows["method"]],
            marker={"size": 11, **mark_of(str(group), others)},
            customdata=rows[["score", "perplexity"]],
            hovertemplate="%{text}<br>share %{x:.0%}, quality %{y:.2f}, score %{customdata[0]:.2f}, perplexity "
            "%{customdata[1]:.3g}<extra></extra>",
        )
    return finish(
        figure,
        "Writing: language against quality, mean over targets",
        xaxis={"title": "share of texts in the language", "range": [-0.08, 1.08], "tickformat": ".0%"},
        yaxis={"title": "quality beside natural texts", "range": [-0.05, 1.1]},
        legend_title="neurons chosen by",
        height=520,
    )


def cost_front(result: "Mapping[str, pd.DataFrame]", target: str) -> Figure:
    """A point per setting of one target: its score against what it costs; up and to the left is better.

    The cost is KL(unsteered || steered) of the next-token distribution on text of the other languages. Filled points
    are the best settings of their searches; a dashed line marks the cost at which methods are compared.

    Args:
        result: a `CompareResult`, or its tables ``divergence`` and ``equal``.
        target: the language that is written.

    Raises:
        TLExpertsError: a table is missing or empty, or has no such target.
    """
    table, equal = table_of(result, "divergence"), table_of(result, "equal")
    require_choice(target, list(dict.fromkeys(table["target"])), "target")
    figure = go.Figure()
    for key, rows in table[table["target"] == target].groupby("scoring", sort=False):
        scoring = str(key)
        mark = mark_of(scoring_in_words(scoring), [scoring])
        named = zip(rows["method"], rows["setting"], strict=True)
        figure.add_scatter(
            name=escaped(scoring_in_words(scoring)),
            x=rows["kl"].clip(lower=LEAST_COST),
            y=rows["dev_score"],
            mode="markers",
            text=[f"{escaped(in_words(method))}<br>{escaped(setting)}" for method, setting in named],
            marker={
                "size": 10,
                "color": mark["color"],
                "symbol": [mark["symbol"] if tuned else f"{mark['symbol']}-open" for tuned in rows["tuned"]],
            },
            hovertemplate="%{text}<br>score %{y:.2f}, KL %{x:.3g} nats per token<extra></extra>",
        )
    budget = float(equal[equal["target"] == target]["budget"].iloc[0])
    figure.add_vline(x=budget, line={"dash": "dash", "width": 1})
    return finish(
        figure,
        f"Writing {escaped(target)}: score against cost",
        xaxis={"title": "KL divergence in other languages, nats per token", "type": "log"},
        yaxis={"title": "score on the prompts of the search", "range": [-0.03, 1.08]},
        legend_title="neurons chosen by",
        height=520,
    )


def alignment_bars(result: "Mapping[str, pd.DataFrame]", target: str, *, languages: str = "all") -> Figure:
    """Bars of top-1 over all pairs, with intervals: the baselines and the best interventions of one target.

    A solid line marks the best baseline; a dashed line the ceiling, a sentence encoder, if it was measured. The
    interventions are those of highest top-1 on the dev split, each in its best view.

    Args:
        result: a `CompareResult`, or its table ``alignment``.
        target: the language whose neurons steer.
        languages: between which languages translations are looked for: ``"all"``, or those of one script, as the
            table's column ``languages`` calls them.

    Raises:
        TLExpertsError: the table is missing or empty, or has no such target or languages.
    """
    table = table_of(result, "alignment")
    for value, column in ((target, "target"), (languages, "languages")):
        require_choice(value, list(dict.fromkeys(table[column])), column)
    own = table[(table["target"] == target) & (table["languages"] == languages)]
    free, ceiling = (own[own["method"] == method] for method in (UNSTEERED, CEILING))
    steered = own[~own["method"].isin((UNSTEERED, CEILING))].sort_values("dev_top1", ascending=False, kind="stable")
    best = steered.drop_duplicates("method").head(SHOWN)
    figure = go.Figure(
        [_bars(free, "no intervention", COLOURS[1]), _bars(best, f"neurons of {escaped(target)}", COLOURS[0])]
    )
    _line(figure, free[free["view"] == own["best_baseline"].iloc[0]], "best baseline", "solid")
    _line(figure, ceiling, "multilingual-e5-small", "dash")
    among = "all pairs of languages" if languages == "all" else f"pairs of languages in {languages}"
    return finish(
        figure,
        f"Retrieval with neurons of {target}: top-1 over {among}",
        xaxis={"title": "top-1 accuracy", "tickformat": ".0%", "rangemode": "tozero"},
        yaxis={"autorange": "reversed", "title": "method"},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom"},
        margin_t=95,  # the legend has two rows where there is little width
        height=195 + 42 * (len(free) + len(best)),
    )


def mexa_layers(result: "Mapping[str, pd.DataFrame]") -> Figure:
    """MEXA by layer, the vectors as they are: without intervention, and with the best one of each target.

    MEXA (Kargaran et al. 2025): the share of sentences nearer to their English translation than any other is.

    Args:
        result: a `CompareResult`, or its table ``layers``.

    Raises:
        TLExpertsError: the table is missing or empty.
    """
    table = table_of(result, "layers")
    figure = go.Figure()
    for keys, rows in table.groupby(["target", "method"], sort=False):
        target, method = map(str, keys)
        look = {"color": colour_of(target), "dash": dash_of(target)} if target else {"color": "#777777", "width": 4}
        figure.add_scatter(
            name=escaped(f"{target}: {in_words(method)}" if target else method),
            x=[str(layer) for layer in rows["layer"]],
            y=rows["mexa"],
            mode="lines+markers",
            line=look,
            marker={"size": 7, "symbol": symbol_of(target) if target else "circle"},
            customdata=[escaped(setting) for setting in rows["setting"].fillna("")],
            hovertemplate="%{fullData.name}, layer %{x}<br>MEXA %{y:.1%}<br>%{customdata}<extra></extra>",
        )
    return finish(
        figure,
        "Alignment with English, layer by layer",
        xaxis={"title": "layer", "type": "category"},
        yaxis={"title": "MEXA", "tickformat": ".0%", "rangemode": "tozero"},
        legend={"orientation": "h", "y": -0.25, "yanchor": "top"},
        height=480,
    )


def _line(figure: Figure, rows: "pd.DataFrame", name: str, dash: str) -> None:
    """A line across at the top-1 of a row, if there is one, with its name in the legend."""
    for top1 in rows["top1"]:
        figure.add_vline(x=float(top1), line_dash=dash, line_color="#444", name=name, showlegend=True)


def _bars(rows: "pd.DataFrame", name: str, colour: str) -> go.Bar:
    pairs = zip(rows["method"], rows["view"], strict=True)
    return go.Bar(
        name=name,
        orientation="h",
        x=rows["top1"],
        y=[view if method == UNSTEERED else f"{in_words(method)}<br>{view}" for method, view in pairs],
        error_x={"array": rows["high"] - rows["top1"], "arrayminus": rows["top1"] - rows["low"]},
        marker_color=colour,
        customdata=np.stack([rows["setting"], rows["layer"]], axis=-1),
        hovertemplate="%{y}<br>top-1 %{x:.1%}, layer %{customdata[1]}<br>%{customdata[0]}<extra></extra>",
    )
