"""Language or script? Text of a target that is written in Cyrillic, once more in Latin letters.

A model that takes it for the same language finds its translations, and its experts respond to it as before.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.analysis.statistics import mean_interval, paired_gain
from tl_experts.corpus.sentences import Corpus, concatenate
from tl_experts.experts.expertise import score_responses
from tl_experts.jobs.stages import Row, Tables
from tl_experts.responses.collect import Responses, collect_responses
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.comparison.chosen import chosen, seen
from tl_experts.study.comparison.romaniser import cyrillic, romanise
from tl_experts.study.comparison.views import Ranks
from tl_experts.study.spaces import Hits, mean_hits

SCORING = "auroc"
"""How the experts are found."""

SEPARATES = 0.9
"""AUROC from which a neuron counts as one that tells the language from the others."""


def romanised(bench: CompareBench) -> Tables:
    """How targets in Cyrillic letters fare in Latin ones, on the test split.

    Returns:
        ``romanised``: retrieval without intervention and with the best one of the target, in every view;
        ``romanised_experts``: how well the target's experts tell it from the other languages in either script.

    Raises:
        StudyError: the package that romanises is not installed.
    """
    retrieval: list[Row] = []
    experts: list[Row] = []
    for target in cyrillic(bench.config.targets):
        corpus = with_romanised(bench.test, target)
        for one, space in seen(bench, target, chosen(bench, target), corpus):
            retrieval.append({"target": target} | dict(one.told) | _measured(bench, all_pair_ranks(space), target))
        experts += _experts(bench, target, corpus)
    return {"romanised": retrieval, "romanised_experts": experts}


def romanised_code(target: str) -> str:
    """The code of a language in Latin letters, apart from any that a corpus has."""
    return f"{target}-Latn-x-roman"


def with_romanised(corpus: Corpus, target: str) -> Corpus:
    """A corpus and, as a further language, the sentences of one of its languages in Latin letters."""
    own = corpus[target]
    latin = replace(own, texts=tuple(map(romanise, own.texts)), labels=(romanised_code(target),) * len(own))
    return concatenate((corpus, latin), name=corpus.name)


def _measured(bench: CompareBench, ranks: Ranks, target: str) -> dict[str, float | None]:
    """Top-1 against the other languages in both scripts, both ways; Latin letters against Cyrillic ones."""
    latin = romanised_code(target)
    (before, _, _), (after, there, back) = _hits(ranks, target, latin), _hits(ranks, latin, target)
    options = {"seed": bench.config.seed, "resamples": bench.config.resamples}
    row: dict[str, float | None] = {}
    for name, hits in (("cyrillic", before), ("romanised", after)):
        found = mean_interval(hits, **options)
        row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
    gain = paired_gain(before, after, **options)
    same = mean_hits([ranks[latin, target], ranks[target, latin]])
    row |= {"from_romanised": float(there.mean()), "to_romanised": float(back.mean()), "itself": float(same.mean())}
    return row | {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high, "p": gain.p}


def _hits(ranks: Ranks, language: str, other_script: str) -> tuple[Hits, Hits, Hits]:
    """Of a language and all but its other script: both ways, as query, as candidate."""
    there = [found for (query, candidate), found in ranks.items() if query == language and candidate != other_script]
    back = [found for (query, candidate), found in ranks.items() if candidate == language and query != other_script]
    return mean_hits([*there, *back]), mean_hits(there), mean_hits(back)


def _experts(bench: CompareBench, target: str, corpus: Corpus) -> list[Row]:
    """The AUROC of a target's experts on test text, its positives in either script against the other languages."""
    found = bench.builder(target).best(SCORING, bench.config.silencing_count)
    if found is None:
        return []
    responses = collect_responses(bench.model, corpus, progress=False)
    latin = romanised_code(target)
    auroc = {
        name: found.with_statistics(score_responses(_as(responses, label, target), progress=False)).statistics["auroc"]
        for name, label in (("cyrillic", target), ("romanised", latin))
    }
    return [{"target": target, "neurons": found.total, **_summary(auroc)}]


def _summary(auroc: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {f"auroc_{name}": float(values.mean()) for name, values in auroc.items()} | {
        f"separate_{name}": float((values >= SEPARATES).mean()) for name, values in auroc.items()
    }


def _as(responses: Responses, label: str, target: str) -> Responses:
    """The responses to one script of a target, as the target, and to the other languages."""
    scripts = (target, romanised_code(target))
    corpus = responses.corpus
    rows = [row for row, language in enumerate(corpus.labels) if language == label or language not in scripts]
    own = corpus.take(rows)
    labels = tuple(target if language == label else language for language in own.labels)
    return replace(responses, values=responses.values[torch.tensor(rows)], corpus=replace(own, labels=labels))
