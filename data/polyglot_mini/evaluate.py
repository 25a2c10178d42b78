"""Measure a model of this recipe for its card: ``python evaluate.py weights --work ../mini``.

Experts are found on the bundled dev rows. Everything else is measured on the held-out help paragraphs that all nine
languages have, and on the bundled test rows; training uses neither.
"""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import numpy as np
import torch
import typer
from help_text import LANGUAGES, Paragraph, fetch, read_paragraphs, split_pages
from torch import Tensor

from tl_experts import (
    Corpus,
    Experts,
    collect_responses,
    embed,
    load_model,
    load_sentences,
    score_responses,
    select_experts,
    steer,
)
from tl_experts.analysis.distances import language_distances
from tl_experts.analysis.retrieval import all_pair_ranks, scores_of_ranks
from tl_experts.analysis.vectors import centre
from tl_experts.embeddings.embeddings import embed_layers
from tl_experts.experts.expertise import Expertise
from tl_experts.jobs.files import write_json
from tl_experts.models import Batching, Model, text_batches
from tl_experts.steering.generation import LanguageIdentifier, generate_texts

TARGETS = ("en", "de", "fr", "es", "ja")
COUNTS = (50, 200, 500)
"""Numbers of experts per language."""

SEEDS = (0, 1, 2)
"""Seeds of the random controls."""

ROWS = 200
"""Number of held-out paragraphs."""

GENERATIONS = 200
NEW_TOKENS = 48

Vectors = dict[str, Tensor]


