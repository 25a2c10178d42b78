"""What a comparison shows, in plain words: first what wins for which purpose, by how much, and how sure that is."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tl_experts.analysis.statistics import SIGNIFICANT, Estimate, enough_resamples, holm, paired_gain, smallest_p
from tl_experts.study.comparison.alignment import LAST_RAW
from tl_experts.study.comparison.methods import NAMES, UNSTEERED
from tl_experts.study.comparison.result import CompareResult
from tl_experts.study.comparison.writing import ASKED, OWN

if TYPE_CHECKING:
    import pandas as pd

VECTOR = NAMES["vector"]


def conclusion(result: CompareResult) -> list[str]:
    """Paragraphs: writing, retrieval, costs."""
    return [_writing(result), _alignment(result), _costs(result)]


def best_writer(result: CompareResult) -> str:
    """The method whose settings scored best on the prompts of the search, averaged over targets."""
    return _best(result["writing"], "dev_score")


def useful(result: CompareResult, method: str) -> NDArray[np.float64]:
    """For each target and prompt, the mean of its texts' quality, 0 for a text in another language."""
    texts = result["texts"]
    found = []
    for target in result.config.targets:
        own = texts[(texts["target"] == target) & (texts["method"] == method)]["useful"].to_numpy(dtype=np.float64)
        prompts = len(texts[(texts["target"] == target) & (texts["method"] == UNSTEERED)]) // result.config.texts
        # A method of which no setting wrote the language has no texts.
        found.append(own.reshape(prompts, -1).mean(axis=1) if len(own) else np.zeros(prompts))
    return np.concatenate(found)


def _writing(result: CompareResult) -> str:
    best = best_writer(result)
    table = result["writing"].set_index(["target", "method"])
    share = np.mean([table.loc[(target, best), "share"] for target in result.config.targets])
    rivals = [name for name in (VECTOR, ASKED, OWN) if name != best]
    gains = {name: _gain(result, useful(result, name), useful(result, best)) for name in rivals}
    corrected = dict(zip(gains, holm([gain.p or 1.0 for gain in gains.values()]), strict=True))
    said = "; ".join(
        f"against the {name} {100 * gain.value:+.0f} points ({_sure(corrected[name])})" for name, gain in gains.items()
    )
    worth = float(useful(result, best).mean())
    return (
        f"For writing, {best} is best of {len(_tuned(result['writing']))} methods: {_percent(float(share))} of its "
        f"texts are in the language, and its texts are worth {_percent(worth)} of natural ones "
        f"(language times quality, mean over {_targets(result)}): {said}."
    )


def _alignment(result: CompareResult) -> str:
    table = result["alignment"]
    free = table[table["method"] == UNSTEERED]
    baseline = _best(free, "dev_top1", "view")
    steered = table[table["method"] != UNSTEERED].assign(both=lambda rows: rows["method"] + " | " + rows["view"])
    method, _, view = _best(steered, "dev_top1", "both").partition(" | ")
    own = steered[(steered["method"] == method) & (steered["view"] == view)]
    without = float(free[free["view"] == baseline]["top1"].mean())
    top1 = float(own["top1"].mean())
    raw = float(free[free["view"] == LAST_RAW]["top1"].mean())
    corrected = holm(own["p"].tolist())
    ahead = sum(p < SIGNIFICANT and gain > 0 for p, gain in zip(corrected, own["gain"], strict=True))
    behind = sum(p < SIGNIFICANT and gain < 0 for p, gain in zip(corrected, own["gain"], strict=True))
    verdict = "is ahead of" if top1 > without else "is not ahead of"
    power = ""
    if result.config.resamples < enough_resamples(len(own)):
        least = smallest_p(result.config.resamples, len(own))
        power = f" With {result.config.resamples} resamples no corrected p can be below {least:.2g}."
    return (
        f"For retrieval, the best intervention ({method}; {view}) {verdict} the best baseline ({baseline}, no "
        f"intervention): top-1 over all pairs {_percent(top1)} against {_percent(without)} ({_percent(raw)} for the "
        f"last layer as it is). Beyond doubt it is ahead for {ahead} and behind for {behind} of {len(own)} targets "
        f"(Holm).{power}"
    )


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


def _gain(result: CompareResult, before: NDArray[np.float64], after: NDArray[np.float64]) -> Estimate:
    return paired_gain(before, after, seed=result.config.seed, resamples=result.config.resamples)


def _sure(p: float) -> str:
    return "beyond doubt" if p < SIGNIFICANT else f"not beyond doubt, p {p:.2g}"


def _targets(result: CompareResult) -> str:
    count = len(result.config.targets)
    return "one target" if count == 1 else f"{count} targets"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"
