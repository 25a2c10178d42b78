"""How many experts: language of free generations, perplexity and retrieval over k, and the paper's rule.

Source: Sundar et al. 2025, section 5 and figure 3: k is chosen for a high probability of the target language at low
perplexity.
"""

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.corpus.bundled import data_folder
from tl_experts.experts.experts import Experts
from tl_experts.jobs.pieces import Arrays
from tl_experts.models import Model, require_same_model
from tl_experts.responses.collect_to_disk import SAME_WEIGHTS
from tl_experts.steering.generation import LanguageIdentifier, generate_texts, text_perplexity
from tl_experts.study.bench import Bench, Row, Tables
from tl_experts.study.config import StudyConfig
from tl_experts.study.measures import mean_top1

ENOUGH = 0.9
"""Of the best language-id probability: what the rule calls high."""


def sweep(bench: Bench) -> Tables:
    """Measure every count of `sweep_k` for every target, and choose.

    Returns:
        ``sweep``: one row per target and k (k = 0: no intervention); ``choice``: one row per target.
    """
    meter = _Meter(bench)
    counts = (0, *bench.config.sweep_k) if bench.config.sweep_k else ()
    jobs = [(target, k) for target in bench.config.targets for k in counts]
    if bench.pool is not None:
        work = _Measures(bench.config, bench.folder, bench.fingerprint, bench.candidates, jobs)
        bench.pool.run(work, range(len(jobs)), description="sweep", progress=bench.progress)
    rows: list[Row] = []
    choices: list[Row] = []
    for target in bench.config.targets:
        mine = [meter.measure(target, k) for k in counts]
        steered = [row for row in mine if row["k"]]
        front = pareto(np.array([[-row["language_id"], row["perplexity"]] for row in steered]).reshape(-1, 2))
        for row, best in zip(steered, front, strict=True):
            row["pareto"] = best
        rows += mine
        choices.append({"target": target, **_choose(steered, bench.config.k)})
    return {"sweep": rows, "choice": choices}


class _Meter:
    """Measures of the model's language, kept one by one."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @cached_property
    def _identifier(self) -> LanguageIdentifier:
        return LanguageIdentifier(self._bench.probe.languages)

    def measure(self, target: str, k: int) -> Row:
        """One count of one target."""
        experts = self._bench.experts(target, k) if k else None
        return {
            "target": target,
            "k": k,
            "language_id": self._language(target, experts),
            "perplexity": self._perplexity(target, experts),
            "dev_top1": self._retrieval(target, experts),
            "pareto": False,
        }

    def _language(self, target: str, experts: Experts | None) -> float:
        """Mean probability that a free generation is in the target language."""
        config = self._bench.config
        found = []
        for seed in range(config.seed, config.seed + config.text_seeds):
            # One table of probabilities serves every target, where no intervention tells them apart.
            job = {
                "intervention": self._bench.describe(experts),
                "seed": seed,
                "texts": config.texts,
                "tokens": config.text_tokens,
                "languages": list(self._identifier.languages),
            }
            kept = self._bench.once("texts", job, partial(self._generate, experts, seed))
            found.append(kept["probabilities"][:, self._identifier.languages.index(target)].mean())
        return float(np.mean(found))

    def _generate(self, experts: Experts | None, seed: int) -> Arrays:
        config = self._bench.config
        with self._bench.steered(experts):
            texts = generate_texts(
                self._bench.model,
                config.texts,
                seed=seed,
                max_new_tokens=config.text_tokens,
                batch_size=256,
                progress=self._bench.progress,
            )
        return {"probabilities": self._identifier.probabilities(texts)}

    def _perplexity(self, target: str, experts: Experts | None) -> float:
        """Of the target's held-out text."""
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
        """Top-1 on rows of the dev split, the target as query: k is never chosen on the test split."""
        rows = self._bench.probe.head(self._bench.config.sweep_rows)
        space = self._bench.embed(rows, experts)
        return mean_top1([ranks for (query, _), ranks in all_pair_ranks(space).items() if query == target])


class _Measures:
    """Measures made by a pool's workers: what they keep is what the study then reads."""

    def __init__(
        self,
        config: StudyConfig,
        folder: Path,
        fingerprint: dict[str, str],
        candidates: Experts,
        jobs: list[tuple[str, int]],
    ) -> None:
        self._config = config
        self._folder = folder
        self._fingerprint = fingerprint
        self._candidates = candidates
        self._jobs = jobs
        self._meter: _Meter | None = None

    def __call__(self, model: Model, number: int) -> None:
        if self._meter is None:
            require_same_model(model, self._fingerprint, "the measures of this study", SAME_WEIGHTS)
            bench = Bench(self._config, model, self._folder, progress=False)
            bench.candidates = self._candidates
            self._meter = _Meter(bench)
        self._meter.measure(*self._jobs[number])


def _plain_text(bench: Bench, language: str) -> str:
    """The bundled passage of a language; where there is none, the dev sentences."""
    path = data_folder() / "corpus" / "text" / f"{language}.txt"
    return path.read_text("utf-8") if path.is_file() else "\n".join(bench.dev[language].texts)


def pareto(costs: Float[np.ndarray, "point cost"]) -> list[bool]:
    """Which points no other point beats: none is as good in every cost and better in one.

    Examples:
        >>> pareto(np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 4.0]]))
        [True, True, False]
    """
    return [not bool(((costs <= point).all(axis=1) & (costs < point).any(axis=1)).any()) for point in costs]


def _choose(rows: Sequence[Row], k: int | None) -> Row:
    if k is not None:
        return {"k": k, "why": "set in the configuration"}
    best = max(row["language_id"] for row in rows)
    high = [row for row in rows if row["language_id"] >= ENOUGH * best]
    row = min(high, key=lambda row: (row["perplexity"], row["k"]))
    why = (
        f"lowest perplexity ({row['perplexity']:.1f}) among the counts whose language-id probability "
        f"({row['language_id']:.3f}) is at least {ENOUGH:.0%} of the best ({best:.3f})"
    )
    return {"k": row["k"], "why": why}
