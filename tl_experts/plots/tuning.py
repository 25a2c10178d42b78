"""Figure of a search for a setting: share of the language against perplexity, one point per trial."""

import plotly.graph_objects as go

from tl_experts.plots.style import Figure, colour_of, escaped, finish
from tl_experts.steering.tuning import Trial, TuneResult


def tuning_front(result: TuneResult) -> Figure:
    """Points: share of texts in the language against their median perplexity; a line joins the Pareto front.

    Filled points are the finalists, or without a final the settings tried on all prompts; open ones have fewer texts.
    Trials that were stopped have no perplexity, and are not shown. A dashed line marks the median perplexity of natural
    texts.

    Args:
        result: from `tune`.
    """
    shown = [trial for trial in result.trials if not trial.stopped]
    last = max((trial.stage for trial in shown), default=0)
    figure = go.Figure()
    for name, symbol, trials in (
        ("fewer texts", "circle-open", [trial for trial in shown if trial.stage < last]),
        ("most texts", "circle", [trial for trial in shown if trial.stage == last]),
    ):
        figure.add_scatter(
            name=name,
            x=[trial.perplexity for trial in trials],
            y=[trial.share for trial in trials],
            mode="markers",
            marker={"symbol": symbol, "size": 9, "color": colour_of(result.target)},
            text=[_hover(trial) for trial in trials],
            hovertemplate="%{text}<extra></extra>",
        )
    front = result.front
    figure.add_scatter(
        name="front",
        x=[trial.perplexity for trial in front],
        y=[trial.share for trial in front],
        mode="lines",
        line={"color": colour_of(result.target), "width": 1.5},
        hoverinfo="skip",
    )
    natural = result.natural.perplexity.value
    figure.add_vline(x=natural, line={"dash": "dash", "width": 1}, annotation_text=f"natural texts: {natural:.3g}")
    return finish(
        figure,
        f"Settings that write {escaped(result.target)}",
        xaxis={"title": "median perplexity of a text, without steering", "type": "log"},
        yaxis={"title": "share of texts in the language", "range": [-0.03, 1.08]},
    )


def _hover(trial: Trial) -> str:
    measures = (
        f"{trial.share:.0%} of {trial.texts} texts, perplexity {trial.perplexity:.3g}, distinct bigrams "
        f"{trial.distinct:.2f}, score {trial.score:.2f}"
    )
    return f"{escaped(str(trial.setting))}<br>{measures}<br>{escaped(trial.example[:80])}"
