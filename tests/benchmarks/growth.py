"""How time and memory grow with the input: jobs 1, 3, 4 and 7 at five sizes that span a factor of 100."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from tests.benchmarks.inputs import LANGUAGES, Setting
from tests.benchmarks.timing import peak_of, seconds
from tl_experts import Batching, Corpus, Reading, collect_responses, find_experts
from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.experts.auroc import score

SIZES = (0.01, 0.0316, 0.1, 0.316, 1.0)

THEORY = {
    "1 scoring, by sentences": ("n", "n^0: a chunk of keys, whatever n"),
    "3 collecting, by sentences": ("n", "n: the responses"),
    "4 find_experts, by sentences": ("n", "n: the responses"),
    "7 retrieval, by sentences": ("n^2", "n^2: one pair's similarities"),
}


LEAST = 1.0
"""MiB: less cannot be distinguished from the process's own memory."""

Point = tuple[int, float, float]
"""Sentences, seconds, MiB."""


def measure(setting: Setting) -> dict[str, list[Point]]:
    """Sizes, seconds (the best of three) and peak MiB of each job; memory of its input is not counted."""
    return {
        "1 scoring, by sentences": _at(_sizes(setting.sentences, 12), lambda n: _scoring(setting, n)),
        "3 collecting, by sentences": _at(_sizes(len(setting.corpus), 30), lambda n: _collecting(setting, n)),
        "4 find_experts, by sentences": _at(_sizes(len(setting.corpus), 30), lambda n: _finding(setting, n)),
        "7 retrieval, by sentences": _at(_sizes(4_000, 40), _retrieving),
    }


def exponent(points: Sequence[Point], column: int = 1) -> float:
    """Slope of the least-squares line on logarithmic axes, over the three sizes where constant costs matter least.

    Args:
        points: sizes, seconds, MiB.
        column: 1: of the seconds; 2: of the MiB.
    """
    upper = np.array(points[-3:], float)
    return float(np.polyfit(np.log(upper[:, 0]), np.log(np.maximum(upper[:, column], 1e-9)), 1)[0])


def draw(found: dict[str, list[Point]]) -> Any:
    """The log-log figure: time beside memory."""
    from plotly.subplots import make_subplots

    from tl_experts.plots.style import COLOURS, finish

    figure = make_subplots(cols=2, subplot_titles=("seconds", "MiB at the peak"))
    for index, (name, points) in enumerate(found.items()):
        for column in (1, 2):
            figure.add_scatter(
                name=f"{name}: time n^{exponent(points):.2f} (theory: {THEORY[name][0]}), "
                f"memory n^{exponent(points, 2):.2f} (theory: {THEORY[name][1]})",
                legendgroup=name,
                showlegend=column == 1,
                x=[point[0] for point in points],
                y=[point[column] for point in points],
                mode="lines+markers",
                line_color=COLOURS[index],
                row=1,
                col=column,
            )
    figure.update_xaxes(type="log", title="sentences", dtick=1)
    figure.update_yaxes(type="log", dtick=1)
    return finish(figure, "How time and memory grow", margin={"l": 60}, legend={"orientation": "h", "y": -0.27})


def _sizes(most: int, least: int) -> list[int]:
    return [max(least, math.ceil(share * most)) for share in SIZES]


def _at(sizes: Sequence[int], job: Callable[[int], Callable[[], object]]) -> list[Point]:
    points = []
    for size in sizes:
        work = job(size)
        work()
        fastest = min(seconds(work) for _ in range(3))
        points.append((size, fastest, max(LEAST, peak_of(work))))
    return points


def _scoring(setting: Setting, count: int) -> Callable[[], object]:
    values, labels = setting.responses
    part = np.ascontiguousarray(values[:count])
    return lambda: score(part, labels[:count], len(LANGUAGES))


def _part(setting: Setting, count: int) -> Corpus:
    return setting.corpus.head(max(1, count // len(LANGUAGES)))


def _collecting(setting: Setting, count: int) -> Callable[[], object]:
    corpus = _part(setting, count)
    return lambda: collect_responses(
        setting.model, corpus, reading=Reading(batching=Batching(truncate=True)), progress=False
    )


def _finding(setting: Setting, count: int) -> Callable[[], object]:
    corpus = _part(setting, count)
    return lambda: find_experts(
        setting.model, corpus, reading=Reading(batching=Batching(truncate=True)), progress=False
    )


def _retrieving(count: int) -> Callable[[], object]:
    generator = torch.Generator().manual_seed(0)
    vectors = {f"l{index}": torch.randn(count, 256, generator=generator) for index in range(6)}
    return lambda: all_pair_ranks(vectors)
