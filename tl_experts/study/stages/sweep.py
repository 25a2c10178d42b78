"""How many experts: language, fluency and repetition of free generations, perplexity and retrieval by k, and the rule.

Source: Sundar et al. 2025, section 5 and figure 3: k is chosen for a high probability of the target language at low
perplexity. One repeated word satisfies both, so counts whose texts repeat themselves are left out here.
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.corpus.bundled import data_folder
from tl_experts.errors import StudyError
from tl_experts.experts.experts import Experts
from tl_experts.jobs.paths import path_of_name
from tl_experts.jobs.pieces import Arrays
from tl_experts.models import Model, require_same_model
from tl_experts.responses.collect_to_disk import SAME_WEIGHTS
from tl_experts.steering.generation import LanguageIdentifier, generate_texts, text_perplexity
from tl_experts.study.bench import Bench, Row, Tables
from tl_experts.study.config import StudyConfig
from tl_experts.study.measures import mean_top1
from tl_experts.study.splits import Splits, read_splits
from tl_experts.study.written import MEASURES, natural_texts, only_repeats, summary, text_arrays

ENOUGH = 0.9
"""The share of the best language-id probability that the rule calls high."""

_Job = tuple[str, int | None]
"""A target with a count of experts; None: its natural texts."""


def require_identified(config: StudyConfig, splits: Splits) -> None:
    """Check, before any pass of the model, that the sweep can identify the languages.

    Languages that langid.py knows only by their base language are warned of.

    Raises:
        StudyError: k is to be chosen for a target that langid.py does not know.
        TLExpertsError: langid.py tells fewer than two of the languages apart.
    """
    if not config.sweep_k:
        return
    known = LanguageIdentifier(splits.probe.languages).languages
    for target in config.targets:
        if config.k is None and target not in known:
            raise StudyError(
                f"target {target!r} is unknown to langid.py, so that k cannot be chosen for it; set k, as in k = 500"
            )


def sweep(bench: Bench) -> Tables:
    """Measure every count of `sweep_k` for every target, and choose one per target.

    Returns:
        ``sweep``: one row per target and k (k = 0: no intervention); ``choice``: one row per target, with the measures
        of the model's own texts in its language.

    Raises:
        StudyError: k is to be chosen, and the texts of every count repeat themselves.
    """
    meter = _Meter(bench)
    counts = (0, *bench.config.sweep_k) if bench.config.sweep_k else ()
    jobs: list[_Job] = [(target, k) for target in bench.config.targets for k in (*counts, *([None] if counts else []))]
    if bench.pool is not None:
        work = partial(_open_sweep, bench.config, bench.folder, bench.fingerprint, bench.candidates, jobs)
        bench.pool.run(work, range(len(jobs)), description="sweep", progress=bench.progress)
    rows: list[Row] = []
    choices: list[Row] = []
    for target in bench.config.targets:
        natural = meter.natural(target) if counts else {}
        mine = [meter.measure(target, k) for k in counts]
        for row in mine:
            row["repeats"] = only_repeats(row, natural)
        _mark_front([row for row in mine if row["k"] and not row["repeats"]])
        rows += mine
        measured = {f"natural_{name}": value for name, value in natural.items()}
        choices.append({"target": target, **_choose(target, mine, bench.config.k), **measured})
    return {"sweep": rows, "choice": choices}


def _mark_front(rows: Sequence[Row]) -> None:
    """Mark the Pareto front of language id and perplexity. Without language id, perplexity decides alone."""
    costs = np.array([[-np.nan_to_num(row["language_id"]), row["perplexity"]] for row in rows])
    for row, best in zip(rows, pareto(costs.reshape(-1, 2)), strict=True):
        row["pareto"] = best


class _Meter:
    """Measures of the model's language, each kept on disk."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @cached_property
    def _identifier(self) -> LanguageIdentifier:
        return LanguageIdentifier(self._bench.probe.languages)

    def measure(self, target: str, k: int) -> Row:
        """The measures of one count of one target."""
        experts = self._bench.experts(target, k) if k else None
        texts = self._texts(experts)
        return {
            "target": target,
            "k": k,
            "language_id": self._language(target, texts),
            **summary(texts),
            "perplexity": self._perplexity(target, experts),
            "dev_top1": self._retrieval(target, experts),
            "pareto": False,
        }

    def natural(self, target: str) -> dict[str, float]:
        """The same measures of texts that the model writes in the target language by itself."""
        config, corpus = self._bench.config, self._bench.dev[target]
        job = {"corpus": corpus.fingerprint, "seed": config.seed, "texts": config.texts, "tokens": config.text_tokens}

        def write() -> Arrays:
            return natural_texts(
                self._bench.model,
                corpus.texts[: config.texts],
                seed=config.seed,
                tokens=config.text_tokens,
                progress=self._bench.progress,
            )

        return summary(self._bench.once("natural", job, write))

    def _language(self, target: str, texts: Arrays) -> float:
        """Mean probability that a free generation is in the target language; NaN if it cannot be identified."""
        if target not in self._identifier.languages:
            return float("nan")
        return float(texts["probabilities"][:, self._identifier.languages.index(target)].mean())

    def _texts(self, experts: Experts | None) -> Arrays:
        """Free generations of all seeds: the probability of each language, and `text_arrays`; one row per text."""
        config = self._bench.config
        found = []
        for seed in range(config.seed, config.seed + config.text_seeds):
            # The job does not name the target: without intervention, all targets share one table of probabilities.
            job = {
                "intervention": self._bench.describe(experts),
                "seed": seed,
                "texts": config.texts,
                "tokens": config.text_tokens,
                "languages": list(self._identifier.languages),
                "measures": list(MEASURES),
            }
            found.append(self._bench.once("texts", job, partial(self._generate, experts, seed)))
        return {name: np.concatenate([part[name] for part in found]) for name in found[0]}

    def _generate(self, experts: Experts | None, seed: int) -> Arrays:
        config, model = self._bench.config, self._bench.model
        with self._bench.steered(experts):
            texts = generate_texts(
                model,
                config.texts,
                seed=seed,
                max_new_tokens=config.text_tokens,
                batch_size=256,
                progress=self._bench.progress,
            )
        measured = text_arrays(model, texts, progress=self._bench.progress)
        return {"probabilities": self._identifier.probabilities(texts), **measured}

    def _perplexity(self, target: str, experts: Experts | None) -> float:
        """The perplexity of held-out text in the target language."""
        config = self._bench.config
        job = {
            "intervention": self._bench.describe(experts),
            "text": target,
            "stride": config.stride,
            "corpus": self._bench.dev.fingerprint,
        }

        def score() -> Arrays:
            text = _plain_text(self._bench, target)
            with self._bench.steered(experts):
                result = text_perplexity(self._bench.model, text, stride=config.stride, progress=self._bench.progress)
            return {"perplexity": np.array([result.perplexity])}

        return float(self._bench.once("perplexity", job, score)["perplexity"][0])

    def _retrieval(self, target: str, experts: Experts | None) -> float:
        """Top-1 accuracy with the target as query, on the dev split: k must not be chosen on the test split."""
        rows = self._bench.probe.head(self._bench.config.sweep_rows)
        space = self._bench.embed(rows, experts)
        return mean_top1([ranks for (query, _), ranks in all_pair_ranks(space).items() if query == target])


