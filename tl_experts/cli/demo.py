"""The main job from end to end: find the experts of every language, steer with one's, see translations meet.

What `tl-experts demo` runs; each stage is one call of the public API.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from torch import Tensor

from tl_experts.analysis.retrieval import top1_accuracy
from tl_experts.analysis.vectors import centre, mean_cosine_distance
from tl_experts.corpus.languages import language_code
from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.embeddings import embed_layers
from tl_experts.errors import TLExpertsError
from tl_experts.experts.expertise import Expertise, score_responses
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import select_experts
from tl_experts.jobs.files import write_json
from tl_experts.jobs.tables import write_table
from tl_experts.models import Model
from tl_experts.responses.collect import collect_responses
from tl_experts.steering.interventions import steer

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
        return embed_layers(model, test, [None], description=description, progress=progress)[None].parallel()

    before = measure("embed: before")
    with steer(model, chosen):
        after = measure(f"embed: {chosen.total} {target} experts")
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


def experts_table(result: DemoResult, k: int) -> Table:
    """Of each language, how good its experts are and where they lie."""
    table = Table(title=f"Experts: the {k} neurons of highest AUROC per language", title_justify="left")
    table.add_column("language")
    for column in ("best AUROC", f"mean of {k}", "layers (quartiles)"):
        table.add_column(column, justify="right")
    for row in result.experts_table:
        table.add_row(row.language, f"{row.best_auroc:.4f}", f"{row.mean_auroc:.4f}", row.layers)
    return table


def retrieval_table(result: DemoResult, candidates: int) -> Table:
    """Retrieval before, after, with random neurons and with centring."""
    table = Table(
        title=f"Retrieval: top-1 in % of {candidates}, last layer; {result.target} experts set to their mean",
        title_justify="left",
        caption="random: as many random neurons at the experts' values, mean ± s.d. over seeds; "
        "centred: no intervention, each language's mean subtracted",
        caption_justify="left",
    )
    table.add_column("query → candidates")
    for column in ("before", "after", "random", "centred"):
        table.add_column(column, justify="right")
    for row in result.pairs:
        table.add_row(
            f"{row.query} → {row.candidate}",
            f"{100 * row.before:.1f}",
            f"{100 * row.after:.1f}",
            f"{100 * row.random:.1f} ± {100 * row.random_spread:.1f}",
            f"{100 * row.centred:.1f}",
        )
    table.add_section()
    for label, rows in (
        (f"mean {result.target} → others", [row for row in result.pairs if row.query == result.target]),
        (f"mean others → {result.target}", [row for row in result.pairs if row.candidate == result.target]),
    ):
        means = [
            100 * sum(getattr(row, c) for row in rows) / len(rows) for c in ("before", "after", "random", "centred")
        ]
        table.add_row(label, *[f"{mean:.1f}" for mean in means])
    return table


def distances_line(result: DemoResult) -> str:
    """The mean distances, in a line."""
    parts = ", ".join(f"{name} {value:.3f}" for name, value in result.distances.items())
    return f"Mean cosine distance between {result.target} and the other languages: {parts}"
