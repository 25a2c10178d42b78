"""A comparison written by hand: its winners are known, and no model is needed."""

from pathlib import Path

import numpy as np
import pandas as pd

from tl_experts.study.comparison import CompareConfig, CompareResult
from tl_experts.study.comparison.methods import UNSTEERED
from tl_experts.study.comparison.views import ALL, BEST_CENTRED, LAST_RAW
from tl_experts.study.comparison.writing import ASKED, OWN

TARGETS = ("es", "fr")
PROMPTS = 20
NEURONS, VECTOR = "auroc, set mean", "language vector"


def comparison(worth, top1, silencing, *, equal=None):
    """A comparison of two targets.

    Args:
        worth: of the texts of each method, around which prompts vary.
        top1: of the neurons, over the best view without intervention (0.5), with the p of every target.
        silencing: diagonality of each scoring; random neurons have 0, intervals are 0.05 to either side.
        equal: as `worth`, at equal cost; None: not measured.
    """
    gain, p = top1
    tables = {
        "writing": _methods(worth),
        "texts": _texts(worth),
        "alignment": pd.DataFrame(
            [
                _seen(target, method, view, value, p)
                for target in TARGETS
                for method, view, value in (
                    (UNSTEERED, LAST_RAW, 0.1),
                    (UNSTEERED, BEST_CENTRED, 0.5),
                    (NEURONS, BEST_CENTRED, 0.5 + gain),
                )
            ]
        ),
        "silencing_summary": pd.DataFrame(
            [
                {"scoring": scoring, "neurons": 100, "diagonality": value, "low": value - 0.05, "high": value + 0.05}
                | {"control_diagonality": 0.0, "control_low": -0.05, "control_high": 0.05}
                for scoring, value in silencing.items()
            ]
        ),
    }
    if equal is not None:
        rows = _methods(equal).dropna(subset=["dev_score"])  # without prompts
        tables |= {"equal": rows.assign(budget=0.2), "equal_texts": _texts(equal)}
    config = CompareConfig("by-hand", "polyglot-mini", targets=TARGETS, resamples=2000)
    return CompareResult(Path("nowhere"), config, {}, tables)


def _methods(worth):
    """Tuned methods have a score on the dev split; prompts have none."""
    prompts = (ASKED, OWN)
    return pd.DataFrame(
        [
            {"target": target, "method": method, "scoring": "", "share": value, "score": value, "perplexity": 9.0}
            | {"dev_score": np.nan if method in prompts else value}
            for target in TARGETS
            for method, value in worth.items()
        ]
    )


def _texts(worth):
    noise = np.random.default_rng(0).uniform(-0.02, 0.02, (len(worth), PROMPTS))
    noise -= noise.mean(axis=1, keepdims=True)
    return pd.DataFrame(
        [
            {"target": target, "method": method, "row": row, "useful": value + noise[number, row]}
            for target in TARGETS
            for number, (method, value) in enumerate(worth.items())
            for row in range(PROMPTS)
        ]
    )


def _seen(target, method, view, top1, p):
    row = {"target": target, "languages": ALL, "method": method, "view": view, "dev_top1": top1, "top1": top1}
    return row | {"gain": top1 - 0.5, "p": p}
