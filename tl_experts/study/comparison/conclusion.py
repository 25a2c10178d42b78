"""What a comparison shows, in plain words: first what wins for which purpose, by how much, and how sure that is."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from tl_experts.analysis.statistics import POWER, SIGNIFICANT, Estimate, enough_resamples, holm, paired_gain, smallest_p
from tl_experts.study.comparison.ceiling import CEILING, INSTALL
from tl_experts.study.comparison.methods import NAMES, UNSTEERED
from tl_experts.study.comparison.result import CompareResult
from tl_experts.study.comparison.views import ALL, LAST_RAW
from tl_experts.study.comparison.writing import ASKED, OWN

if TYPE_CHECKING:
    import pandas as pd

VECTOR = NAMES["vector"]

EARLIER = (
    "An earlier version computed these tables: they lack the language subspace, MEXA, distances, isotropy and "
    "languages of one script. To add them, delete stages/alignment-*.json in the folder and run the same "
    "comparison again."
)


def conclusion(result: CompareResult) -> list[str]:
    """Paragraphs: writing, writing at equal cost, retrieval, costs, cause; what was not measured is left out."""
    found = [_writing(result), _equal(result), _alignment(result), _costs(result), _cause(result)]
    return [paragraph for paragraph in found if paragraph]


def best_writer(result: CompareResult) -> str:
    """The method whose settings scored best on the prompts of the search, averaged over targets."""
    return _best(result["writing"], "dev_score")


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


def _writing(result: CompareResult) -> str:
    best = best_writer(result)
    table = result["writing"].set_index(["target", "method"])
    share = np.mean([table.loc[(target, best), "share"] for target in result.config.targets])
    worth = useful(result, best)
    gains = _gains(result, "writing", best)
    return (
        f"For writing, {best} is best of {len(_tuned(result['writing']))} methods{_unbeaten(gains)}: "
        f"{_percent(float(share))} of its texts are in the language, and its texts are worth "
        f"{_percent(float(worth.mean()))} of natural ones (language times quality, mean over {_targets(result)}): "
        f"{_against(gains)}."
    )


def _equal(result: CompareResult) -> str:
    """Which method writes best within a common KL divergence; nothing if no method wrote a language."""
    if "equal" not in result:
        return ""
    table = result["equal"]
    best = _best(table, "dev_score")
    worth = useful(result, best, "equal_texts")
    gains = _gains(result, "equal", best)
    budget = float(table.groupby("target")["budget"].first().mean())
    source = "that of the language vector at its best setting; " if result.config.equal_kl is None else ""
    return (
        f"At equal cost, {best} is best{_unbeaten(gains)}: its texts are worth {_percent(float(worth.mean()))} of "
        f"natural ones, {_against(gains)}. Each method is at its best setting of at most {budget:.2f} "
        f"nats per token ({source}KL divergence of the next-token distribution from that of the unsteered model, on "
        "text of the other languages). Prompts cost nothing."
    )


def _gains(result: CompareResult, table: str, best: str) -> dict[str, Estimate]:
    """The lead of the best method over its rivals, with p corrected for all of them (Holm).

    Rivals are the language vector on the same terms (of the vector: the best other method) and both prompts.
    """
    texts = {"writing": "texts", "equal": "equal_texts"}[table]
    rows = result[table]
    rival = VECTOR if best != VECTOR else _best(rows[rows["method"] != VECTOR], "dev_score")
    before = {rival: useful(result, rival, texts)} | {name: useful(result, name) for name in (ASKED, OWN)}
    gains = {name: gain_of_texts(result, other, useful(result, best, texts)) for name, other in before.items()}
    corrected = holm([gain.p or 1.0 for gain in gains.values()])
    return {name: replace(gain, p=p) for (name, gain), p in zip(gains.items(), corrected, strict=True)}


def _unbeaten(gains: dict[str, Estimate]) -> str:
    """The rivals that are not beaten, said first."""
    ahead = [_named(name) for name, gain in gains.items() if gain.value <= 0]
    return f", but does not beat {' and '.join(ahead)}" if ahead else ""


def _against(gains: dict[str, Estimate]) -> str:
    said = (
        f"against {_named(name)} {100 * gain.value:+.0f} points ({_sure(gain.p or 1.0)})"
        for name, gain in gains.items()
    )
    return "; ".join(said)


def _named(method: str) -> str:
    return f"the {method}" if method in (VECTOR, ASKED, OWN) else method


def _cause(result: CompareResult) -> str:
    """Whose neurons hurt their own language most selectively; nothing if no matrix was measured."""
    if "silencing_summary" not in result:
        return ""
    table = result["silencing_summary"]
    best = table.iloc[int(table["diagonality"].argmax())]
    apart = int((table["low"] > table["control_high"]).sum())
    return (
        f"For cause, neurons by {best['scoring']} matter most to their own language: silenced ({best['neurons']:.0f} a "
        f"target), they give a diagonality of {_interval(best, '')} from -1 to 1, random neurons of the same "
        f"layers {_interval(best, 'control_')}. The intervals of {apart} of {len(table)} scorings are above those of "
        "random neurons."
    )


def _interval(row: "pd.Series", of: str) -> str:
    return f"{row[f'{of}diagonality']:.2f} [{row[f'{of}low']:.2f}, {row[f'{of}high']:.2f}]"


def _alignment(result: CompareResult) -> str:
    table = result["alignment"]
    table = table[table["method"] != CEILING]
    everything = table[table["languages"] == ALL]
    baseline = _best(everything[everything["method"] == UNSTEERED], "dev_top1", "view")
    method, view = _best_steered(everything)
    own = everything[(everything["method"] == method) & (everything["view"] == view)]
    top1, without = (_top1(everything, *which) for which in ((method, view), (UNSTEERED, baseline)))
    raw = _top1(everything, UNSTEERED, LAST_RAW)
    corrected = holm(own["p"].tolist())
    ahead = sum(p < SIGNIFICANT and gain > 0 for p, gain in zip(corrected, own["gain"], strict=True))
    behind = sum(p < SIGNIFICANT and gain < 0 for p, gain in zip(corrected, own["gain"], strict=True))
    verdict = "is ahead of" if top1 > without else "is not ahead of"
    said = [
        f"For retrieval, the best intervention ({method}; {view}) {verdict} the best baseline ({baseline}, no "
        f"intervention): top-1 over all pairs {_percent(top1)} against {_percent(without)} ({_percent(raw)} for the "
        f"last layer as it is). Beyond doubt it is ahead for {ahead} and behind for {behind} of {len(own)} targets "
        "(Holm)."
    ]
    if result.config.resamples < enough_resamples(len(own)):
        least = smallest_p(result.config.resamples, len(own))
        said.append(f"With {result.config.resamples} resamples no corrected p can be below {least:.2g}.")
    said += [_power(own), _one_script(table, (method, view), baseline), _ceiling(result["alignment"])]
    return " ".join(sentence for sentence in said if sentence)


def _best_steered(table: "pd.DataFrame") -> tuple[str, str]:
    """The intervention and view that did best on the dev split, averaged over targets."""
    steered = table[table["method"] != UNSTEERED].assign(both=lambda rows: rows["method"] + " | " + rows["view"])
    method, _, view = _best(steered, "dev_top1", "both").partition(" | ")
    return method, view


def _top1(table: "pd.DataFrame", method: str, view: str) -> float:
    return float(table[(table["method"] == method) & (table["view"] == view)]["top1"].mean())


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


def _one_script(table: "pd.DataFrame", best: tuple[str, str], baseline: str) -> str:
    """The same comparison among the languages of one script."""
    groups = [group for group in table["languages"].unique() if group != ALL]
    if not groups:
        return ""
    own = table[table["languages"] == groups[0]]
    raw, without, top1 = (
        _percent(_top1(own, *which)) for which in ((UNSTEERED, LAST_RAW), (UNSTEERED, baseline), best)
    )
    return (
        f"Language or script? Among languages in {groups[0]} only, the same intervention finds {top1}, the same "
        f"baseline {without} and the last layer as it is {raw}."
    )


def _ceiling(table: "pd.DataFrame") -> str:
    own = table[(table["method"] == CEILING) & (table["languages"] == ALL)]
    if own.empty:
        return f"The ceiling, a sentence encoder, was not measured: {INSTALL}, and compare in a new folder."
    return f"A sentence encoder, {CEILING}, finds {_percent(float(own['top1'].mean()))}."


def _costs(result: CompareResult) -> str:
    table = result["costs"]
    others = table[table["target"] != table["language"]].groupby("method")["change"].mean()
    best = best_writer(result)
    cheapest = str(others.idxmin())
    mine = f"{best} costs {others[best]:+.2f} nats per token in the other languages" if best in others else ""
    return f"At these settings {mine}; the cheapest method, {cheapest}, {others[cheapest]:+.2f} (mean over targets)."


def _best(table: "pd.DataFrame", column: str, by: str = "method") -> str:
    return str(table.dropna(subset=[column]).groupby(by, sort=False)[column].mean().idxmax())


def _tuned(table: "pd.DataFrame") -> list[str]:
    return sorted(table.dropna(subset=["dev_score"])["method"].unique())


def _sure(p: float) -> str:
    return "beyond doubt" if p < SIGNIFICANT else f"not beyond doubt, p {p:.2g}"


def _targets(result: CompareResult) -> str:
    count = len(result.config.targets)
    return "one target" if count == 1 else f"{count} targets"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"
