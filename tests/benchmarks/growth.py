"""How time grows with the input: jobs 1, 3, 4 and 7 at five sizes that span a factor of 100."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from tests.benchmarks.inputs import LANGUAGES, Setting
from tests.benchmarks.timing import seconds
from tl_experts import Corpus, collect_responses, find_experts
from tl_experts.ranking import score
from tl_experts.retrieval import all_pair_ranks

SIZES = (0.01, 0.0316, 0.1, 0.316, 1.0)

THEORY = {
    "1 scoring, by sentences": "n log n",
    "3 collecting, by sentences": "n",
    "4 find_experts, by sentences": "n (the passes) to n log n",
    "7 retrieval, by sentences": "n^2",
}


def measure(setting: Setting) -> dict[str, list[tuple[int, float]]]:
    """Of each job: sizes and seconds, the best of three."""
    return {
        "1 scoring, by sentences": _at(_sizes(setting.sentences, 12), lambda n: _scoring(setting, n)),
        "3 collecting, by sentences": _at(_sizes(len(setting.corpus), 30), lambda n: _collecting(setting, n)),
        "4 find_experts, by sentences": _at(_sizes(len(setting.corpus), 30), lambda n: _finding(setting, n)),
        "7 retrieval, by sentences": _at(_sizes(4_000, 40), _retrieving),
    }


def exponent(points: Sequence[tuple[int, float]]) -> float:
    """The slope of the least-squares line on logarithmic axes, over the upper three sizes: what is constant is paid."""
    upper = points[-3:]
    return float(np.polyfit(*np.log(np.array(upper, float)).T, 1)[0])


def draw(found: dict[str, list[tuple[int, float]]]) -> Any:
    """The log-log figure."""
    import plotly.graph_objects as go

    from tl_experts.plots.style import COLOURS, finish

    figure = go.Figure()
    for place, (name, points) in enumerate(found.items()):
        sizes, times = zip(*points, strict=True)
        figure.add_scatter(
            name=f"{name}: n^{exponent(points):.2f} (theory: {THEORY[name]})",
            x=sizes,
            y=times,
            mode="lines+markers",
            line_color=COLOURS[place],
        )
    axes = {"xaxis": {"type": "log", "title": "sentences"}, "yaxis": {"type": "log", "title": "seconds"}}
    return finish(figure, "How time grows", legend={"orientation": "h", "y": -0.2}, **axes)


def _sizes(most: int, least: int) -> list[int]:
    return [max(least, math.ceil(share * most)) for share in SIZES]


def _at(sizes: Sequence[int], job: Callable[[int], Callable[[], object]]) -> list[tuple[int, float]]:
    points = []
    for size in sizes:
        work = job(size)
        work()
        points.append((size, min(seconds(work) for _ in range(3))))
    return points


def _scoring(setting: Setting, count: int) -> Callable[[], object]:
    values, labels = setting.responses
    part = np.ascontiguousarray(values[:count])
    return lambda: score(part, labels[:count], len(LANGUAGES))


def _part(setting: Setting, count: int) -> Corpus:
    return setting.corpus.head(max(1, count // len(LANGUAGES)))


def _collecting(setting: Setting, count: int) -> Callable[[], object]:
    corpus = _part(setting, count)
    return lambda: collect_responses(setting.model, corpus, truncate=True, progress=False)


def _finding(setting: Setting, count: int) -> Callable[[], object]:
    corpus = _part(setting, count)
    return lambda: find_experts(setting.model, corpus, truncate=True, progress=False)


def _retrieving(count: int) -> Callable[[], object]:
    generator = torch.Generator().manual_seed(0)
    vectors = {f"l{place}": torch.randn(count, 256, generator=generator) for place in range(6)}
    return lambda: all_pair_ranks(vectors)
