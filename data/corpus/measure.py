"""Measure the bundled corpus and print the tables of its data card: `python data/corpus/measure.py [MODEL ...]`.

Counts, lengths, and how often a translation is found by its surface alone: by its length, digits, punctuation or
character trigrams. These shares must stay low; otherwise retrieval on this corpus would say nothing about a model.
"""

import sys
import unicodedata
from collections import Counter
from itertools import permutations
from statistics import mean, median

import numpy as np

from tl_experts import Corpus, load_model, load_sentences

SPLITS = ("dev", "test")


def characters(text: str) -> Counter:
    """The length."""
    return Counter({"length": len(text)})


def digits(text: str) -> Counter:
    """The numbers, digit by digit."""
    return Counter(c for c in unicodedata.normalize("NFKC", text) if c.isdigit())


def punctuation(text: str) -> Counter:
    """Punctuation marks, unified over scripts: 。 counts as a full stop, 「 and « as quotation marks."""
    same = str.maketrans("。、「」『』«»„“”—", '.,"""""""""-')
    marks = unicodedata.normalize("NFKC", text).translate(same)
    return Counter(c for c in marks if unicodedata.category(c).startswith("P"))


def trigrams(text: str) -> Counter:
    """Character trigrams, case folded."""
    folded = f" {text.casefold()} "
    return Counter(folded[i : i + 3] for i in range(len(folded) - 2))


def found_by(corpus: Corpus, features) -> dict[tuple[str, str], float]:
    """Top-1 accuracy of every ordered pair; tied candidates share a hit."""
    texts = {code: [corpus.texts[i] for i in rows] for code, rows in corpus.parallel().items()}
    bags = {code: [features(text) for text in rows] for code, rows in texts.items()}
    names = sorted({name for rows in bags.values() for bag in rows for name in bag})
    column_of = {name: i for i, name in enumerate(names)}
    vectors = {}
    for code, rows in bags.items():
        matrix = np.zeros((len(rows), len(names)))
        for row, bag in enumerate(rows):
            for name, count in bag.items():
                matrix[row, column_of[name]] = count
        vectors[code] = matrix
    by_length = names == ["length"]
    return {(a, b): top1(vectors[a], vectors[b], by_length=by_length) for a, b in permutations(vectors, 2)}


def top1(a, b, *, by_length: bool) -> float:
    """Expected top-1 accuracy, by the cosine of counts or by the length relative to the language's mean."""
    if by_length:
        similarity = -np.abs(a / a.mean() - (b / b.mean()).T)
    else:
        unit = [v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12) for v in (a, b)]
        similarity = (unit[0] @ unit[1].T).round(12)
    best = similarity == similarity.max(axis=1, keepdims=True)
    return float((best.diagonal() / best.sum(axis=1)).mean())


def print_row(*cells: object) -> None:
    """One line of a Markdown table."""
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")


def print_baselines(corpora: dict[str, Corpus]) -> None:
    """How often each surface feature finds the translation."""
    print_row("found by", "split", "mean top-1", "median", "worst pair", "its top-1", "chance")
    print_row(*["---"] * 7)
    for features in (characters, digits, punctuation, trigrams):
        for split, corpus in corpora.items():
            scores = found_by(corpus, features)
            worst = max(scores, key=scores.get)
            shares = (mean(scores.values()), median(scores.values()), scores[worst], 1 / min(corpus.counts.values()))
            average, middle, most, chance = (f"{100 * share:.1f}%" for share in shares)
            print_row(features.__name__, split, average, middle, "-".join(worst), most, chance)


def print_lengths(corpora: dict[str, Corpus], models: list[str]) -> None:
    """Rows per language, and lengths in characters and in each model's tokens."""
    tokenizers = [load_model(name).tokenizer for name in models]
    print_row("language", "dev", "test", "characters: mean (min-max)", *[f"tokens of {name}" for name in models])
    print_row(*["---"] * (4 + len(models)))
    for code in corpora["dev"].languages:
        texts = [text for split in SPLITS for text in corpora[split][code].texts]
        spans = [[len(text) for text in texts]]
        spans += [[len(ids) for ids in t(texts, add_special_tokens=False)["input_ids"]] for t in tokenizers]
        cells = [f"{mean(span):.0f} ({min(span)}-{max(span)})" for span in spans]
        print_row(code, *[corpora[split].counts[code] for split in SPLITS], *cells)


def main(models: list[str]) -> None:
    """Print the tables."""
    corpora = {split: load_sentences("bundled", split=split) for split in SPLITS}
    corpora["dev"].require_disjoint(corpora["test"])
    print_baselines(corpora)
    sys.stdout.write("\n")
    print_lengths(corpora, models)


if __name__ == "__main__":
    main(sys.argv[1:])
