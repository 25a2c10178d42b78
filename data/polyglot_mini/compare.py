"""Compare evaluations side by side: ``python compare.py weights english``."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from evaluate import COUNTS, TARGETS
from model_card import percent, read_reports, table

Model = Mapping[str, Any]
PER_LANGUAGE: dict[str, Callable[[Model, str], str]] = {
    "share of its tokens": lambda m, language: f"{percent(m['shares_drawn'].get(language, 0))}%",
    "bits per byte, held-out help": lambda m, language: f"{m['bits_per_byte']['help'][language]:.2f}",
    "best AUROC": lambda m, language: f"{m['auroc'][language]['best']:.4f}",
    "mean AUROC of the top 100": lambda m, language: f"{m['auroc'][language]['100']:.3f}",
}


def comparison(models: Sequence[Model]) -> str:
    """A Markdown table with one column per model."""
    languages = list(models[0]["auroc"])
    rows: list[list[str]] = [
        ["parameters", *[f"{m['parameters'] / 1e6:.2f} M" for m in models]],
        ["tokens", *[f"{m['tokens'] / 1e6:.1f} M" for m in models]],
        ["last loss, nats per token of its own mix", *[f"{m['losses'][-1][1]:.3f}" for m in models]],
    ]
    for title, value in PER_LANGUAGE.items():
        rows += [[f"{title}: {language}", *[value(m, language) for m in models]] for language in languages]
    rows += [
        ["best layer, top-1 over all pairs", *[f"{percent(best(m, 'top1'))}%" for m in models]],
        ["the same, languages centred", *[f"{percent(best(m, 'centred'))}%" for m in models]],
    ]
    for target in TARGETS:
        for label in ("before", *map(str, COUNTS)):
            lines = [m["steering"]["help"][target][label] for m in models]
            rows.append([f"last layer, {target} experts, {label}", *[effect(line) for line in lines]])
    return table(("", *[m["name"] for m in models]), rows)


def effect(line: Mapping[str, float]) -> str:
    """Top-1 accuracy with the target as query and over all pairs, and the distance."""
    return f"{percent(line['target_as_query'])}%, {percent(line['all_pairs'])}%, {line['distance']:.3f}"


def best(model: Model, key: str) -> float:
    """The best value of all layers, on the held-out help."""
    return float(np.max([line[key] for line in model["layers"]["help"].values()]))


if __name__ == "__main__":
    reports = [read_reports(Path(folder)) for folder in sys.argv[1:]]
    sys.stdout.write(comparison([training | evaluation for training, evaluation in reports]) + "\n")
