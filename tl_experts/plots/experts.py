"""Figures of the experts themselves: their layers, their AUROC, their responses, their overlap."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from tl_experts.errors import TLExpertsError
from tl_experts.experts.expertise import Expertise
from tl_experts.experts.experts import Experts
from tl_experts.plots.style import (
    FILLED,
    SEQUENTIAL,
    Figure,
    colour_of,
    dash_of,
    escaped,
    finish,
    language_order,
    pattern_of,
    shorten,
)
from tl_experts.responses.collect import Responses

POINTS = 400
"""Points of a curve over all neurons: evenly spaced on its logarithmic axis, they look like the whole curve."""

LAYERS_NAMED = 15
"""At most so many layers are named on an axis, always whole ones."""

SHOWN = 200
"""Sentences of a language that are drawn as single points."""


def experts_per_layer(experts: Experts) -> Figure:
    """Bars: experts of each language in every layer."""
    layers, counts = _counts(experts)
    figure = go.Figure()
    for language, row in zip(language_order(experts.languages), counts, strict=True):
        total = max(1, int(row.sum()))
        figure.add_bar(
            name=language,
            x=layers,
            y=row,
            marker={"color": colour_of(language), "pattern": {"shape": pattern_of(language), **FILLED}},
            customdata=row / total,
            hovertemplate=f"{escaped(language)}, layer %{{x}}: %{{y}} of {total} experts (%{{customdata:.1%}})"
            "<extra></extra>",
        )
    return finish(
        figure,
        "Experts per layer",
        barmode="group",
        xaxis_title="layer",
        yaxis_title="experts",
        legend_title="language",
    )


def experts_heatmap(experts: Experts) -> Figure:
    """Heat map: the share of each language's experts in every layer."""
    layers, counts = _counts(experts)
    totals = counts.sum(axis=1, keepdims=True)
    figure = go.Figure(
        go.Heatmap(
            z=counts / np.maximum(totals, 1),
            x=layers,
            y=[escaped(language) for language in language_order(experts.languages)],
            customdata=counts,
            colorscale=SEQUENTIAL,
            zmin=0,
            colorbar_title="share",
            hovertemplate="%{y}, layer %{x}: %{customdata} experts (%{z:.1%})<extra></extra>",
        )
    )
    return finish(
        figure,
        "Layers of each language's experts",
        xaxis={"title": "layer", "tick0": 0, "dtick": -(-len(layers) // LAYERS_NAMED)},
        yaxis={"title": "language", "autorange": "reversed", "type": "category"},
    )


def auroc_by_rank(expertise: Expertise, *, k: int | None = None, languages: Sequence[str] | None = None) -> Figure:
    """Curves: AUROC of every neuron by its rank, one per language; the k best are left of the line.

    Args:
        expertise: from `score_responses`.
        k: number of experts, marked by a line; None: no line.
        languages: languages to draw; None: all.

    Raises:
        ResponseError: a language that was not scored.
        TLExpertsError: k is larger than the number of neurons.
    """
    total = expertise.neurons.total
    if k is not None and not 1 <= k <= total:
        raise TLExpertsError(f"k is {k}; expected None, or 1 to {total}, the number of neurons")
    ranks = np.unique(np.geomspace(1, total, min(POINTS, total)).round().astype(int))
    figure = go.Figure()
    for language in language_order(languages or expertise.languages):
        column = expertise.column(language)
        order = np.argsort(-expertise.auroc[:, column], kind="stable")[ranks - 1]
        figure.add_scatter(
            name=language,
            x=ranks,
            y=expertise.auroc[order, column],
            mode="lines",
            line={"color": colour_of(language), "dash": dash_of(language)},
            text=[expertise.neurons.describe(int(neuron)) for neuron in order],
            hovertemplate=f"{escaped(language)}, rank %{{x}} of {total}: %{{text}}, AUROC %{{y:.4f}}<extra></extra>",
        )
    figure.add_hline(y=0.5, line={"color": "#888", "dash": "dot"}, annotation_text="chance")
    if k is not None:
        figure.add_vline(x=k, line={"color": "#1a1a1a", "dash": "dash"})
        # On a logarithmic axis, plotly positions lines by their value, but annotations by its logarithm.
        figure.add_annotation(x=math.log10(k), y=1.0, yref="paper", text=f"k = {k}", showarrow=False, xanchor="left")
    return finish(
        figure,
        "How well neurons identify a language",
        xaxis={"title": "rank of the neuron", "type": "log"},
        yaxis={"title": "AUROC", "range": [0, 1.02]},
        legend_title="language",
    )


def response_distributions(responses: Responses, layer: int, neuron: int) -> Figure:
    """Boxes and points: one neuron's responses to the sentences of each language.

    Raises:
        TLExpertsError: the neuron is not among those of the responses.
    """
    where = (responses.neurons.layer_of == layer) & (responses.neurons.neuron_of == neuron)
    if not where.any():
        raise TLExpertsError(f"L{layer} N{neuron} is not among the {responses.neurons.total} neurons of the responses")
    values = responses.values[:, int(np.flatnonzero(where)[0])].float().numpy()
    labels = np.array(responses.corpus.labels)
    figure = go.Figure()
    for language in language_order(responses.corpus.languages):
        mine = np.flatnonzero(labels == language)
        # The box shows all sentences; points are drawn for a part of them, spread evenly over the corpus.
        drawn = mine[:: max(1, -(-len(mine) // SHOWN))]
        low, middle, high = np.quantile(values[mine], [0.25, 0.5, 0.75])
        figure.add_box(
            name=escaped(language),
            x0=escaped(language),
            q1=[low],
            median=[middle],
            q3=[high],
            lowerfence=[values[mine].min()],
            upperfence=[values[mine].max()],
            line_color=colour_of(language),
            showlegend=False,
        )
        figure.add_scatter(
            x=[escaped(language)] * len(drawn),
            y=values[drawn],
            mode="markers",
            marker={"color": colour_of(language), "size": 4, "opacity": 0.5},
            text=[shorten(responses.corpus.texts[index]) for index in drawn],
            hovertemplate=f"{escaped(language)}, response %{{y:.3f}}<br>%{{text}}<extra></extra>",
            showlegend=False,
        )
    return finish(
        figure,
        f"Responses of L{layer} N{neuron} ({responses.pooling} over tokens)",
        xaxis={"title": "language", "type": "category"},
        yaxis_title="response",
    )


def expert_overlap(experts: Experts) -> Figure:
    """Heat map: Jaccard index of the expert sets of every two languages."""
    order = language_order(experts.languages)
    table = experts.overlap().reindex(index=order, columns=order).to_numpy(dtype=float, copy=True)
    shared = [[len(experts.neurons_of(one) & experts.neurons_of(other)) for other in order] for one in order]
    np.fill_diagonal(table, np.nan)  # 1 by definition; it would flatten all other colours
    figure = go.Figure(
        go.Heatmap(
            z=table,
            x=[escaped(language) for language in order],
            y=[escaped(language) for language in order],
            customdata=shared,
            hoverongaps=False,
            zmin=0,
            colorscale=SEQUENTIAL,
            colorbar_title="Jaccard",
            hovertemplate="%{y} and %{x} share %{customdata} experts (Jaccard %{z:.3f})<extra></extra>",
        )
    )
    return finish(
        figure,
        "Overlap of the languages' experts",
        yaxis={"title": "language", "autorange": "reversed", "scaleanchor": "x", "type": "category", "dtick": 1},
        xaxis={"title": "language", "constrain": "domain", "type": "category", "dtick": 1},
    )


def _counts(experts: Experts) -> tuple[list[int], np.ndarray]:
    layers = list(experts.candidates.layers)
    rows = [
        [int((experts[language].layer == layer).sum()) for layer in layers]
        for language in language_order(experts.languages)
    ]
    return layers, np.array(rows)