def _open_sweep(
    config: StudyConfig,
    folder: Path,
    fingerprint: dict[str, str],
    candidates: Experts,
    jobs: Sequence[_Job],
    model: Model,
) -> Callable[[int], object]:
    """What measures a count of a target on a worker; the study then reads what the worker has kept."""
    require_same_model(model, fingerprint, "the measures of this study", SAME_WEIGHTS)
    bench = Bench(config, read_splits(config), model, folder, progress=False, candidates=candidates)
    meter = _Meter(bench)

    def run(number: int) -> object:
        target, k = jobs[number]
        return meter.natural(target) if k is None else meter.measure(target, k)

    return run


def _plain_text(bench: Bench, language: str) -> str:
    """The bundled passage of a language, or its dev sentences if there is none."""
    path = path_of_name(data_folder() / "corpus" / "text", language, ".txt")
    return path.read_text("utf-8") if path.is_file() else "\n".join(bench.dev[language].texts)


def pareto(costs: Float[np.ndarray, "point cost"]) -> list[bool]:
    """Which points are not beaten: no other point is as good in every cost and better in one.

    Examples:
        >>> pareto(np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 4.0]]))
        [True, True, False]
    """
    return [not bool(((costs <= point).all(axis=1) & (costs < point).any(axis=1)).any()) for point in costs]


def _choose(target: str, rows: Sequence[Row], k: int | None) -> Row:
    """The configured count, or the one of the rule.

    Raises:
        StudyError: the texts of every count repeat themselves.
    """
    if k is not None:
        return {"k": k, "why": "set in the configuration"}
    varied = [row for row in rows if row["k"] and not row["repeats"]]
    if not varied:
        counts = ", ".join(str(row["k"]) for row in rows if row["k"])
        raise StudyError(
            f"the texts of target {target!r} repeat themselves at every count of sweep_k ({counts}), so that k cannot "
            "be chosen; try smaller counts, as in sweep_k = [1, 2, 5], or set k"
        )
    best = max(row["language_id"] for row in varied)
    high = [row for row in varied if row["language_id"] >= ENOUGH * best]
    row = min(high, key=lambda row: (row["perplexity"], row["k"]))
    why = (
        f"lowest perplexity ({row['perplexity']:.1f}) among the counts whose texts do not repeat themselves and whose "
        f"language-id probability ({row['language_id']:.3f}) is at least {ENOUGH:.0%} of the best ({best:.3f})"
    )
    return {"k": row["k"], "why": why}
