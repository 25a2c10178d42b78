"""The experts of every language, and their stability."""

import numpy as np
from numpy.typing import NDArray

from tl_experts.experts.auroc import STATISTICS, score
from tl_experts.experts.expertise import score_responses
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import select_experts
from tl_experts.responses.collect import Responses
from tl_experts.study.bench import Bench, Row, Tables

TOP = 100
"""Number of experts in the mean AUROC of the summary."""

STRATA = 10
"""Number of classes of similar length, as equal in size as ties allow."""

KEPT = 0.5
"""The share of its lead over chance that an expert must keep among sentences of similar length; below, it tracks
length."""


def experts(bench: Bench) -> Tables:
    """A row per language: best AUROC, means of the first 100 and k, the quartiles of their layers."""
    bench.candidates.save_pretrained(bench.folder / "experts")
    rows = []
    for language in bench.candidates.languages:
        mine = bench.candidates[language]
        low, middle, high = np.percentile(mine.layer, [25, 50, 75])
        rows.append(
            {
                "language": language,
                "best_auroc": float(mine.statistics["auroc"].max()),
                f"mean_auroc_{TOP}": float(mine.statistics["auroc"][:TOP].mean()),
                "mean_auroc": float(mine.statistics["auroc"].mean()),
                "k": mine.total,
                "layer_q1": float(low),
                "layer_median": float(middle),
                "layer_q3": float(high),
            }
        )
    return {"experts": rows}


def stability(bench: Bench) -> Tables:
    """Would other sentences give the same experts, and do the experts track language or only length?

    Returns:
        ``stability``: AUROC on the half of the sentences that the experts were not found on, Jaccard index of the
        two halves' experts, AUROC of the sentence's length alone (in tokens of the text), the experts' mean AUROC among
        sentences of similar length, and the share of experts that merely track length (there they lose more than half
        of their lead over chance); ``overlap``: Jaccard index of every two languages.
    """
    halves = _halves(bench.responses, bench.config.seed)
    scored = [score_responses(half, progress=False) for half in halves]
    tokens = _token_counts(bench)
    lengths = _length_auroc(bench, tokens)
    rows: list[Row] = []
    for target in bench.config.targets:
        k = bench.chosen_k[target]
        found = [select_experts(half, k=k)[target] for half in scored]
        held_out = [
            float(other.auroc[_columns(mine), other.column(target)].mean())
            for mine, other in zip(found, reversed(scored), strict=True)
        ]
        own = [float(mine.statistics["auroc"].mean()) for mine in found]
        one, two = (mine.neurons_of(target) for mine in found)
        matched = _matched_auroc(bench, target, tokens)
        lead = bench.experts(target).statistics["auroc"] - 0.5
        rows.append(
            {
                "target": target,
                "k": k,
                "auroc_found": float(np.mean(own)),
                "auroc_held_out": float(np.mean(held_out)),
                "jaccard_halves": len(one & two) / len(one | two),
                "length_auroc": lengths[target],
                "auroc_length_matched": float(matched.mean()),
                "tracks_length": float(np.mean(matched - 0.5 < KEPT * lead)),
            }
        )
    overlap = bench.candidates.head(min(bench.chosen_k.values())).overlap()
    pairs = [
        {"language": one, "other": other, "jaccard": float(overlap.loc[one, other])}
        for one in overlap.index
        for other in overlap.columns
        if one != other
    ]
    return {"stability": rows, "overlap": pairs}


def _columns(experts: Experts) -> NDArray[np.int64]:
    return experts.candidates.columns_of(experts.layer, experts.neuron)


def _halves(responses: Responses, seed: int) -> list[Responses]:
    """Two halves of the sentences, each language split evenly; translations of a row stay in the same half."""
    corpus = responses.corpus
    keys = [row if row is not None else str(index) for index, row in enumerate(corpus.rows)]
    unique = sorted(set(keys))
    first = set(np.random.default_rng(seed).permutation(unique)[: len(unique) // 2].tolist())
    sides = [[i for i, key in enumerate(keys) if (key in first) == side] for side in (True, False)]
    return [
        Responses(
            responses.values[side],
            corpus.take(side),
            responses.neurons,
            responses.site,
            responses.pooling,
            responses.fingerprint,
        )
        for side in sides
    ]


def _token_counts(bench: Bench) -> NDArray[np.float32]:
    ids = bench.model.tokenizer(list(bench.probe.texts), add_special_tokens=False)["input_ids"]
    return np.array([len(sentence) for sentence in ids], dtype=np.float32)


def _length_auroc(bench: Bench, tokens: NDArray[np.float32]) -> dict[str, float]:
    """AUROC of a sentence's number of tokens alone for each language, in whichever direction is better."""
    labels = np.array([bench.probe.languages.index(label) for label in bench.probe.labels])
    auroc = score(tokens[:, None], labels, len(bench.probe.languages))[STATISTICS.index("auroc"), 0]
    return {
        language: float(max(value, 1 - value)) for language, value in zip(bench.probe.languages, auroc, strict=True)
    }


def _matched_auroc(bench: Bench, target: str, tokens: NDArray[np.float32]) -> NDArray[np.float64]:
    """AUROC of the target's experts, each sentence compared only with sentences of similar length.

    The mean over classes of length, weighted by the number of pairs of a sentence of the target and another, as in a
    stratified Mann-Whitney test (van Elteren 1960).
    """
    experts = bench.experts(target)
    columns = bench.expertise.neurons.columns_of(experts.layer, experts.neuron)
    values = bench.responses.values[:, columns].float().numpy()
    mine = np.array([label == target for label in bench.responses.corpus.labels])
    edges = np.unique(np.quantile(tokens, np.linspace(0, 1, STRATA + 1)[1:-1]))
    stratum = np.searchsorted(edges, tokens, side="right")
    total, weight = np.zeros(len(columns)), 0
    for number in np.unique(stratum):
        inside = stratum == number
        pairs = int(mine[inside].sum()) * int((~mine[inside]).sum())
        if pairs:
            total += pairs * score(values[inside], mine[inside].astype(int), 2)[STATISTICS.index("auroc"), :, 1]
            weight += pairs
    return total / weight if weight else np.full(len(columns), 0.5)
