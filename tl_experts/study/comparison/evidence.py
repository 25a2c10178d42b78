"""What the tables of a comparison prove: who did best where the choice was made, and by how much it leads elsewhere."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from tl_experts.analysis.statistics import SIGNIFICANT, Estimate, holm, paired_gain
from tl_experts.steering.wording import in_words
from tl_experts.study.comparison.ceiling import CEILING
from tl_experts.study.comparison.methods import NAMES, UNSTEERED
from tl_experts.study.comparison.result import CompareResult
from tl_experts.study.comparison.views import ALL
from tl_experts.study.comparison.writing import ASKED, OWN

if TYPE_CHECKING:
    import pandas as pd

VECTOR = NAMES["vector"]


def best_writer(result: CompareResult) -> str:
    """The method whose settings scored best on the prompts of the search, averaged over targets."""
    return best_of(result["writing"], "dev_score")


def compared_at_equal_cost(result: CompareResult) -> list[str]:
    """The methods that have a setting within the budget, in every target; none if nothing was measured."""
    if "equal" not in result:
        return []
    table = result["equal"]
    return list(dict.fromkeys(table[_has_all(table, "dev_score")]["method"]))


def useful(result: CompareResult, method: str, table: str = "texts") -> Float64[np.ndarray, "target prompt"]:
    """For each target and prompt, the mean of its texts' quality, 0 for a text in another language.

    Args:
        result: the comparison.
        method: as tables call it; one of which no setting wrote the language has no texts and is worth 0.
        table: ``texts`` or ``equal_texts``.
    """
    texts = result[table] if table in result else result["texts"].iloc[:0]
    mine = texts[texts["method"] == method]
    prompts = range(int(result["texts"]["row"].max()) + 1)
    found = []
    for target in result.config.targets:
        own = mine[mine["target"] == target].groupby("row")["useful"].mean().reindex(prompts, fill_value=0.0)
        found.append(own.to_numpy(dtype=np.float64))
    return np.stack(found)


def gain_of_texts(
    result: CompareResult,
    before: Float64[np.ndarray, "target prompt"],
    after: Float64[np.ndarray, "target prompt"],
) -> Estimate:
    """The mean difference of two methods, its interval and p over resampled prompts.

    All texts of a prompt, of whatever seed and target, are resampled together: they begin alike and are drawn with the
    same random numbers, so they are not independent.
    """
    seed, resamples = result.config.seed, result.config.resamples
    return paired_gain(before.mean(axis=0), after.mean(axis=0), seed=seed, resamples=resamples)


def gains_over_rivals(result: CompareResult, table: str, best: str) -> dict[str, Estimate]:
    """The lead of the best method over its rivals, with p corrected for all of them (Holm).

    Rivals are the language vector on the same terms (of the vector: the best other method; where it has no value, there
    is none) and both prompts.
    """
    texts = {"writing": "texts", "equal": "equal_texts"}[table]
    rows = result[table]
    others = rows[_has_all(rows, "dev_score") & (rows["method"] != best)]
    if best != VECTOR:
        others = others[others["method"] == VECTOR]
    rivals = [] if others.empty else [best_of(others, "dev_score")]
    before = {name: useful(result, name, texts) for name in rivals} | {
        name: useful(result, name) for name in (ASKED, OWN)
    }
    gains = {name: gain_of_texts(result, other, useful(result, best, texts)) for name, other in before.items()}
    corrected = holm([gain.p or 1.0 for gain in gains.values()])
    return {name: replace(gain, p=p) for (name, gain), p in zip(gains.items(), corrected, strict=True)}


def named(method: str) -> str:
    """A method in a sentence."""
    return f"the {method}" if method in (VECTOR, ASKED, OWN) else in_words(method)


@dataclass(frozen=True, eq=False)
class Retrieval:
    """The best intervention at retrieval over all languages, beside the best view without any."""

    table: "pd.DataFrame"
    """Rows over all languages, the ceiling left out."""

    baseline: str
    """The best view without intervention."""

    method: str
    view: str
    rows: "pd.DataFrame"
    """Of the method in this view, one per target."""

    @property
    def top1(self) -> float:
        """Of the intervention, averaged over targets."""
        return mean_top1(self.table, self.method, self.view)

    @property
    def without(self) -> float:
        """Of the baseline."""
        return mean_top1(self.table, UNSTEERED, self.baseline)

    def beyond_doubt(self, sign: int) -> int:
        """For how many targets it is ahead (sign 1) or behind (-1), with corrected p below 0.05 (Holm)."""
        found = zip(holm(self.rows["p"].tolist()), self.rows["gain"], strict=True)
        return sum(p < SIGNIFICANT and sign * gain > 0 for p, gain in found)


def retrieval(result: CompareResult) -> Retrieval:
    """What was chosen on the dev split for retrieval."""
    table = result["alignment"]
    table = table[(table["method"] != CEILING) & (table["languages"] == ALL)]
    baseline = best_of(table[table["method"] == UNSTEERED], "dev_top1", "view")
    method, view = best_steered(table)
    own = table[(table["method"] == method) & (table["view"] == view)]
    return Retrieval(table, baseline, method, view, own)


def best_steered(table: "pd.DataFrame") -> tuple[str, str]:
    """The intervention and view that did best on the dev split, averaged over targets."""
    steered = table[table["method"] != UNSTEERED].assign(both=lambda rows: rows["method"] + " | " + rows["view"])
    method, _, view = best_of(steered, "dev_top1", "both").partition(" | ")
    return method, view


def mean_top1(table: "pd.DataFrame", method: str, view: str) -> float:
    """Top-1 of a method in a view, averaged over targets."""
    return float(table[(table["method"] == method) & (table["view"] == view)]["top1"].mean())


def best_of(table: "pd.DataFrame", column: str, by: str = "method") -> str:
    """The method (or other group) of the highest mean in a column, of those that have a value in each of their rows."""
    return str(table[_has_all(table, column, by)].groupby(by, sort=False)[column].mean().idxmax())


def _has_all(table: "pd.DataFrame", column: str, by: str = "method") -> "pd.Series":
    """Of each row: whether its group has a value in all rows."""
    return table[column].notna().groupby(table[by]).transform("all")


def sure(p: float) -> str:
    """How sure a difference is, in words."""
    return "beyond doubt" if p < SIGNIFICANT else f"not beyond doubt, p {p:.2g}"


def percent(value: float) -> str:
    """A share in percent, with one decimal."""
    return f"{100 * value:.1f}%"