def evaluate_model(folder: str | Path, held_out: Sequence[Paragraph], *, rows: int = ROWS) -> dict[str, Any]:
    """Everything that the card prints.

    Args:
        folder: the model, or a name of `available_models`.
        held_out: paragraphs of pages that training did not see.
        rows: the largest number of them to use.
    """
    model = load_model(folder)
    paragraphs = held_out_corpus(held_out, rows)
    corpora = {"help": paragraphs, "bundled": load_sentences("bundled", split="test")}
    expertise = score_responses(collect_responses(model, load_sentences("bundled", split="dev")))
    experts = select_experts(expertise, k=max(COUNTS))
    return {
        "rows": {name: len(corpus.texts) // len(corpus.languages) for name, corpus in corpora.items()},
        "bits_per_byte": {name: bits_per_byte(model, corpus) for name, corpus in corpora.items()},
        "auroc": expert_table(expertise),
        "layers": {name: layer_table(model, corpus) for name, corpus in corpora.items()},
        "steering": {
            # Controls support the claim, which is about the model's own domain.
            name: steering_table(model, corpus, experts, controls=name == "help")
            for name, corpus in corpora.items()
        },
        "generation": generation_table(model, experts),
    }


def held_out_corpus(held_out: Sequence[Paragraph], rows: int) -> Corpus:
    """Paragraphs of six or more English words that every language has, drawn with a fixed seed."""
    whole = [p for p in held_out if len(p.text) == len(LANGUAGES) and len(p.text["en"].split()) >= 6]
    # Two paragraphs may share a translation; a retrieval test needs one answer.
    counts = {language: Counter(p.text[language] for p in whole) for language in LANGUAGES}
    single = [p for p in whole if all(counts[language][p.text[language]] == 1 for language in LANGUAGES)]
    indices = np.random.default_rng(0).permutation(len(single))[:rows]
    chosen = [single[index] for index in sorted(indices)]
    return Corpus.from_texts(
        {language: [p.text[language] for p in chosen] for language in LANGUAGES}, aligned=True, name="held-out help"
    )


def bits_per_byte(model: Model, corpus: Corpus) -> dict[str, float]:
    """Cross-entropy of each language's sentences (each alone after BOS) per UTF-8 byte."""
    return {
        language: nats(model, corpus[language].texts)
        / math.log(2)
        / sum(len(text.encode()) for text in corpus[language].texts)
        for language in corpus.languages
    }


def nats(model: Model, texts: Sequence[str]) -> float:
    """Summed cross-entropy of the texts' tokens."""
    total = 0.0
    for batch in text_batches(model, texts, batching=Batching(truncate=True)):
        with torch.inference_mode():
            logits = model(batch.tokens)[:, :-1].log_softmax(-1)
        losses = -logits.gather(-1, batch.tokens[:, 1:, None])[..., 0]
        total += float(losses[batch.pooled[:, 1:]].sum())
    return total


def expert_table(expertise: Expertise) -> dict[str, dict[str, float]]:
    """Best AUROC, and the mean of the top 50, 100, 200 and 500, by language."""
    table = {}
    for language in expertise.languages:
        ranked = np.sort(expertise.auroc[:, expertise.column(language)])[::-1]
        table[language] = {"best": float(ranked[0])} | {str(k): float(ranked[:k].mean()) for k in (50, 100, 200, 500)}
    return table


def top1_by_pair(vectors: Vectors) -> dict[tuple[str, str], float]:
    """Top-1 accuracy of every ordered (query, candidate) pair."""
    return {pair: scores_of_ranks(ranks).top1 for pair, ranks in all_pair_ranks(vectors).items()}


def layer_table(model: Model, corpus: Corpus) -> dict[str, dict[str, float]]:
    """Top-1 accuracy over all ordered pairs at every layer, with and without each language's mean subtracted."""
    layers = [*range(int(model.cfg.n_layers)), None]
    table = {}
    for layer, embeddings in embed_layers(
        model, corpus, layers, batching=Batching(truncate=True), progress=False
    ).items():
        vectors = embeddings.parallel()
        centred = {language: centre(v) for language, v in vectors.items()}
        table["last hidden state" if layer is None else str(layer)] = {
            "top1": mean(top1_by_pair(vectors).values()),
            "centred": mean(top1_by_pair(centred).values()),
            "distance": language_distances(vectors).mean_pair(),
        }
    return table


def summary(vectors: Vectors, target: str) -> dict[str, float]:
    """The measures of an intervention."""
    found = top1_by_pair(vectors)
    return {
        "target_as_query": mean(top1 for (query, _), top1 in found.items() if query == target),
        "target_as_candidate": mean(top1 for (_, candidate), top1 in found.items() if candidate == target),
        "all_pairs": mean(found.values()),
        "distance": language_distances(vectors).mean_pair(),
    }


def steering_table(model: Model, corpus: Corpus, experts: Experts, *, controls: bool) -> dict[str, Any]:
    """Last hidden state, mean pooling: unsteered, with each target's experts, with random neurons at their values."""

    def vectors() -> Vectors:
        return embed(model, corpus, batching=Batching(truncate=True), progress=False).parallel()

    def steered(target: str, chosen: Experts) -> dict[str, float]:
        with steer(model, chosen):
            return summary(vectors(), target)

    before = vectors()
    table: dict[str, Any] = {}
    for target in TARGETS:
        table[target] = {"before": summary(before, target)}
        for k in COUNTS:
            chosen = experts[target].head(k)
            table[target][str(k)] = steered(target, chosen)
            for name, match in random_kinds(k) if controls else ():
                drawn = [chosen.random_control(seed=seed, match_layers=match) for seed in SEEDS]
                table[target][f"{k} {name}"] = mean_and_spread([steered(target, control) for control in drawn])
        sys.stderr.write(f"{corpus.name}: steered with {target}\n")
    return table


def random_kinds(k: int) -> list[tuple[str, bool]]:
    """The paper's control at every k; at the largest also a harder one, drawn from the experts' own layers."""
    return [("random", False)] + [("random, own layers", True)] * (k == max(COUNTS))


def mean_and_spread(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean and standard deviation over seeds."""
    means = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
    return means | {f"{key} s.d.": float(np.std([one[key] for one in found], ddof=1)) for key in found[0]}


def generation_table(model: Model, experts: Experts) -> dict[str, Any]:
    """Share of free generations in each language by language id, before and steered, and one sample of each."""
    identify = LanguageIdentifier(experts.languages)
    before = generate(model)
    likeliest = identify.probabilities(before).argmax(axis=1)
    found = [identify.languages[index] if text else "" for index, text in zip(likeliest, before, strict=True)]
    table: dict[str, Any] = {
        "before": {language: identify.share(before, language) for language in experts.languages},
        "samples": {
            language: next((text for text, code in zip(before, found, strict=True) if code == language), "")
            for language in experts.languages
        },
        "steered": {},
        "steered_samples": {},
    }
    for language in experts.languages:
        for k in COUNTS:
            with steer(model, experts[language].head(k)):
                texts = generate(model)
            table["steered"].setdefault(language, {})[str(k)] = identify.share(texts, language)
            table["steered_samples"].setdefault(language, {})[str(k)] = texts[0]
    return table


def generate(model: Model) -> list[str]:
    """Texts sampled from BOS at temperature 1 over all tokens."""
    return generate_texts(
        model,
        GENERATIONS,
        seed=0,
        max_new_tokens=NEW_TOKENS,
        top_p=None,
        batch_size=GENERATIONS,
        progress=False,
    )


def main(
    model: Annotated[str, typer.Argument(help="A folder or a name of `tl-experts models`.")],
    work: Annotated[Path, typer.Option(help="Folder of the packages, fetched if missing.")] = Path("polyglot-mini"),
    output: Annotated[Path | None, typer.Option(help="JSON to write; default: evaluation.json in the folder.")] = None,
) -> None:
    """Measure a model on the held-out paragraphs and the bundled test rows."""
    fetch(work / "packages")
    _, held_out = split_pages(read_paragraphs(work / "packages"))
    write_json(output or Path(model) / "evaluation.json", evaluate_model(model, held_out))


if __name__ == "__main__":
    typer.run(main)
