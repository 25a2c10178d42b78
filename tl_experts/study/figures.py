"""The report's figures: tables in, plotly out. Nothing is computed beyond means, nothing shown or saved."""

from typing import TYPE_CHECKING, Any

from tl_experts.study.result import StudyResult

if TYPE_CHECKING:
    import pandas as pd

# Okabe and Ito's colours: apart for the colour-blind too.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000", "#999999")


def figures(result: StudyResult) -> list[Any]:
    """All figures, in the order of the report."""
    return [
        _baselines(result["baselines"]),
        _retrieval(result),
        _distances(result),
        _picture(result["picture"], result.config.targets[0]),
        *([_sweep(result["sweep"])] if "sweep" in result else []),
        _layers(result["layers"]),
    ]


def _baselines(table: "pd.DataFrame") -> Any:
    """Bars of top-1 with intervals, one group a target."""
    import plotly.graph_objects as go

    mine = table[table["kind"] == "target as query"]
    figure = go.Figure()
    for place, ((method, condition), rows) in enumerate(mine.groupby(["method", "condition"], sort=False)):
        figure.add_bar(
            name=f"{method}, {condition}",
            x=rows["target"],
            y=rows["top1"],
            error_y={"array": rows["high"] - rows["top1"], "arrayminus": rows["top1"] - rows["low"]},
            marker_color=COLOURS[place % len(COLOURS)],
        )
    return figure.update_layout(title="Top-1, target as query: the intervention and what needs none", barmode="group")


def _retrieval(result: StudyResult) -> Any:
    """Heat maps of top-1 by query and candidate, pre and post of each target."""
    table = result["retrieval"]
    table = table[table["measure"] == "cosine"]
    views = {"before": table[table["condition"] == "pre"]}
    for target in result.config.targets:
        views[f"{target} experts"] = table[(table["condition"] == "post") & (table["target"] == target)]
    return _maps(views, "query", "candidate", "top1", "Top-1 retrieval", top=1.0)


def _distances(result: StudyResult) -> Any:
    """Heat maps of distances between languages, pre and post of each target."""
    table = result["pair_distances"]
    views = {"before": table[table["condition"] == "pre"]}
    for target in result.config.targets:
        views[f"{target} experts"] = table[(table["condition"] == "post") & (table["target"] == target)]
    return _maps(views, "language", "other", "distance", "Cosine distance between languages", top=None)


def _maps(views: "dict[str, pd.DataFrame]", rows: str, columns: str, value: str, title: str, top: float | None) -> Any:
    """One heat map at a time, chosen from a menu."""
    import plotly.graph_objects as go

    figure = go.Figure()
    highest = top if top is not None else max(float(view[value].max()) for view in views.values())
    for place, view in enumerate(views.values()):
        order = list(dict.fromkeys(view[rows]))
        grid = view.pivot_table(index=rows, columns=columns, values=value).reindex(index=order, columns=order)
        figure.add_heatmap(
            z=grid.to_numpy(),
            x=order,
            y=order,
            zmin=0,
            zmax=highest,
            colorscale="Cividis",
            visible=place == 0,
            hovertemplate=f"{rows} %{{y}}, {columns} %{{x}}: %{{z:.3f}}<extra></extra>",
        )
    buttons = [
        {"label": name, "method": "update", "args": [{"visible": [name == other for other in views]}]} for name in views
    ]
    return figure.update_layout(
        title=title,
        updatemenus=[{"buttons": buttons}],
        # Square cells, whatever the window's width.
        yaxis={"title": rows, "autorange": "reversed", "scaleanchor": "x"},
        height=640,
        xaxis={"title": columns, "constrain": "domain"},
    )


def _picture(table: "pd.DataFrame", target: str) -> Any:
    """Sentences of pre and post in one plane."""
    import plotly.graph_objects as go

    figure = go.Figure()
    mine = table[table["target"] == target]
    colour = {language: COLOURS[i % len(COLOURS)] for i, language in enumerate(dict.fromkeys(mine["language"]))}
    for (condition, language), rows in mine.groupby(["condition", "language"], sort=False):
        figure.add_scatter(
            name=f"{language}, {condition}",
            x=rows["x"],
            y=rows["y"],
            mode="markers",
            marker={"color": colour[language], "symbol": "circle-open" if condition == "pre" else "circle", "size": 6},
            text=[f"{language}, row {row}, {condition}" for row in rows["row"]],
            hovertemplate="%{text}<extra></extra>",
        )
    return figure.update_layout(title=f"Sentences before (rings) and after (discs) steering with {target} experts")


def _sweep(table: "pd.DataFrame") -> Any:
    """Language id against perplexity, one line a target; the Pareto front filled."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for place, (target, rows) in enumerate(table.groupby("target", sort=False)):
        figure.add_scatter(
            name=str(target),
            x=rows["perplexity"],
            y=rows["language_id"],
            mode="lines+markers",
            line_color=COLOURS[place % len(COLOURS)],
            marker={"symbol": ["circle" if best else "circle-open" for best in rows["pareto"]], "size": 9},
            text=[f"k = {k}, dev top-1 {top1:.3f}" for k, top1 in zip(rows["k"], rows["dev_top1"], strict=True)],
            hovertemplate="%{text}<br>perplexity %{x:.1f}, language id %{y:.3f}",
        )
    return figure.update_layout(
        title="How many experts: language id against perplexity",
        xaxis={"title": "perplexity of the target's text", "type": "log"},
        yaxis_title="probability of the target language",
    )


def _layers(table: "pd.DataFrame") -> Any:
    """Top-1 of every layer without intervention."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for place, (name, label) in enumerate((("top1", "as it is"), ("top1_centred", "languages centred"))):
        figure.add_scatter(name=label, x=table["layer"], y=table[name], mode="lines+markers", line_color=COLOURS[place])
    return figure.update_layout(
        title="Every layer without intervention", xaxis_title="layer", yaxis_title="top-1, all pairs"
    )
