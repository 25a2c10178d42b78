"""Measure the bundled corpus and print the tables of its data card: `python data/corpus/measure.py [MODEL ...]`.

Counts, lengths, and how often a translation is found by its surface alone: by length, by digits, by punctuation, by
character trigrams. Those must stay low, or a retrieval figure on this corpus would say nothing about a model.
"""

import sys
import unicodedata
from collections import Counter
from itertools import permutations
from statistics import mean

import numpy as np

from tl_experts import Corpus, load_sentences

SPLITS = ("dev", "test")


def characters(text: str) -> Counter:
    """The length."""
    return Counter({"length": len(text)})


def digits(text: str) -> Counter:
    """The numbers, digit by digit."""
    return Counter(c for c in unicodedata.normalize("NFKC", text) if c.isdigit())


def punctuation(text: str) -> Counter:
    """Marks, the same over all scripts: 。 counts as a full stop, 「 and « as a quotation mark."""
    same = str.maketrans("。、「」『』«»„“”—", ".,\"\"\"\"\"\"\"\"\"-")
    marks = unicodedata.normalize("NFKC", text).translate(same)
    return Counter(c for c in marks if unicodedata.category(c).startswith("P"))


def trigrams(text: str) -> Counter:
    """Character trigrams, case folded."""
    folded = f" {text.casefold()} "
    return Counter(folded[i : i + 3] for i in range(len(folded) - 2))


def found_by(corpus: Corpus, features) -> tuple[float, str, float]:
    """Mean top-1 over ordered pairs, the worst pair and its top-1; ties share the hit among them."""
    texts = {code: [corpus.texts[i] for i in rows] for code, rows in corpus.parallel().items()}
    bags = {code: [features(text) for text in rows] for code, rows in texts.items()}
    names = sorted({name for rows in bags.values() for bag in rows for name in bag})
    place = {name: i for i, name in enumerate(names)}
    vectors = {}
    for code, rows in bags.items():
        matrix = np.zeros((len(rows), len(names)))
        for row, bag in enumerate(rows):
            for name, count in bag.items():
                matrix[row, place[name]] = count
        vectors[code] = matrix
    scores = {(a, b): top1(vectors[a], vectors[b], by_length=names == ["length"]) for a, b in permutations(vectors, 2)}
    worst = max(scores, key=scores.get)
    return mean(scores.values()), f"{worst[0]}-{worst[1]}", scores[worst]


def top1(a, b, *, by_length: bool) -> float:
    """Expected top-1: cosine of counts, or, for the length, its closeness after scaling to the other language's mean."""
    if by_length:
        similarity = -np.abs(a / a.mean() - (b / b.mean()).T)
    else:
        unit = [v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12) for v in (a, b)]
        similarity = (unit[0] @ unit[1].T).round(12)
    best = similarity == similarity.max(axis=1, keepdims=True)
    return float((best.diagonal() / best.sum(axis=1)).mean())


def main(models: list[str]) -> None:
    """Print the tables."""
    corpora = {split: load_sentences("bundled", split=split) for split in SPLITS}
    corpora["dev"].require_disjoint(corpora["test"])
    out = sys.stdout.write
    out("| found by | split | mean top-1 | worst pair | its top-1 | chance |\n| --- | --- | --- | --- | --- | --- |\n")
    for features in (characters, digits, punctuation, trigrams):
        for split, corpus in corpora.items():
            average, pair, worst = found_by(corpus, features)
            chance = 100 / min(corpus.counts.values())
            out(f"| {features.__name__} | {split} | {100 * average:.1f}% | {pair} | {100 * worst:.1f}% | {chance:.1f}% |\n")
    tokenizers = {}
    for name in models:
        from tl_experts import load_model

        tokenizers[name] = load_model(name).tokenizer
    heads = "".join(f" tokens of {name} |" for name in models)
    out(f"\n| language | dev | test | characters: mean (min-max) |{heads}\n| --- | --- | --- | --- |{' --- |' * len(models)}\n")
    for code in corpora["dev"].languages:
        texts = [text for split in SPLITS for text in corpora[split][code].texts]
        spans = [[len(text) for text in texts]]
        for tokenizer in tokenizers.values():
            spans.append([len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]])
        cells = [f"{mean(span):.0f} ({min(span)}-{max(span)})" for span in spans]
        counts = [str(corpora[split].counts[code]) for split in SPLITS]
        out(f"| {' | '.join([code, *counts, *cells])} |\n")


if __name__ == "__main__":
    main(sys.argv[1:])
