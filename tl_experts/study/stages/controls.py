"""Is it the experts, or would any neurons do? Random neurons, another language's experts, experts of shuffled labels.

Source: Sundar et al. 2025, section 7, table 6, figures 13 to 15, for the random neurons; the others are ours.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.corpus.sentences import Corpus
from tl_experts.experts.expertise import score_responses
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import select_experts
from tl_experts.study.bench import Bench, Row, Tables
from tl_experts.study.measures import correct, gain, hits_by_kind

EXPERTS = "experts"


def controls(bench: Bench) -> Tables:
    """The same intervention with neurons that should not matter.

    Returns:
        ``controls``: top-1 by kind of pair and mean distance to the target, one row per target, control and seed (the
        experts first); ``control_summary``: mean and spread over seeds, and the experts' lead with its interval.
    """
    rows: list[Row] = []
    summary: list[Row] = []
    shuffled = _shuffled(bench)
    for target in bench.config.targets:
        hits: dict[str, list[dict[str, np.ndarray]]] = {}
        for name, seed, experts in _drawn(bench, target, shuffled):
            space = bench.space(experts)
            found = hits_by_kind(all_pair_ranks(space), target)
            hits.setdefault(name, []).append(found)
            rows.append(
                {
                    "target": target,
                    "control": name,
                    "seed": seed,
                    "distance": bench.distances(space).table1(target)["nontarget_to_target"],
                    **{kind: float(values.mean()) for kind, values in found.items()},
                }
            )
        for name, draws in hits.items():
            summary += [_summary(bench, target, name, kind, hits[EXPERTS][0][kind], draws) for kind in draws[0]]
    correct(bench, [row for row in summary if row["control"] != EXPERTS])
    return {"controls": rows, "control_summary": summary}


def _drawn(bench: Bench, target: str, shuffled: Experts) -> Iterator[tuple[str, int, Experts]]:
    experts = bench.experts(target)
    yield EXPERTS, 0, experts
    for match in (False, True):
        name = "random, same layers" if match else "random"
        for seed in range(bench.config.seed, bench.config.seed + bench.config.control_seeds):
            yield name, seed, experts.random_control(seed=seed, match_layers=match)
    other = _unrelated(bench, target)
    yield f"experts of {other}", 0, bench.experts(other, experts.total)
    yield "experts of shuffled labels", 0, shuffled[target].head(experts.total)


def _unrelated(bench: Bench, target: str) -> str:
    """The language whose experts share least with the target's: unrelated as this model sees it.

    Among the targets if there are several, since their passes are already stored.
    """
    count = bench.experts(target).total
    mine = bench.experts(target).neurons_of(target)
    pool = bench.config.targets if len(bench.config.targets) > 1 else bench.candidates.languages
    others = [language for language in pool if language != target]
    return min(others, key=lambda language: len(mine & bench.experts(language, count).neurons_of(language)))


def _shuffled(bench: Bench) -> Experts:
    """Experts of languages whose labels were shuffled: what the search finds by chance."""
    responses = bench.responses
    corpus = responses.corpus
    order = np.random.default_rng(bench.config.seed).permutation(len(corpus))
    labels = tuple(corpus.labels[index] for index in order)
    renamed = Corpus(corpus.texts, labels, tuple(None for _ in labels), f"{corpus.name}, labels shuffled")
    found = score_responses(replace(responses, corpus=renamed), progress=False)
    return select_experts(found, k=max(bench.chosen_k.values()))


def _summary(
    bench: Bench, target: str, name: str, kind: str, experts: np.ndarray, draws: list[dict[str, np.ndarray]]
) -> Row:
    means = [float(draw[kind].mean()) for draw in draws]
    over_seeds = np.mean([draw[kind] for draw in draws], axis=0)
    lead = gain(bench, over_seeds, experts)
    return {
        "target": target,
        "control": name,
        "kind": kind,
        "seeds": len(means),
        "top1": float(np.mean(means)),
        "spread": float(np.std(means, ddof=1)) if len(means) > 1 else 0.0,
        **{("experts_lead" if column == "gain" else column): value for column, value in lead.items()},
    }
