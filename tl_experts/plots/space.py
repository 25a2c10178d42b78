"""Figures of the embedding space: distances, isotropy, the language subspace, the sentences themselves."""

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from tl_experts.errors import TLExpertsError, near
from tl_experts.plots.maps import before_after_maps
from tl_experts.plots.style import (
    COLOURS,
    Figure,
    Tables,
    colour_of,
    escaped,
    finish,
    language_order,
    symbol_of,
    table_of,
    targets_of,
    whiskers,
)

if TYPE_CHECKING:
    import pandas as pd

STEPS = 5
"""Steps of the slider between pre and post."""

MEASURES = {
    "all_pairs": "all pairs of languages",
    "target_to_medoid": "target to medoid",
    "nontarget_to_medoid": "others to medoid",
    "nontarget_to_target": "others to target",
}


def distance_maps(study: Tables) -> Figure:
    """Heat maps: cosine distance between every two languages, before | after | how much closer."""
    table = table_of(study, "pair_distances")
    after = {target: _of(table, target) for target in targets_of(table)}
    figure = before_after_maps(
        table[table["condition"] == "pre"],
        after,
        rows="language",
        columns="other",
        value="distance",
        difference="closer by",
        sign=-1,
    )
    return finish(figure, "Cosine distance between languages")


def distance_bars(study: Tables) -> Figure:
    """Bars: the paper's Table 1, distances before and after, mean ± standard error over targets."""
    table = table_of(study, "table1")
    figure = go.Figure()
    for index, condition in enumerate(("pre", "post")):
        figure.add_bar(
            name="before" if condition == "pre" else "after",
            x=[MEASURES.get(measure, measure) for measure in table["measure"]],
            y=table[condition],
            error_y=whiskers(table[condition], table[f"{condition}_se"]),
            marker_color=COLOURS[index],
            customdata=table[[f"{condition}_se"]],
            hovertemplate="%{x}: %{y:.3f} ± %{customdata[0]:.3f}<extra>%{fullData.name}</extra>",
        )
    return finish(
        figure,
        "Distances, mean ± standard error over targets",
        barmode="group",
        xaxis_title="distances between",
        yaxis_title="cosine distance",
    )


def isotropy_bars(study: Tables) -> Figure:
    """Bars: three measures of isotropy, before and with each target's experts set."""
    names = {
        "mean_cosine": "mean cosine of random pairs (isotropic: 0)",
        "partition_ratio": "partition-function ratio (isotropic: 1)",
        "isoscore": "IsoScore (isotropic: 1)",
    }
    return _bars(study, names, "Isotropy of the space")


def subspace_bars(study: Tables) -> Figure:
    """Bars: the share of variance between languages, before and with each target's experts set."""
    names = {
        "variance_language": "share of variance between languages",
        "variance_meaning": "share between rows (meaning)",
        "subspace_share": "share inside the language subspace",
    }
    return _bars(study, names, "Language in the variance of the space")


def _bars(study: Tables, names: dict[str, str], title: str) -> Figure:
    table = table_of(study, "geometry")
    order = ["", *targets_of(table)]
    table = table.sort_values("target", key=lambda targets: targets.map(order.index))
    labels = ["before" if not target else f"{escaped(target)} experts" for target in table["target"]]
    figure = go.Figure()
    for index, (column, name) in enumerate(names.items()):
        figure.add_bar(
            name=name,
            x=labels,
            y=table[column],
            marker_color=COLOURS[index],
            hovertemplate="%{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    return finish(
        figure,
        title,
        barmode="group",
        xaxis_title="experts that are set",
        yaxis_title="value",
        legend={"orientation": "h", "y": -0.25},
    )


def language_scatter(study: Tables, target: str) -> Figure:
    """Sentences in one plane, with a slider from before to after (Figure 6).

    Pre and post were projected together, so every point moves along a line from one to the other.

    Raises:
        TLExpertsError: the study has no such target.
    """
    table = table_of(study, "picture")
    targets = targets_of(table)
    if target not in targets:
        raise TLExpertsError(f"no picture of {target!r}; {near(target, targets)}")
    mine = table[table["target"] == target].set_index(["condition", "language", "row"])[["x", "y"]]
    pre = mine[mine.index.get_level_values(0) == "pre"].droplevel(0)
    post = mine[mine.index.get_level_values(0) == "post"].droplevel(0).reindex(pre.index)
    languages = language_order(pre.index.get_level_values(0))
    frames = [
        go.Frame(name=str(step), data=[_points(pre, post, language, step / STEPS) for language in languages])
        for step in range(STEPS + 1)
    ]
    figure = go.Figure(data=[_points(pre, post, language, 0.0, whole=True) for language in languages], frames=frames)
    low, high = mine.min(), mine.max()
    margin = (high - low) * 0.05
    ranges = {axis: [low[axis] - margin[axis], high[axis] + margin[axis]] for axis in ("x", "y")}
    return finish(
        figure,
        f"Sentences with {target} experts set: from before to after",
        sliders=[_slider()],
        xaxis={"title": "first coordinate", "range": ranges["x"], "showticklabels": False},
        yaxis={"title": "second coordinate", "range": ranges["y"], "showticklabels": False},
        legend_title="language",
        height=560,
    )


def _points(pre: "pd.DataFrame", post: "pd.DataFrame", language: str, share: float, *, whole: bool = False) -> Any:
    """One language's points, a share of the way to post; a frame holds only coordinates, the figure the rest."""
    of_language = pre.index.get_level_values(0) == language
    points = ((1 - share) * pre + share * post)[of_language].droplevel(0)
    trace = go.Scatter(x=points["x"].round(4), y=points["y"].round(4))
    if whole:
        trace.update(
            name=escaped(language),
            mode="markers",
            marker={"color": colour_of(language), "symbol": symbol_of(language), "size": 7, "opacity": 0.75},
            text=[f"row {row}" for row in points.index],
            hovertemplate=f"{escaped(language)}, %{{text}}<extra></extra>",
        )
    return trace


def _slider() -> dict[str, Any]:
    names = {0: "before", STEPS: "after"}
    steps = [
        {
            "label": names.get(step, f"{step * 100 // STEPS}%"),
            "method": "animate",
            "args": [[str(step)], {"mode": "immediate", "frame": {"duration": 0, "redraw": False}}],
        }
        for step in range(STEPS + 1)
    ]
    return {"steps": steps, "active": 0, "currentvalue": {"visible": False}, "pad": {"t": 45}}


def _of(table: "pd.DataFrame", target: str) -> "pd.DataFrame":
    return table[(table["target"] == target) & (table["condition"] == "post")]
