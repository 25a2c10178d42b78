"""The first sentence of a comparison: what wins for each purpose, by how much, and whether that is beyond doubt."""

from collections.abc import Iterator
from dataclasses import dataclass

from tl_experts.analysis.statistics import SIGNIFICANT
from tl_experts.steering.wording import SCORINGS
from tl_experts.study.comparison.evidence import (
    best_of,
    best_writer,
    compared_at_equal_cost,
    gains_over_rivals,
    named,
    retrieval,
    sure,
)
from tl_experts.study.comparison.result import CompareResult
from tl_experts.study.comparison.writing import ASKED, OWN


@dataclass(frozen=True)
class Purpose:
    """What wins for one purpose."""

    name: str
    """With its preposition, as in "for writing"."""

    beaten: bool
    """Whether an intervention beats the baselines beyond doubt."""

    says: str
    """What wins, by how much, and how sure that is."""


def headline(result: CompareResult) -> str:
    """One sentence about all purposes; where nothing beats the baselines, it says so first.

    Baselines are what needs no intervention: for writing, plain and at equal cost, both prompts; for retrieval, the
    best view; for cause, random neurons of the same layers. They are beaten if the intervention that was chosen on the
    dev split is ahead of all of them, for retrieval for at least one target and behind for none, with corrected p
    below 0.05; for cause, if the intervals are apart.
    """
    found = purposes(result)
    return f"{opening(found)}: {'; '.join(f'{purpose.name}, {purpose.says}' for purpose in found)}."


def purposes(result: CompareResult) -> list[Purpose]:
    """What wins for each purpose that was measured."""
    return list(_purposes(result))


def opening(purposes: list[Purpose]) -> str:
    """For which purposes the baselines are beaten, and for which not; those that are not come first."""
    beaten, open_ = (_listed([one.name for one in purposes if one.beaten is which]) for which in (True, False))
    if not beaten:
        return "Nothing beats the baselines"
    if not open_:
        return "For every purpose, the best method beats the baselines"
    return f"Nothing beats the baselines {open_}, but the best method does {beaten}"


def _listed(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _purposes(result: CompareResult) -> Iterator[Purpose]:
    yield _texts(result, "writing", "for writing", best_writer(result))
    if compared_at_equal_cost(result):
        yield _texts(result, "equal", "for writing at equal cost", best_of(result["equal"], "dev_score"))
    yield _retrieval(result)
    if "silencing_summary" in result:
        yield _cause(result)


def _verb(clear: bool) -> str:
    """What is ahead wins only if it is so beyond doubt."""
    return "wins" if clear else "leads"


def _texts(result: CompareResult, table: str, name: str, best: str) -> Purpose:
    """The best method beside the rival that comes nearest to it, or is ahead of it."""
    gains = gains_over_rivals(result, table, best)
    beaten = all(gains[prompt].value > 0 and (gains[prompt].p or 1.0) < SIGNIFICANT for prompt in (ASKED, OWN))
    rival, gain = min(gains.items(), key=lambda item: item[1].value)
    if round(100 * gain.value, 1) == 0:
        return Purpose(name, beaten, f"{named(best)} and {named(rival)} are level")
    winner, other = (best, rival) if gain.value > 0 else (rival, best)
    p = gain.p or 1.0
    lead = f"{_verb(p < SIGNIFICANT)}, {100 * abs(gain.value):.1f} points ahead of {named(other)} ({sure(p)})"
    return Purpose(name, beaten, f"{named(winner)} {lead}")


def _retrieval(result: CompareResult) -> Purpose:
    found = retrieval(result)
    ahead, behind = found.beyond_doubt(1), found.beyond_doubt(-1)
    lead = 100 * (found.top1 - found.without)
    beaten = lead > 0 and ahead > 0 and behind == 0
    steered, free = f"{named(found.method)} ({found.view})", f"the {found.baseline} without intervention"
    if round(lead, 1) == 0:
        return Purpose("for retrieval", beaten, f"{steered} and {free} are level")
    winner, other = (steered, free) if lead > 0 else (free, steered)
    clear = ahead if lead > 0 else behind
    doubt = f"beyond doubt for {clear} of {len(found.rows)} targets"
    said = f"{winner} {_verb(clear > 0)}, {abs(lead):.1f} points ahead of {other} ({doubt})"
    return Purpose("for retrieval", beaten, said)


def _cause(result: CompareResult) -> Purpose:
    """The scoring whose neurons matter most to their own language, beside random ones and the second."""
    table = result["silencing_summary"].sort_values("diagonality", ascending=False, kind="stable")
    best = table.iloc[0]
    apart = bool(best["low"] > best["control_high"])
    doubt = "beyond doubt" if apart else "not beyond doubt, the intervals overlap"
    says = (
        f"{SCORINGS[best['scoring']]} {_verb(apart)}, with a diagonality of {best['diagonality']:.2f} against "
        f"{best['control_diagonality']:.2f} for random neurons ({doubt})"
    )
    if len(table) > 1:
        second = table.iloc[1]
        doubt = "beyond doubt" if best["low"] > second["high"] else "not beyond doubt, the intervals overlap"
        says += f" and {second['diagonality']:.2f} for the next, {SCORINGS[second['scoring']]} ({doubt})"
    return Purpose("for cause", apart, says)
