"""Figures of retrieval: every pair, every layer, baselines, controls, gain against distance."""

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from tl_experts.analysis.statistics import fitted_line
from tl_experts.errors import TLExpertsError
from tl_experts.plots.maps import before_after_maps
from tl_experts.plots.style import (
    COLOURS,
    Figure,
    Tables,
    colour_of,
    escaped,
    finish,
    language_order,
    menu,
    symbol_of,
    table_of,
    targets_of,
    whiskers,
)

if TYPE_CHECKING:
    import pandas as pd

TOP1 = "top-1 accuracy"


def retrieval_maps(study: Tables, *, measure: str = "cosine", condition: str = "post") -> Figure:
    """Heat maps: top-1 of every ordered pair, before | after | gain.

    Args:
        study: the study's tables.
        measure: ``"cosine"``, ``"csls"`` or ``"margin"``.
        condition: ``"post"``, or ``"mixed"``: queries before, candidates after.
    """
    table = table_of(study, "retrieval")
    table = table[table["measure"] == measure]
    later = table[table["condition"] == condition]
    if later.empty:
        raise TLExpertsError(f"the study has no retrieval by {measure!r} in condition {condition!r}")
    figure = before_after_maps(
        table[table["condition"] == "pre"],
        {target: later[later["target"] == target] for target in targets_of(later)},
        rows="query",
        columns="candidate",
        value="top1",
        difference="gain",
        top=1.0,
    )
    return finish(figure, f"Top-1 retrieval of every pair ({measure})")


def gain_against_distance(study: Tables) -> Figure:
    """Points: gain in top-1 over reduction of distance, one per candidate language, with each target's fitted line.

    The band is the line's 95% bootstrap interval over candidate languages. A menu selects the target, or all of them.
    """
    table = table_of(study, "candidates")
    figure = go.Figure()
    targets = targets_of(table)
    for target in targets:
        mine = table[table["target"] == target]
        shown: dict[str, object] = {"legendgroup": target, "visible": target == targets[0]}
        figure.add_scatter(
            name=f"{escaped(target)} experts",
            x=mine["distance reduction"],
            y=mine["gain"],
            mode="markers+text",
            text=[escaped(candidate) for candidate in mine["candidate"]],
            textposition="top center",
            marker={"color": colour_of(target), "symbol": symbol_of(target), "size": 9},
            hovertemplate="%{text}: distance reduced by %{x:.3f}, top-1 %{y:+.3f}<extra>%{fullData.name}</extra>",
            **shown,
        )
        _add_line(figure, mine, target, shown)
    figure.add_hline(y=0, line={"color": "#888", "dash": "dot"})
    labels = [*(f"{target} experts" for target in targets), "all targets"]
    flags = [[trace.legendgroup == target for trace in figure.data] for target in targets]
    return finish(
        figure,
        "Gain against reduction of distance",
        updatemenus=[menu(labels, [*flags, [True] * len(figure.data)])],
        xaxis_title="reduction of cosine distance to the target",
        yaxis_title="gain in top-1, the target as query",
    )


def _add_line(figure: Figure, table: "pd.DataFrame", target: str, shown: dict[str, object]) -> None:
    x, y = table["distance reduction"].to_numpy(), table["gain"].to_numpy()
    at = np.linspace(x.min(), x.max(), 30)
    try:
        line, low, high = fitted_line(x, y, at, seed=0)
    except TLExpertsError:
        return  # only two candidate languages: points without a line
    quiet = {"hoverinfo": "skip", "showlegend": False, "mode": "lines"} | shown
    figure.add_scatter(x=at, y=line, line={"color": colour_of(target)}, **quiet)
    figure.add_scatter(
        x=[*at, *at[::-1]],
        y=[*high, *low[::-1]],
        fill="toself",
        line_width=0,
        fillcolor=colour_of(target),
        opacity=0.15,
        **quiet,
    )


