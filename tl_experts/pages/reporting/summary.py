"""The first screen: one sentence that says what wins, and three numbers with intervals."""

import html
from dataclasses import dataclass

from tl_experts.plots.methods import LAST, method_means, method_name
from tl_experts.plots.style import Tables
from tl_experts.study.result import records

NOTE = (
    "Top-1 between a target and the other languages: the share of sentences whose nearest neighbour is their "
    "translation, mean over targets and both directions. Intervals are means of the 95% bootstrap intervals over "
    "sentences."
)


@dataclass(frozen=True)
class Standing:
    """A method and its mean top-1."""

    method: str
    condition: str
    top1: float
    low: float
    high: float

    @property
    def name(self) -> str:
        """The method in words."""
        return html.unescape(method_name(self.method, self.condition))


def standings(study: Tables) -> list[Standing]:
    """All methods, best first."""
    return [Standing(**row) for row in records(method_means(study))]


def three(study: Tables) -> list[Standing]:
    """The unchanged model, the experts alone, and the best of the methods besides."""
    found = standings(study)
    alone = {standing.condition: standing for standing in found if standing.method == LAST}
    best = next(standing for standing in found if standing.method != LAST)
    return [alone["pre"], alone["post"], best]


def sentence(study: Tables) -> str:
    """What wins, and by how much."""
    before, experts, best = three(study)
    first, second = (best, experts) if best.top1 >= experts.top1 else (experts, best)
    doubt = " (their 95% intervals overlap)" if first.low <= second.high else ""
    names = {id(best): _subject(best), id(experts): "setting the language experts alone"}
    winner = names[id(first)]
    return (
        f"{winner[:1].upper()}{winner[1:]} retrieves most translations: {percent(first.top1)}, against "
        f"{percent(second.top1)} for {names[id(second)]}{doubt} and {percent(before.top1)} for the unchanged model."
    )


SUBJECTS = {
    "best layer": "the best layer",
    "centred": "centring each language",
    "subspace removed": "removing the language subspace",
}
"""Methods as subjects of a sentence."""


def _subject(one: Standing) -> str:
    with_what = "without any intervention," if one.condition == "pre" else "with the experts set,"
    return f"{SUBJECTS.get(one.method, one.method)}, {with_what}"


def first_screen(study: Tables) -> str:
    """The sentence and the numbers as HTML."""
    cards = "".join(
        f"<li><b>{percent(one.top1)}</b> <span>{percent(one.low)} to {percent(one.high)}</span> "
        f"{html.escape(one.name)}</li>"
        for one in three(study)
    )
    return f'<p class="lead">{html.escape(sentence(study))}</p><ul class="numbers">{cards}</ul>'


def percent(value: float) -> str:
    """A share in percent."""
    return f"{100 * value:.1f}%"
