"""Retrieval of paraphrases within a language, and of translations in Tatoeba or BUCC.

Source: Sundar et al. 2025, tables 3, 5, 6 (random neurons) and 7.
"""

import torch
from torch import Tensor

from tl_experts.analysis.retrieval import top1_hits, translation_ranks
from tl_experts.analysis.vectors import normalise
from tl_experts.corpus.pairs import Pairs, Paraphrases, load_pairs, load_paraphrases
from tl_experts.corpus.sentences import Corpus
from tl_experts.experts.experts import Experts
from tl_experts.study.bench import Bench, Row, Tables
from tl_experts.study.measures import correct, gain

Parts = tuple[Tensor, Tensor, Tensor]
"""Vectors of sentences, paraphrases and negatives."""

CONTROLS = ("experts", "random")


def paraphrases(bench: Bench) -> Tables:
    """Whether a sentence finds its paraphrase in its own language, pre, post and mixed.

    Returns:
        ``paraphrases``: by target, language, neurons (experts, or random at their values) and condition: top-1 among
        all paraphrases, and among paraphrases and negatives; ``paraphrase_gains``: post minus pre, with interval.
    """
    tables: Tables = {"paraphrases": [], "paraphrase_gains": []}
    if not bench.config.paraphrases:
        return tables
    items = {
        language: item
        for language, item in load_paraphrases(bench.config.paraphrases).items()
        if language in bench.languages
    }
    pre = {language: _parts(bench, language, item, None) for language, item in items.items()}
    for target in bench.config.targets:
        experts = bench.experts(target)
        neurons = {"experts": experts, "random": experts.random_control(seed=bench.config.seed)}
        for language, item in items.items():
            # Random neurons only in the target's own language, as in the paper's table 6.
            for name in CONTROLS if language == target else CONTROLS[:1]:
                post = _parts(bench, language, item, neurons[name])
                found = {
                    "pre": (pre[language], pre[language]),
                    "post": (post, post),
                    "mixed": (pre[language], post),
                }
                labels = {"target": target, "language": language, "neurons": name}
                tables["paraphrases"] += [
                    {**labels, "condition": condition, **_scores(*sides)} for condition, sides in found.items()
                ]
                hits = [top1_hits(side[0], side[1]).double().numpy() for side in (pre[language], post)]
                tables["paraphrase_gains"].append({**labels, **gain(bench, *hits)})
    correct(bench, tables["paraphrase_gains"])
    return tables


def _parts(bench: Bench, language: str, item: Paraphrases, experts: Experts | None) -> Parts:
    sides = (item.sentences, item.paraphrases, item.negatives)
    vectors = _embed(bench, language, [text for side in sides for text in side], experts)
    begin, end = len(item.sentences), len(item.sentences) + len(item.paraphrases)
    return vectors[:begin], vectors[begin:end], vectors[end:]


def _embed(bench: Bench, language: str, texts: list[str], experts: Experts | None) -> Tensor:
    corpus = Corpus.from_texts({language: texts}, aligned=True, name=f"pairs/{language}")
    return bench.embed(corpus, experts)[language]


def _scores(queries: Parts, candidates: Parts) -> Row:
    right = top1_hits(queries[0], candidates[1])
    row: Row = {"top1": float(right.double().mean()), "top1_hard": float("nan")}
    if len(candidates[2]):
        among_all = normalise(queries[0]) @ normalise(torch.cat(candidates[1:])).T
        row["top1_hard"] = float((translation_ranks(among_all) < 1).double().mean())
    return row


def pair_sets(bench: Bench) -> Tables:
    """Translations of the configured Tatoeba or BUCC folder, for every pair of languages that includes a target.

    Returns:
        ``pair_sets``: by corpus, target, query and candidate: top-1 pre and post, and the gain with its interval.
    """
    rows: list[Row] = []
    if not bench.config.pairs:
        return {"pair_sets": rows}
    sets = load_pairs(bench.config.pairs)
    for target in bench.config.targets:
        for pairs in sets:
            if target in pairs.languages:
                rows += _pair_rows(bench, target, pairs)
    correct(bench, rows)
    return {"pair_sets": rows}


def _pair_rows(bench: Bench, target: str, pairs: Pairs) -> list[Row]:
    texts = dict(zip(pairs.languages, (pairs.first, pairs.second), strict=True))
    corpus = Corpus.from_texts(texts, aligned=True, name="-".join(pairs.languages))
    pre = bench.embed(corpus)
    post = bench.embed(corpus, bench.experts(target))
    rows = []
    for query, candidate in (pairs.languages, pairs.languages[::-1]):
        hits = [top1_hits(space[query], space[candidate]).double().numpy() for space in (pre, post)]
        rows.append(
            {
                "corpus": pairs.corpus,
                "target": target,
                "query": query,
                "candidate": candidate,
                "rows": len(hits[0]),
                "pre": float(hits[0].mean()),
                "post": float(hits[1].mean()),
                **gain(bench, *hits),
            }
        )
    return rows