def layer_retrieval(study: Tables) -> Figure:
    """Lines: top-1 over all pairs for every layer without intervention; the layer chosen on dev is marked."""
    table = table_of(study, "layers")
    figure = go.Figure()
    for index, (column, name) in enumerate((("top1", "unchanged"), ("top1_centred", "languages centred"))):
        figure.add_scatter(
            name=name,
            x=table["layer"],
            y=table[column],
            mode="lines+markers",
            line={"color": COLOURS[index], "dash": ("solid", "dash")[index]},
            hovertemplate="layer %{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    chosen = table[table["chosen"]]
    figure.add_scatter(
        name="chosen on dev",
        x=chosen["layer"],
        y=chosen["top1"],
        mode="markers",
        marker={"size": 14, "symbol": "circle-open", "color": "#1a1a1a", "line_width": 2},
        hovertemplate="layer %{x}, best on dev: %{y:.3f} here<extra></extra>",
    )
    return finish(
        figure,
        "Every layer without intervention",
        xaxis={"title": "layer", "type": "category"},
        yaxis={"title": f"{TOP1}, all pairs", "rangemode": "tozero"},
    )


def baseline_bars(study: Tables, *, kind: str = "target as query") -> Figure:
    """Bars: the intervention and the baselines that need none, before and after, with 95% intervals."""
    table = table_of(study, "baselines")
    table = table[table["kind"] == kind]
    if table.empty:
        kinds = ", ".join(map(repr, dict.fromkeys(study["baselines"]["kind"])))
        raise TLExpertsError(f"the study has no baselines of kind {kind!r}; it has {kinds}")
    order = language_order(table["target"])
    methods = list(dict.fromkeys(table["method"]))
    figure = go.Figure()
    for (method, condition), rows in table.groupby(["method", "condition"], sort=False):
        rows = rows.set_index("target").reindex(order)
        figure.add_bar(
            name=f"{escaped(method)}, {'before' if condition == 'pre' else 'after'}",
            x=[escaped(target) for target in order],
            y=rows["top1"],
            error_y={"array": rows["high"] - rows["top1"], "arrayminus": rows["top1"] - rows["low"]},
            marker={
                "color": COLOURS[methods.index(str(method)) % len(COLOURS)],
                # The same colour before and after; hatched after, so that they also differ in grey.
                "pattern_shape": "" if condition == "pre" else "/",
            },
            hovertemplate="%{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    return finish(
        figure,
        f"The intervention and baselines without it ({kind})",
        barmode="group",
        xaxis={"title": "target", "type": "category"},
        yaxis_title=TOP1,
    )


def control_bars(study: Tables, *, kind: str = "target as query") -> Figure:
    """Bars: the experts and other neurons instead of them; the whiskers are the spread over seeds."""
    table = table_of(study, "control_summary")
    table = table[table["kind"] == kind]
    if table.empty:
        raise TLExpertsError(f"the study has no controls of kind {kind!r}")
    order = language_order(table["target"])
    # "experts of fr" for one target and "experts of ja" for another share a bar.
    name = table["control"].where(~table["control"].str.fullmatch(r"experts of \S+"), "another language's experts")
    figure = go.Figure()
    for index, (control, rows) in enumerate(table.groupby(name, sort=False)):
        rows = rows.set_index("target").reindex(order)
        figure.add_bar(
            name=escaped(control),
            x=[escaped(target) for target in order],
            y=rows["top1"],
            error_y=whiskers(rows["top1"], rows["spread"]),
            marker_color=COLOURS[index % len(COLOURS)],
            customdata=rows[["seeds", "experts_lead", "p_holm"]],
            hovertemplate="%{x}: %{y:.3f}, %{customdata[0]} draws; the experts lead by %{customdata[1]:.3f}"
            "<extra>%{fullData.name}</extra>",
        )
    return finish(
        figure,
        f"Is it the experts? ({kind})",
        barmode="group",
        xaxis={"title": "target", "type": "category"},
        yaxis_title=TOP1,
    )
