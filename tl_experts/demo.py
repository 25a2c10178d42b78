"""The main job from end to end: find the experts of every language, steer with one's, see translations meet.

What `tl-experts demo` runs; each stage is one call of the public API.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from tl_experts.embeddings import embed
from tl_experts.errors import TLExpertsError
from tl_experts.expertise import Expertise, score_responses
from tl_experts.experts import Experts
from tl_experts.geometry import centre, mean_cosine_distance
from tl_experts.interventions import steer
from tl_experts.languages import language_code
from tl_experts.models import Model
from tl_experts.responses import collect_responses
from tl_experts.retrieval import top1_accuracy
from tl_experts.selection import select_experts
from tl_experts.sentences import Corpus
from tl_experts.storage import write_json, write_table

Parallel = dict[str, Tensor]
"""Vectors by language, row by row translations of each other."""


@dataclass(frozen=True)
class ExpertsRow:
    """One language's line in the table of experts."""

    language: str
    best_auroc: float
    mean_auroc: float
    layers: str
    """The layers' quartiles: where the middle half of the experts lies."""


@dataclass(frozen=True)
class PairRow:
    """One pair of languages in the table of retrieval: top-1 accuracies, 0 to 1."""

    query: str
    candidate: str
    before: float
    after: float
    random: float
    """Mean over the seeds."""
    random_spread: float
    """Standard deviation over the seeds (0 for one)."""
    centred: float
    """No intervention; each language's mean vector subtracted: the baseline that costs nothing."""


@dataclass(frozen=True)
class DemoResult:
    """Everything the demo measured."""

    experts: Experts
    target: str
    experts_table: tuple[ExpertsRow, ...]
    pairs: tuple[PairRow, ...]
    distances: dict[str, float]
    """Mean cosine distance between the target and the other languages: before, after, random."""


def run_demo(
    model: Model,
    dev: Corpus,
    test: Corpus,
    *,
    target: str,
    k: int,
    seeds: Sequence[int],
    progress: bool = True,
) -> DemoResult:
    """Find experts on `dev`, steer with the target's, and compare retrieval on `test`.

    Args:
        model: from `load_model`.
        dev: sentences to find experts on.
        test: aligned sentences to measure with; none of them in `dev`.
        target: the language whose experts steer.
        k: experts per language.
        seeds: of the random controls.
        progress: show a bar per stage.

    Raises:
        CorpusError: the splits share a sentence, or the target is in neither.
        TLExpertsError: no seed.
    """
    target = language_code(target)
    dev.require_disjoint(test)
    test[target]
    if not seeds:
        raise TLExpertsError("no seed; the random control needs at least one")
    expertise = score_responses(collect_responses(model, dev, progress=progress), progress=progress)
    experts = select_experts(expertise, k=k)
    chosen = experts[target]

    def measure(description: str) -> Parallel:
        return embed(model, test, description=description, progress=progress).parallel()

    before = measure("embed: before")
    with steer(model, chosen):
        after = measure(f"embed: {len(chosen)} {target} experts")
    controls = []
    for seed in seeds:
        with steer(model, chosen.random_control(seed=seed)):
            controls.append(measure(f"embed: random neurons, seed {seed}"))
    return DemoResult(
        experts=experts,
        target=target,
        experts_table=tuple(_experts_row(expertise, experts[language]) for language in experts.languages),
        pairs=tuple(_pair(*pair, before, after, controls) for pair in _pairs(target, before)),
        distances={
            "before": _distance(target, before),
            "after": _distance(target, after),
            "random": float(np.mean([_distance(target, control) for control in controls])),
        },
    )


def save_demo(result: DemoResult, folder: Path, settings: dict[str, Any]) -> list[Path]:
    """Save experts, tables and settings; returns what was written."""
    experts = result.experts.save_pretrained(folder / "experts")
    table = result.experts.to_pandas()
    return [
        experts,
        write_table(folder / "experts.csv", list(table.columns), table.itertuples(index=False)),
        write_table(
            folder / "retrieval.csv", list(PairRow.__annotations__), [tuple(vars(p).values()) for p in result.pairs]
        ),
        write_json(folder / "settings.json", settings | {"distances": result.distances}),
    ]


def _experts_row(expertise: Expertise, experts: Experts) -> ExpertsRow:
    language = experts.languages[0]
    low, middle, high = np.percentile(experts.layer, [25, 50, 75]).astype(int)
    return ExpertsRow(
        language=language,
        best_auroc=float(expertise.auroc[:, expertise.column(language)].max()),
        mean_auroc=float(experts.statistics["auroc"].mean()),
        layers=f"{low} | {middle} | {high}",
    )


def _pairs(target: str, vectors: Parallel) -> list[tuple[str, str]]:
    others = [language for language in vectors if language != target]
    return [(target, other) for other in others] + [(other, target) for other in others]


def _pair(query: str, candidate: str, before: Parallel, after: Parallel, controls: list[Parallel]) -> PairRow:
    def top1(vectors: Parallel, change: Callable[[Tensor], Tensor] = lambda x: x) -> float:
        return top1_accuracy(change(vectors[query]), change(vectors[candidate]))

    random = [top1(control) for control in controls]
    return PairRow(
        query=query,
        candidate=candidate,
        before=top1(before),
        after=top1(after),
        random=float(np.mean(random)),
        random_spread=float(np.std(random, ddof=1)) if len(random) > 1 else 0.0,
        centred=top1(before, centre),
    )


def _distance(target: str, vectors: Parallel) -> float:
    others = [mean_cosine_distance(vectors[target], v) for language, v in vectors.items() if language != target]
    return float(np.mean(others))
