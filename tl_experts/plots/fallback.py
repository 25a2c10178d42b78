"""Figure of the languages that a model writes as one after the other is silenced."""

import plotly.graph_objects as go

from tl_experts.plots.style import FILLED, Figure, colour_of, escaped, finish, language_order, pattern_of
from tl_experts.steering.fallback import NONE, Fallback


def fallback_bars(fallback: Fallback) -> Figure:
    """Stacked bars: the share of texts in each language, by what is silenced.

    Args:
        fallback: from `fallback_languages`.
    """
    steps = ["none", *(f"+ {escaped(language)}" for language in fallback.silenced)]
    shares = dict(zip(fallback.languages, fallback.shares.T, strict=True))
    figure = go.Figure()
    for language in language_order(fallback.languages):
        figure.add_bar(
            name=escaped(language),
            x=steps,
            y=shares[language],
            marker={"color": colour_of(language), "pattern": {"shape": pattern_of(language), **FILLED}},
            hovertemplate=f"silenced: %{{x}}<br>{escaped(language)}: %{{y:.1%}} of {len(fallback.texts[0])} texts"
            "<extra></extra>",
        )
    empty = 1 - fallback.shares.sum(axis=1)
    if (empty > 1e-9).any():
        figure.add_bar(name=NONE, x=steps, y=empty, marker_color="#cccccc", hovertemplate="no text: %{y:.1%}")
    return finish(
        figure,
        "Language of generated texts as languages are silenced",
        barmode="stack",
        xaxis={"title": "language silenced as well", "type": "category"},
        yaxis={"title": "share of texts", "range": [0, 1.02], "tickformat": ".0%"},
        legend_title="language",
    )
