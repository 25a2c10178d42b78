"""What romanised text shows, in plain words: whether retrieval and experts follow the language or its script."""

import langcodes

from tl_experts.jobs.stages import Row
from tl_experts.study.comparison.evidence import best_of, best_steered, named, percent, sure
from tl_experts.study.comparison.methods import UNSTEERED
from tl_experts.study.comparison.result import CompareResult
from tl_experts.study.comparison.romaniser import INSTALL, cyrillic
from tl_experts.study.comparison.views import ALL
from tl_experts.study.result import records

MOSTLY = 2 / 3
"""The share of a score that is most of it."""


def scripts(result: CompareResult) -> str:
    """A paragraph on the targets in Cyrillic letters; nothing if there are none."""
    targets = cyrillic(result.config.targets)
    if not targets:
        return ""
    if "romanised" not in result:
        return (
            f"Romanised {_names(targets)} was not measured, which would tell language from script: {INSTALL}, and run "
            "the same comparison again."
        )
    return " ".join(_target(result, target) for target in targets)


def _target(result: CompareResult, target: str) -> str:
    name = _names((target,))
    rows = [row for row in records(result["romanised"]) if row["target"] == target]
    own = {(str(row["method"]), str(row["view"])): row for row in rows}
    table = result["alignment"]
    table = table[(table["target"] == target) & (table["languages"] == ALL)]
    free = (UNSTEERED, best_of(table[table["method"] == UNSTEERED], "dev_top1", "view"))
    steered = [method for method, _ in own if method != UNSTEERED]
    said = f"{name} in Latin letters finds and is found by its translations in {_found(own[free], free[1])}"
    if steered:
        best = best_steered(table[table["method"] == steered[0]])
        said += f"; with the best intervention ({named(best[0])}) in {_found(own[best], best[1])}"
    return f"Language or script? {said}.{_experts(result, target, name)}"


def _found(row: Row, view: str) -> str:
    return (
        f"{percent(row['romanised'])} of cases, against {percent(row['cyrillic'])} in Cyrillic ones ({view}; the "
        f"difference is {sure(row['p'])})"
    )


def _experts(result: CompareResult, target: str, name: str) -> str:
    rows = records(result["romanised_experts"]) if "romanised_experts" in result else []
    row = next((row for row in rows if row["target"] == target), None)
    if row is None:
        return ""
    before, after = row["separate_cyrillic"], row["separate_romanised"]
    return (
        f" Of the {row['neurons']:.0f} neurons by AUROC, {percent(before)} separate {name} from the other languages "
        f"(AUROC of at least 0.9) in Cyrillic letters and {percent(after)} in Latin ones (mean AUROC "
        f"{row['auroc_cyrillic']:.2f} and {row['auroc_romanised']:.2f}): {_verdict(before, after)}."
    )


def _verdict(before: float, after: float) -> str:
    if not before:
        return "they separate it in neither script"
    if after >= MOSTLY * before:
        return "they respond to the language more than to its script"
    if after <= (1 - MOSTLY) * before:
        return "they respond to the script more than to the language"
    return "they respond to both language and script"


def _names(languages: tuple[str, ...]) -> str:
    return " and ".join(langcodes.Language.get(language).display_name("en") for language in languages)
