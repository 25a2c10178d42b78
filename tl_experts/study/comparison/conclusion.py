"""What a comparison shows, in plain words: a sentence about all purposes, then a paragraph on each."""

from typing import TYPE_CHECKING

import numpy as np

from tl_experts.analysis.statistics import POWER, Estimate, enough_resamples, smallest_p
from tl_experts.corpus.sentence_encoder import INSTALL
from tl_experts.steering.wording import SCORINGS
from tl_experts.study.comparison.ceiling import CEILING
from tl_experts.study.comparison.evidence import (
    Retrieval,
    best_of,
    best_writer,
    compared_at_equal_cost,
    gains_over_rivals,
    mean_top1,
    named,
    percent,
    retrieval,
    sure,
    useful,
)
from tl_experts.study.comparison.headline import headline
from tl_experts.study.comparison.methods import UNSTEERED
from tl_experts.study.comparison.result import CompareResult
from tl_experts.study.comparison.scripts import scripts
from tl_experts.study.comparison.views import ALL, LAST_RAW

if TYPE_CHECKING:
    import pandas as pd

NATURAL = (
    "Texts after the prompt in the language are the natural ones by which quality is measured, so no method can be far "
    "ahead of them."
)

EARLIER = (
    "An earlier version computed these tables: they lack the language subspace, MEXA, distances, isotropy and "
    "languages of one script. To add them, delete stages/alignment-*.json in the folder and run the same "
    "comparison again."
)


def conclusion(result: CompareResult) -> list[str]:
    """The sentence about all purposes, then `findings`."""
    return [headline(result), *findings(result)]


def findings(result: CompareResult) -> list[str]:
    """Paragraphs: writing, at equal cost, retrieval, script, costs, cause. What was not measured is left out."""
    parts = (_writing, _equal, _alignment, scripts, _costs, _cause)
    return [paragraph for part in parts if (paragraph := part(result))]


def _writing(result: CompareResult) -> str:
    best = best_writer(result)
    table = result["writing"].set_index(["target", "method"])
    share = np.mean([table.loc[(target, best), "share"] for target in result.config.targets])
    worth = useful(result, best)
    gains = gains_over_rivals(result, "writing", best)
    return (
        f"For writing, {named(best)} is best of {len(_tuned(result['writing']))} methods{_unbeaten(gains)}: "
        f"{percent(float(share))} of its texts are in the language, and its texts are worth "
        f"{percent(float(worth.mean()))} of natural ones (language times quality, mean over {_targets(result)}): "
        f"{_against(gains)}. {NATURAL}"
    )


def _equal(result: CompareResult) -> str:
    """Which method writes best within a common KL divergence; nothing if no method wrote a language."""
    if "equal" not in result:
        return ""
    table = result["equal"]
    budget = float(table.groupby("target")["budget"].first().mean())
    methods, able = set(table["method"]), compared_at_equal_cost(result)
    if not able:
        return f"At equal cost, nothing was compared: no method has a setting of at most {budget:.2g} nats per token."
    best = best_of(table, "dev_score")
    worth = useful(result, best, "equal_texts")
    gains = gains_over_rivals(result, "equal", best)
    source = "that of the language vector at its best setting; " if result.config.equal_kl is None else ""
    left = len(methods) - len(able)
    without = f" Of {left} of {len(methods)} methods no setting is as mild in every target." if left else ""
    return (
        f"At equal cost, {named(best)} is best{_unbeaten(gains)}: its texts are worth "
        f"{percent(float(worth.mean()))} of natural ones, {_against(gains)}. Each method is at its best setting of at "
        f"most {budget:.2f} nats per token ({source}KL divergence of the next-token distribution from that of the "
        f"unsteered model, on text of the other languages).{without} Prompts cost nothing."
    )


def _unbeaten(gains: dict[str, Estimate]) -> str:
    """The rivals that are not beaten, said first."""
    ahead = [named(name) for name, gain in gains.items() if gain.value <= 0]
    return f", but does not beat {' and '.join(ahead)}" if ahead else ""


def _against(gains: dict[str, Estimate]) -> str:
    said = (
        f"against {named(name)} {100 * gain.value:+.0f} points ({sure(gain.p or 1.0)})" for name, gain in gains.items()
    )
    return "; ".join(said)


