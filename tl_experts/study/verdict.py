"""What a study shows, in plain words: first which method wins, for which target and by how much."""

from typing import TYPE_CHECKING

from tl_experts.analysis.statistics import SIGNIFICANT, enough_resamples, smallest_p
from tl_experts.study.measures import has_power
from tl_experts.study.result import StudyResult, records
from tl_experts.study.stages.baselines import LAST
from tl_experts.study.stages.controls import EXPERTS

if TYPE_CHECKING:
    import pandas as pd

INTERVENTION = "the intervention"


def verdict(result: StudyResult) -> list[str]:
    """Paragraphs; the first compares the intervention with the methods that need none."""
    return [
        _winner(result),
        _effect(result),
        _distances(result),
        _controls(result),
        _stability(result),
    ]


def _winner(result: StudyResult) -> str:
    table = result["baselines"]
    # Translations of a target in both directions: the purpose of the intervention.
    about = table[table["kind"].isin(["target as query", "target as candidate"])]
    pre = _means(about[about["condition"] == "pre"])
    post = _means(about[about["condition"] == "post"])
    free = {name: value for name, value in pre.items() if name != LAST}
    best = max(free, key=lambda name: free[name])
    ours = post[LAST]
    lead = abs(free[best] - ours)
    first, second = (
        (f"{best} without any intervention", INTERVENTION) if free[best] > ours else (INTERVENTION, f"{best} alone")
    )
    per_target = _per_target(about, best)
    both = {name: value for name, value in post.items() if name != LAST}
    on_top = max(both, key=lambda name: both[name])
    return (
        f"Between a target and the other languages, {first} retrieves more translations than {second}: "
        f"{_percent(max(free[best], ours))} against {_percent(min(free[best], ours))}, {lead * 100:.1f} points "
        f"({_percent(pre[LAST])} before, mean over targets and both directions). {per_target} "
        f"Both together ({on_top} after the intervention): {_percent(both[on_top])}. All without intervention: "
        + "; ".join(f"{name} {_percent(value)}" for name, value in free.items())
        + "."
    )


def _means(table: "pd.DataFrame") -> dict[str, float]:
    return {str(name): float(value) for name, value in table.groupby("method", sort=False)["top1"].mean().items()}


def _per_target(table: "pd.DataFrame", best: str) -> str:
    ahead: list[str] = []
    behind: list[str] = []
    for target, mine in table.groupby("target", sort=False):
        ours = mine[(mine["condition"] == "post") & (mine["method"] == LAST)]["top1"].mean()
        theirs = mine[(mine["condition"] == "pre") & (mine["method"] == best)]["top1"].mean()
        (ahead if ours > theirs else behind).append(f"{target} by {abs(ours - theirs) * 100:.1f}")
    return (
        f"The intervention is ahead of {best} for {', '.join(ahead) or 'no target'}, "
        f"behind for {', '.join(behind) or 'none'}."
    )


def _effect(result: StudyResult) -> str:
    table = result["gains"]
    no_power = power_note(result, "gains")
    mine = table[(table["condition"] == "post") & (table["kind"] == "target as query")]
    parts = [
        f"{row['target']} {_percent(row['pre'])} to {_percent(row['post'])} "
        f"({row['gain'] * 100:+.1f} points, 95% interval {row['low'] * 100:+.1f} to {row['high'] * 100:+.1f}"
        f"{'' if row['p_holm'] < SIGNIFICANT or no_power else ', not significant'})"
        for row in records(mine)
    ]
    return f"Top-1 of the last layer with the target as query: {'; '.join(parts)}. {no_power}".rstrip()


def power_note(result: StudyResult, name: str) -> str:
    """Empty, or why no gain of a table can be significant and what would change that."""
    resamples = result.config.resamples
    tests = int(result[name]["p_holm"].notna().sum()) if "p_holm" in result[name] else 0
    if has_power(resamples, tests):
        return ""
    return (
        f"Significance cannot be determined: with {resamples} resamples, p is at least "
        f"{smallest_p(resamples, tests):.2g} after Holm's correction over {tests} tests; at least "
        f"{enough_resamples(tests)} resamples are needed."
    )


def _distances(result: StudyResult) -> str:
    row = result["table1"].set_index("measure").loc["all_pairs"]
    shape = result["geometry"]
    pre = shape[shape["condition"] == "pre"].iloc[0]
    post = shape[shape["condition"] == "post"]
    share = _percent(post["variance_language"].mean())
    return (
        f"Languages come closer: mean cosine distance {row['pre']:.3f} before, "
        f"{row['post']:.3f} ± {row['post_se']:.3f} after (standard error over targets). So does everything else: "
        f"the mean cosine of any two sentences rises from {pre['mean_cosine']:.3f} to "
        f"{post['mean_cosine'].mean():.3f}; the share of variance between languages changes "
        f"from {_percent(pre['variance_language'])} to {share}."
    )


def _controls(result: StudyResult) -> str:
    table = result["control_summary"]
    mine = table[(table["kind"] == "target as query") & (table["control"] != EXPERTS)].copy()
    mine["control"] = mine["control"].where(~mine["control"].str.match(r"experts of [a-z]{2,3}$"), "another language's")
    no_power = power_note(result, "control_summary")
    parts = []
    for name, rows in mine.groupby("control", sort=False):
        ahead = rows["experts_lead"] > 0
        surely = int((ahead & (rows["p_holm"] < SIGNIFICANT)).sum())
        count = f"ahead for {int(ahead.sum())}" if no_power else f"significantly ahead for {surely}"
        parts.append(f"{name} {_percent(rows['top1'].mean())} (experts {count} of {len(rows)} targets)")
    experts = table[(table["kind"] == "target as query") & (table["control"] == EXPERTS)]["top1"].mean()
    start = f"Is it the experts? Target as query, experts {_percent(experts)}; other neurons"
    return f"{start}: {'; '.join(parts)}. {no_power}".rstrip()


def _stability(result: StudyResult) -> str:
    table = result["stability"]
    flagged = [
        f"{row['target']} ({_percent(row['tracks_length'])})" for row in records(table) if row["tracks_length"] > 0
    ]
    return (
        f"Experts found on half of the sentences have a mean AUROC of {table['auroc_found'].mean():.3f} there and "
        f"{table['auroc_held_out'].mean():.3f} on the other half; the two halves' sets share "
        f"{_percent(table['jaccard_halves'].mean())} (Jaccard). "
        + (
            "Experts that track sentence length (among sentences of similar length they lose more than half of their "
            f"lead over chance): {', '.join(flagged)}."
            if flagged
            else "No expert merely tracks sentence length."
        )
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"
