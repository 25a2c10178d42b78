"""Figure of the methods of a study: who retrieves most between a target and the other languages."""

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from tl_experts.errors import TLExpertsError
from tl_experts.plots.style import COLOURS, Figure, Tables, colour_of, escaped, finish, symbol_of, table_of

if TYPE_CHECKING:
    import pandas as pd

LAST = "last layer"
"""The method that changes nothing but the experts."""

WITH_TARGET = ("target as query", "target as candidate")


def method_means(study: Tables) -> "pd.DataFrame":
    """Top-1 of every method between a target and the other languages, mean over targets and both directions.

    Returns:
        One row per ``method`` and ``condition``, best first, with ``top1``, ``low`` and ``high``. The interval's ends
        are the means of the 95% intervals of each target and direction. The targets share their sentences, so this
        is about as wide as the interval of the mean, or wider.

    Raises:
        TLExpertsError: the study has no baselines between a target and other languages.
    """
    table = _with_target(study)
    means = table.groupby(["method", "condition"], sort=False)[["top1", "low", "high"]].mean().reset_index()
    return means.sort_values("top1", ascending=False, kind="stable").reset_index(drop=True)


def method_bars(study: Tables) -> Figure:
    """Bars: top-1 of every method, mean over targets and both directions, best first; marks are single targets."""
    table, means = _with_target(study), method_means(study)
    names = [method_name(str(row.method), str(row.condition), "<br>") for row in means.itertuples()]
    figure = go.Figure()
    for condition, name in (("pre", "without intervention"), ("post", "with the experts set")):
        mine = means["condition"] == condition
        rows = means[mine]
        figure.add_bar(
            name=name,
            orientation="h",
            x=rows["top1"],
            y=[label for label, wanted in zip(names, mine, strict=True) if wanted],
            error_x={"array": rows["high"] - rows["top1"], "arrayminus": rows["top1"] - rows["low"]},
            marker={"color": COLOURS[condition == "post"], "pattern_shape": "/" if condition == "post" else ""},
            customdata=rows[["low", "high"]],
            hovertemplate="%{y}: %{x:.1%} [%{customdata[0]:.1%}, %{customdata[1]:.1%}]<extra></extra>",
        )
    for target, rows in table.groupby("target", sort=False):
        single = rows.groupby(["method", "condition"])["top1"].mean()
        figure.add_scatter(
            name=escaped(target),
            x=[single.get((row.method, row.condition)) for row in means.itertuples()],
            y=names,
            mode="markers",
            marker={"color": colour_of(str(target)), "symbol": symbol_of(str(target)), "size": 7},
            hovertemplate=f"{escaped(target)}: %{{x:.1%}}<extra></extra>",
        )
    return finish(
        figure,
        "Which method retrieves most translations",
        xaxis={"title": "top-1 accuracy", "tickformat": ".0%", "rangemode": "tozero"},
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": names, "title": "method"},
        height=max(360, 130 + 42 * len(names)),
    )


def method_name(method: str, condition: str, between: str = " ") -> str:
    """A method in words.

    Examples:
        >>> method_name("centred", "post")
        'centred, experts set'
        >>> method_name("last layer", "pre")
        'unchanged model'
    """
    if method == LAST:
        return "unchanged model" if condition == "pre" else f"experts set,{between}nothing else"
    return f"{escaped(method)},{between}{'no intervention' if condition == 'pre' else 'experts set'}"


def _with_target(study: Tables) -> "pd.DataFrame":
    table = table_of(study, "baselines")
    table = table[table["kind"].isin(WITH_TARGET)]
    if table.empty:
        raise TLExpertsError("the study has no baselines between a target and other languages")
    return table
