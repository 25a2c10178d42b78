"""The model card, from the numbers beside the weights: ``python model_card.py weights``."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluate import COUNTS, SEEDS

from tl_experts.errors import TLExpertsError
from tl_experts.jobs.files import write_text

Row = Sequence[object]


CORPORA = (("Held-out help", "help"), ("Bundled test", "bundled"))
"""Title of each corpus and its name in the evaluation."""


def table(head: Row, rows: Iterable[Row]) -> str:
    """A Markdown table.

    >>> print(table(("a", "b"), [(1, 2)]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def percent(share: float) -> str:
    """A share in percent, with one decimal."""
    return f"{100 * share:.1f}"


HEAD = """# Model card: {name}

A Llama-like decoder with byte-level BPE, trained from random weights by `data/polyglot_mini/train.py`; this page is
written by that command from `training.json` and `evaluation.json` beside it, every number as measured.

**Licence**: MPL-2.0, that of the text: the help of LibreOffice (The Document Foundation and contributors) from the
Debian packages named below. The bundled corpus was never trained on."""


def card(training: Mapping[str, Any], evaluation: Mapping[str, Any], name: str) -> str:
    """The whole card as Markdown."""
    sections = [
        ("What it was trained on", trained_on(training)),
        ("Training", how_trained(training)),
        ("Held-out text", bits(evaluation)),
        ("Experts", experts(evaluation)),
        ("Layers", layers(evaluation)),
        ("Steering: the last hidden state", steering(evaluation)),
        ("Free generation", generation(evaluation)),
    ]
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections)
    return f"{HEAD.format(name=name)}\n\n{body}\n"


def trained_on(training: Mapping[str, Any]) -> str:
    """Section: counts, shares and packages."""
    counts, shares = training["paragraphs"], training["shares_drawn"]
    rows = [
        (
            language,
            f"{counts['training'][language]:,}",
            f"{counts['characters'][language] / 1e6:.2f} M",
            f"{counts['held_out'][language]:,}",
            f"{percent(shares.get(language, 0))}%",
        )
        for language in counts["training"]
    ]
    kinds = ", ".join(f"{kind} {percent(shares[kind])}%" for kind in ("monolingual", "pairs", "switching"))
    packages = "\n".join(f"    {digest}  {name}" for name, digest in training["packages"].items())
    return "\n\n".join(
        [
            table(("language", "paragraphs", "characters", "held out", "share of the tokens drawn"), rows),
            f"Share of the tokens by kind of document: {kinds}. The packages, by SHA-256:",
            packages,
        ]
    )


def how_trained(training: Mapping[str, Any]) -> str:
    """Section: sizes, options and loss."""
    settings = training["settings"]
    losses = training["losses"]
    shown = losses[:: max(1, len(losses) // 14)]
    shown = shown if shown[-1] == losses[-1] else [*shown, losses[-1]]
    tokens = settings["batch"] * settings["window"]
    return "\n\n".join(
        [
            f"{training['parameters'] / 1e6:.2f} M parameters: {settings['layers']} layers x {settings['width']}, "
            f"{settings['heads']} heads, {settings['neurons']} neurons a layer (gated), vocabulary "
            f"{settings['vocabulary']:,}, window {settings['window']}. {training['tokens'] / 1e6:.1f} M tokens in "
            f"{settings['steps']:,} steps on {training['device']}"
            + (f", {training['tokens_per_second']:,.0f} tokens/s." if training["tokens_per_second"] else "."),
            "Every option: " + ", ".join(f"`{name}={value}`" for name, value in settings.items()) + ".",
            "Loss in nats per token (mean of fifty steps):",
            table(
                ("step", "M tokens", "loss"),
                [(f"{step:,}", f"{step * tokens / 1e6:.1f}", f"{loss:.3f}") for step, loss in shown],
            ),
        ]
    )


def bits(evaluation: Mapping[str, Any]) -> str:
    """Section: bits per byte."""
    found = evaluation["bits_per_byte"]
    languages = list(found["help"])
    rows = [(name, *[f"{found[key][language]:.2f}" for language in languages]) for name, key in CORPORA]
    return "Bits per UTF-8 byte (each sentence alone after BOS).\n\n" + table(("text", *languages), rows)


def experts(evaluation: Mapping[str, Any]) -> str:
    """Section: AUROC of the experts."""
    found = evaluation["auroc"]
    rows = [(language, *[f"{value:.4f}" for value in line.values()]) for language, line in found.items()]
    head = ("language", "best", *[f"mean of top {k}" for k in list(next(iter(found.values())))[1:]])
    return "AUROC on the bundled dev rows (maximum over a sentence's tokens).\n\n" + table(head, rows)


def layers(evaluation: Mapping[str, Any]) -> str:
    """Section: retrieval by layer."""
    parts = []
    for name, key in CORPORA:
        rows = [
            (layer, percent(line["top1"]), percent(line["centred"]), f"{line['distance']:.3f}")
            for layer, line in evaluation["layers"][key].items()
        ]
        parts.append(
            f"{name}, {evaluation['rows'][key]} rows:\n\n"
            + table(("after block", "top-1 in %", "with each language's mean subtracted", "cosine distance"), rows)
        )
    return "No intervention; mean over all ordered pairs of the nine languages.\n\n" + "\n\n".join(parts)


def steering(evaluation: Mapping[str, Any]) -> str:
    """Section: unsteered, with experts, and with random neurons."""
    parts = []
    for name, key in CORPORA:
        rows = []
        for target, found in evaluation["steering"][key].items():
            base = found["before"]
            rows.append((target, "none", *_cells(base, None)))
            rows += [("", label, *_cells(line, base)) for label, line in found.items() if label != "before"]
        head = ("target", "neurons set", "top-1 target as query", "x", "as candidate", "all pairs", "distance")
        parts.append(f"{name}, {evaluation['rows'][key]} rows:\n\n" + table(head, rows))
    return (
        f"Mean pooling, top-1 in %, mean over the other eight languages; random: mean and s.d. of {len(SEEDS)} seeds, "
        "at the experts' values.\n\n" + "\n\n".join(parts)
    )


def _cells(line: Mapping[str, float], base: Mapping[str, float] | None) -> list[str]:
    def shown(key: str) -> str:
        spread = line.get(f"{key} s.d.")
        return percent(line[key]) + (f" ± {percent(spread)}" if spread is not None else "")

    gain = f"{line['target_as_query'] / base['target_as_query']:.2f}" if base and base["target_as_query"] else ""
    return [
        shown("target_as_query"),
        gain,
        shown("target_as_candidate"),
        shown("all_pairs"),
        f"{line['distance']:.3f}",
    ]


def generation(evaluation: Mapping[str, Any]) -> str:
    """Section: language identification and samples."""
    found = evaluation["generation"]
    rows = [
        (language, percent(found["before"][language]), *[percent(found["steered"][language][str(k)]) for k in COUNTS])
        for language in found["before"]
    ]
    samples = [
        f"- {language}: {_quoted(found['samples'][language])}"
        for language in found["samples"]
        if found["samples"][language]
    ]
    steered = [
        f"- {language}, {k} experts: {_quoted(text)}"
        for language, lines in found["steered_samples"].items()
        for k, text in lines.items()
    ]
    return "\n\n".join(
        [
            "200 texts from BOS at temperature 1: the share of each language by py3langid, unsteered, and the target's "
            "share with its experts set to their mean.",
            table(("language", "before", *[f"{k} experts" for k in COUNTS]), rows),
            "Unsteered, the first text in each language:",
            "\n".join(samples),
            "Steered, the first text:",
            "\n".join(steered),
        ]
    )


def _quoted(text: str) -> str:
    return "`" + " / ".join(text.replace("`", "'").split("\n")) + "`"


def read_reports(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the training and evaluation reports of a model.

    Raises:
        TLExpertsError: the folder is not one that train.py wrote.
    """
    try:
        training, evaluation = (
            json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("training", "evaluation")
        )
    except OSError as error:
        raise TLExpertsError(f"{error.filename} is missing; {folder} should be a folder that train.py wrote") from error
    return training, evaluation


def write_card(folder: Path) -> Path:
    """Write README.md in the model's folder from its JSON files."""
    training, evaluation = read_reports(folder)
    return write_text(folder / "README.md", card(training, evaluation, training["name"]))


if __name__ == "__main__":
    write_card(Path(sys.argv[1]))
