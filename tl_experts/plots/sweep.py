"""The figure of the sweep over k (the paper's Figure 3)."""

import plotly.graph_objects as go

from tl_experts.plots.style import Figure, Tables, colour_of, dash_of, escaped, finish, table_of, targets_of


def sweep_front(study: Tables) -> Figure:
    """Lines: language id against perplexity over k, one per target; marks on the Pareto front are filled."""
    table = table_of(study, "sweep")
    figure = go.Figure()
    for target in targets_of(table):
        rows = table[table["target"] == target].sort_values("k")
        figure.add_scatter(
            name=escaped(target),
            x=rows["perplexity"],
            y=rows["language_id"],
            mode="lines+markers+text",
            line={"color": colour_of(target), "dash": dash_of(target), "width": 1.5},
            marker={"symbol": ["circle" if best else "circle-open" for best in rows["pareto"]], "size": 10},
            text=[str(k) for k in rows["k"]],
            textposition="top center",
            textfont_size=11,
            customdata=rows["dev_top1"],
            hovertemplate="k = %{text}: perplexity %{x:.1f}, language id %{y:.3f}, top-1 on dev %{customdata:.3f}"
            "<extra>%{fullData.name}</extra>",
        )
    return finish(
        figure,
        "How many experts: language id against perplexity",
        xaxis={"title": "perplexity of the target's text", "type": "log"},
        yaxis={"title": "probability of the target language", "range": [-0.03, 1.08]},
        legend_title="target",
    )
