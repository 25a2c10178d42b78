"""Figure of a search for alignment: does any setting find more translations than no intervention, and which?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from tl_experts.plots.style import Figure, escaped, finish, mark_of
from tl_experts.steering.wording import SCORINGS, held, scoring_in_words

if TYPE_CHECKING:
    from tl_experts.steering.tuning import Setting
    from tl_experts.study.aligning import AlignmentResult, AlignmentTrial

HALF = 0.4
"""Half the width of a stage, whose distance from the next is 1."""


def alignment_search(found: "AlignmentResult") -> Figure:
    """Points: how much more often translations are found under each setting than without, on the same dev rows.

    A search compares many settings on few rows and the best on more, from left to right. The line at 0 is no
    intervention in its best layer, raw or centred; what is above does better on the dev split. A ring marks the best
    setting; the title says whether the test split confirms it.

    Args:
        found: from `tune_alignment`.
    """
    scorings = [name for name in SCORINGS if any(_scoring(trial) == name for trial in found.trials)]
    figure = go.Figure()
    for scoring in scorings:
        own = [trial for trial in found.trials if _scoring(trial) == scoring]
        figure.add_scatter(
            name=scoring_in_words(scoring),
            x=[_position(trial, found, scorings) for trial in own],
            y=[_gain(trial, found) for trial in own],
            mode="markers",
            marker={"size": 10, **mark_of(scoring_in_words(scoring))},
            text=[_hover(trial, found) for trial in own],
            hovertemplate="%{text}<extra></extra>",
        )
    _draw_baselines(figure, found)
    figure.add_scatter(
        name="best setting",
        x=[_position(found.best, found, scorings)],
        y=[_gain(found.best, found)],
        mode="markers",
        marker={"symbol": "circle-open", "size": 20, "color": "#000000", "line": {"width": 2}},
        hoverinfo="skip",
    )
    figure.add_annotation(
        text=_verdict(found),
        x=0,
        y=1,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        align="left",
        showarrow=False,
    )
    ticks = [f"{one.rows} rows<br>no intervention: {one.top1:.1%}" for one in found.baselines]
    verdict = "the best setting beats" if found.beats_baseline else "no setting is shown to beat"
    return finish(
        figure,
        f"Aligning by {found.target}: {verdict} no intervention",
        xaxis={
            "title": "how much of the dev split was compared",
            "tickvals": list(range(len(ticks))),
            "ticktext": ticks,
            "range": [-0.5, len(ticks) - 0.5],
            "zeroline": False,
        },
        yaxis={"title": "top-1 above no intervention, percentage points", "zeroline": False},
        legend_title="neurons chosen by",
        height=520,
        margin_t=90,
    )


def _position(trial: "AlignmentTrial", found: "AlignmentResult", scorings: Sequence[str]) -> float:
    """Of a point: scorings are side by side, so that points of equal top-1 do not hide each other."""
    stages = [baseline.stage for baseline in found.baselines]
    return stages.index(trial.stage) + HALF * ((2 * scorings.index(_scoring(trial)) + 1) / len(scorings) - 1)


def _draw_baselines(figure: Figure, found: "AlignmentResult") -> None:
    """One line for each number of rows."""
    x, text = [], []
    for place, baseline in enumerate(found.baselines):
        x += [place - HALF, place, place + HALF, None]
        text += [f"no intervention: {_measured(baseline)}"] * 3 + [""]
    figure.add_scatter(
        name="no intervention, at best",
        x=x,
        y=[None if value is None else 0.0 for value in x],
        mode="lines",
        line={"color": "#000000", "width": 2},
        text=text,
        hovertemplate="%{text}<extra></extra>",
    )


def _verdict(found: "AlignmentResult") -> str:
    """What the test split says of the best setting."""
    gain = found.gain_over_baseline
    return (
        f"{escaped(_in_words(found.best.setting))}<br>on the test split: {100 * gain.value:+.1f} points "
        f"[{100 * gain.low:+.1f}, {100 * gain.high:+.1f}] over no intervention at best ({found.unsteered.view})"
    )


def _hover(trial: "AlignmentTrial", found: "AlignmentResult") -> str:
    more = f"{_gain(trial, found):+.1f} points over no intervention at best"
    return f"{escaped(_in_words(trial.setting))}<br>{_measured(trial)}<br>{more}"


def _gain(trial: "AlignmentTrial", found: "AlignmentResult") -> float:
    """Over no intervention on the same rows, in percentage points."""
    return 100 * (trial.top1 - found.baseline_of(trial).top1)


def _measured(trial: "AlignmentTrial") -> str:
    return f"top-1 {trial.top1:.1%} of {trial.rows} rows ({trial.view})"


def _scoring(trial: "AlignmentTrial") -> str:
    return "" if trial.setting is None else trial.setting.scoring


def _in_words(setting: "Setting | None") -> str:
    """A setting as a sentence would say it."""
    if setting is None:
        return "no intervention"
    chosen = scoring_in_words(setting.scoring)
    parts = (
        [chosen] if setting.shifts else [f"{setting.count} neurons by {chosen}", held(setting.operation, setting.value)]
    )
    if setting.layers is not None:
        parts.append(f"layer{'s' if len(setting.layers) > 1 else ''} {', '.join(map(str, setting.layers))}")
    if setting.source is not None:
        parts.append(f"from {setting.source}")
    return ", ".join([*parts, f"strength {setting.strength:g}"])
