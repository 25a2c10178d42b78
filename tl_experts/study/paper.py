"""The paper's printed numbers, for comparison with ours. Source: Sundar et al. 2025 (2025.acl-long.118)."""

from functools import cache
from pathlib import Path
from typing import Any

from tl_experts.jobs.files import read_json

MODELS = {"aya-8b": "Aya-8b", "bloom-7b": "Bloom-7b", "polylm-13b": "PolyLM-13b"}
"""The paper's name of a model, by the name of the shipped study."""


@cache
def printed() -> dict[str, Any]:
    """Every number of the paper's tables, as printed."""
    return read_json(Path(__file__).parent / "paper.json")


def printed_table1(study: str) -> dict[str, tuple[float, float]]:
    """Cosine distances pre and post by measure; empty for models that the paper does not have."""
    table = printed()["table1_cosine_distance"].get(MODELS.get(study, ""), {})
    return {measure: (pre, post) for measure, (pre, post) in table.items()}


def printed_correlations(study: str) -> dict[tuple[str, str], float | None]:
    """Pearson's r by target and pair of measures; None: the paper's cell is empty."""
    table = printed()["table2_pearson"]
    return {
        (target, name): value
        for target, values in table.get(MODELS.get(study, ""), {}).items()
        for name, value in zip(table["columns"], values, strict=True)
    }


def printed_paraphrases(study: str, neurons: str) -> dict[tuple[str, str], float]:
    """Top-1 on PAWS-X by language and condition, for ``"experts"`` or ``"random"`` neurons."""
    table = printed()["table3_5_pawsx_top1" if neurons == "experts" else "table6_random_pawsx_top1"]
    return {
        (language, condition): value
        for language, values in table.get(MODELS.get(study, ""), {}).items()
        for condition, value in zip(table["columns"], values, strict=True)
    }


def printed_gains(study: str) -> dict[str, float]:
    """``median`` and ``max`` of the top-1 gains on FLORES with the target as query, over targets and candidates."""
    found: dict[str, float] = printed()["flores_gain_target_query"].get(MODELS.get(study, ""), {})
    return found


def printed_pair_sets(study: str, corpus: str) -> dict[tuple[str, str], float]:
    """Top-1 on ``"tatoeba"`` or ``"bucc18"`` by target and condition."""
    table = printed()["table7_top1"]
    return {
        (target, condition): value
        for target, values in table.get(corpus, {}).get(MODELS.get(study, ""), {}).items()
        for condition, value in zip(table["columns"], values, strict=True)
    }