def _cause(result: CompareResult) -> str:
    """Whose neurons hurt their own language most selectively; nothing if no matrix was measured."""
    if "silencing_summary" not in result:
        return ""
    table = result["silencing_summary"]
    best = table.iloc[int(table["diagonality"].argmax())]
    apart = int((table["low"] > table["control_high"]).sum())
    return (
        f"For cause, neurons by {SCORINGS[best['scoring']]} matter most to their own language: silenced "
        f"({best['neurons']:.0f} a target), they give a diagonality of {_interval(best, '')} from -1 to 1, random "
        f"neurons of the same layers {_interval(best, 'control_')}. The intervals of {apart} of {len(table)} scorings "
        "are above those of random neurons."
    )


def _interval(row: "pd.Series", of: str) -> str:
    return f"{row[f'{of}diagonality']:.2f} [{row[f'{of}low']:.2f}, {row[f'{of}high']:.2f}]"


def _alignment(result: CompareResult) -> str:
    found = retrieval(result)
    own = found.rows
    raw = mean_top1(found.table, UNSTEERED, LAST_RAW)
    verdict = "is ahead of" if found.top1 > found.without else "is not ahead of"
    said = [
        f"For retrieval, the best intervention ({named(found.method)}; {found.view}) {verdict} the best baseline "
        f"({found.baseline}, no intervention): top-1 over all pairs {percent(found.top1)} against "
        f"{percent(found.without)} ({percent(raw)} for the last layer as it is). Beyond doubt it is ahead for "
        f"{found.beyond_doubt(1)} and behind for {found.beyond_doubt(-1)} of {len(own)} targets (Holm)."
    ]
    if result.config.resamples < enough_resamples(len(own)):
        least = smallest_p(result.config.resamples, len(own))
        said.append(f"With {result.config.resamples} resamples no corrected p can be below {least:.2g}.")
    said += [_power(own), _one_script(result["alignment"], found), _ceiling(result["alignment"])]
    return " ".join(sentence for sentence in said if sentence)


def _power(own: "pd.DataFrame") -> str:
    """What the rows could have shown, where the interval of a gain contains zero."""
    if "detectable" not in own:
        return EARLIER
    open_ = own[(own["gain_low"] <= 0) & (own["gain_high"] >= 0) & (own["detectable"] > 0)]
    if open_.empty:
        return ""
    least, most = (f"{100 * value:.1f}" for value in (open_["detectable"].min(), open_["detectable"].max()))
    size = f"{least} points" if least == most else f"{least} to {most} points"
    return (
        f"For {len(open_)} of {len(own)} targets the interval of the difference contains zero: this number of rows "
        f"would have shown a difference of {size} or more four times in five ({100 * POWER:.0f}% power)."
    )


def _one_script(table: "pd.DataFrame", found: Retrieval) -> str:
    """The same comparison among the languages of one script."""
    groups = [group for group in table["languages"].unique() if group != ALL]
    if not groups:
        return ""
    own = table[table["languages"] == groups[0]]
    raw, without, top1 = (
        percent(mean_top1(own, *which))
        for which in ((UNSTEERED, LAST_RAW), (UNSTEERED, found.baseline), (found.method, found.view))
    )
    return (
        f"Language or script? Among languages in {groups[0]} only, the same intervention finds {top1}, the same "
        f"baseline {without} and the last layer as it is {raw}."
    )


def _ceiling(table: "pd.DataFrame") -> str:
    own = table[(table["method"] == CEILING) & (table["languages"] == ALL)]
    if own.empty:
        return f"The ceiling, a sentence encoder, was not measured: {INSTALL}, and compare in a new folder."
    return f"A sentence encoder, {CEILING}, finds {percent(float(own['top1'].mean()))}."


def _costs(result: CompareResult) -> str:
    table = result["costs"]
    others = table[table["target"] != table["language"]].groupby("method")["change"].mean()
    best = best_writer(result)
    cheapest = str(others.idxmin())
    unit = "nats per token in the other languages"
    if best not in others:
        return f"For writing, {named(cheapest)} costs least: {others[cheapest]:+.2f} {unit} (mean over targets)."
    return (
        f"At its settings for writing, {named(best)} costs {others[best]:+.2f} {unit}; {named(cheapest)} costs least, "
        f"{others[cheapest]:+.2f} (means over targets)."
    )


def _tuned(table: "pd.DataFrame") -> list[str]:
    return sorted(table.dropna(subset=["dev_score"])["method"].unique())


def _targets(result: CompareResult) -> str:
    count = len(result.config.targets)
    return "one target" if count == 1 else f"{count} targets"
