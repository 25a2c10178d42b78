"""`tl-experts tune --objective align`: the setting under which sentences find their translations."""

from pathlib import Path
from typing import TYPE_CHECKING

from tl_experts.cli.output import Output

if TYPE_CHECKING:
    from tl_experts.corpus.sentences import Corpus
    from tl_experts.models import Model
    from tl_experts.steering.tuning import Budget
    from tl_experts.steering.tuning.building import Statistics

SHOWN = 5
"""Trials that are printed."""


def align(
    model: "Model",
    statistics: "Statistics",
    code: str,
    dev: "Corpus",
    budget: "Budget",
    seed: int,
    folder: Path,
    out: Output,
    *,
    progress: bool,
) -> None:
    """Search or resume, save and print.

    Args:
        model: from `load_model`.
        statistics: of `dev`.
        code: the language whose neurons are held.
        dev: rows of the bundled corpus to choose on; as many of its test split are reported on.
        budget: of the search.
        seed: of the draws.
        folder: where trials are kept while the search runs, and its result in the end.
        out: what prints.
        progress: show a bar.
    """
    from tl_experts.corpus.readers import load_sentences
    from tl_experts.study import tune_alignment

    test = load_sentences("bundled", split="test", limit=max(dev.counts.values()))
    result = tune_alignment(
        model, statistics, code, dev, test, budget=budget, seed=seed, folder=folder, progress=progress
    )
    best_first = sorted(result.trials, key=lambda trial: trial.rank, reverse=True)
    for trial in (result.unsteered, *best_first[:SHOWN]):
        setting = "no intervention" if trial.setting is None else trial.setting
        out.say(f"top-1 {trial.top1:.3f} of {trial.rows} dev rows ({trial.view}): {setting}")
    out.finish(result.to_dict() | {"trials": len(result.trials), "folder": folder})
    out.say(f"\n{result}\nSaved: {folder}")
