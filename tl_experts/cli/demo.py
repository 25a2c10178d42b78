"""The main job from end to end: find the experts of every language, steer with those of one, retrieve translations.

`tl-experts demo` runs it; each stage is one call of the public API. `tl_experts.cli.demo_tables` prints the result.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from tl_experts.analysis.retrieval import top1_accuracy
from tl_experts.analysis.vectors import centre, mean_cosine_distance
from tl_experts.corpus.languages import language_code
from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.embeddings import embed_layers
from tl_experts.errors import TLExpertsError, require_enough
from tl_experts.experts.expertise import Expertise, score_responses
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import select_experts
from tl_experts.jobs.files import write_json
from tl_experts.jobs.tables import write_table
from tl_experts.models import Model
from tl_experts.responses.collect import collect_responses, neuron_table
from tl_experts.responses.reading import Reading
from tl_experts.steering.interventions import steer

Parallel = dict[str, Tensor]
"""Vectors by language, row by row translations of each other."""


@dataclass(frozen=True)
class ExpertsRow:
    """One language in the table of experts."""

    language: str
    best_auroc: float
    mean_auroc: float
    layers: str
    """Quartiles of the experts' layers."""


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
    """No intervention; each language's mean vector is subtracted: the baseline without a cost."""


@dataclass(frozen=True)
class DemoResult:
    """Everything that the demo measured."""

    experts: Experts
    target: str
    experts_table: tuple[ExpertsRow, ...]
    pairs: tuple[PairRow, ...]
    distances: dict[str, float]
    """Mean cosine distance between the target and the other languages: before, after, random."""

    def tables(self) -> dict[str, Any]:
        """Everything but the experts, as JSON can hold it."""
        return {
            "target": self.target,
            "experts": [asdict(row) for row in self.experts_table],
            "retrieval": [asdict(row) for row in self.pairs],
            "distances": self.distances,
        }


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
    """Find experts on `dev`, steer with those of the target, and compare retrieval on `test`.

    Args:
        model: from `load_model`.
        dev: sentences to find experts on.
        test: aligned sentences to measure on; none of them may be in `dev`.
        target: the language whose experts steer.
        k: experts per language.
        seeds: one random control is drawn with each.
        progress: show a progress bar per stage.

    Raises:
        CorpusError: the splits share a sentence, or `test` lacks the target.
        TLExpertsError: no seed.
    """
    target = language_code(target)
    dev.require_disjoint(test)
    require_enough(k, neuron_table(model, Reading()).total)
    test[target]  # an error that names the languages there are
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
    """Save experts, tables and settings; returns the paths."""
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
    def top1(vectors: Parallel) -> float:
        return top1_accuracy(vectors[query], vectors[candidate])

    random = [top1(control) for control in controls]
    return PairRow(
        query=query,
        candidate=candidate,
        before=top1(before),
        after=top1(after),
        random=float(np.mean(random)),
        random_spread=float(np.std(random, ddof=1)) if len(random) > 1 else 0.0,
        centred=top1_accuracy(centre(before[query]), centre(before[candidate])),
    )


def _distance(target: str, vectors: Parallel) -> float:
    others = [mean_cosine_distance(vectors[target], v) for language, v in vectors.items() if language != target]
    return float(np.mean(others))
