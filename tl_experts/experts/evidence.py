"""What a scoring is, and what it may use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from numpy.typing import NDArray

from tl_experts.errors import SelectionError
from tl_experts.experts.expertise import Expertise
from tl_experts.responses.collect import Responses
from tl_experts.responses.store import StoredResponses
from tl_experts.responses.token_statistics import TokenStatistics


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a scoring may use, all of one model, corpus and reading.

    Raises:
        SelectionError: the responses are of another corpus, the statistics of other languages, or either of other
            neurons or another model.
    """

    expertise: Expertise
    """AUROC, average precision and statistics of responses, ``[neuron language]``."""

    responses: Responses | StoredResponses | None = None
    """The pooled responses, ``[sentence neuron]``."""

    tokens: TokenStatistics | None = None
    """Counts and sums over tokens, ``[language neuron]``."""

    def __post_init__(self) -> None:
        """Check that the parts fit each other."""
        if self.tokens is not None:
            self._require_same("tokens", self.tokens, languages=self.tokens.languages)
        if self.responses is not None:
            self._require_same("responses", self.responses, corpus=self.responses.corpus.fingerprint)

    def _require_same(self, what: str, part: Any, **further: Any) -> None:
        found = {name: getattr(part, name) for name in ("neurons", "site", "fingerprint")} | further
        for name, value in found.items():
            own = getattr(self.expertise, name)
            if value != own:
                raise SelectionError(
                    f"`{what}` and the expertise differ in {name}: {value!r:.200} and {own!r:.200}; take both from "
                    "one pass (`collect_both`)"
                )

    def need_tokens(self) -> TokenStatistics:
        """The statistics of tokens.

        Raises:
            SelectionError: there are none.
        """
        if self.tokens is None:
            raise SelectionError("this scoring needs statistics of tokens; pass tokens=collect_statistics(...)")
        return self.tokens

    def need_quantiles(self) -> TokenStatistics:
        """The statistics of tokens, with counts for quantiles.

        Raises:
            SelectionError: there are none.
        """
        tokens = self.need_tokens()
        if not tokens.histogram.size:
            raise SelectionError("this scoring needs quantiles; pass tokens=collect_statistics(..., quantiles=True)")
        return tokens

    def need_responses(self) -> Responses | StoredResponses:
        """The responses.

        Raises:
            SelectionError: there are none.
        """
        if self.responses is None:
            raise SelectionError("this scoring needs the responses; pass responses=collect_responses(...)")
        return self.responses


Scoring = Callable[[Evidence], NDArray[Any]]
"""Scores of every neuron for every language, ``[neuron language]``; `tl_experts.experts.scorings.scored` checks them.

Attributes are optional. ``needs_tokens`` says whether it needs statistics of tokens; without it, they are collected
where that is possible. ``needs_quantiles``: it also needs their counts for quantiles. ``selected``, a method of
`Evidence` and the scores that returns booleans ``[neuron language]``, is a selection rule of the scoring's own, used
where neither a number nor a threshold is asked for. ``require_library``, a method, is called before the model runs.
"""

_Any = TypeVar("_Any", bound=Callable[..., Any])


def with_tokens(needed: bool) -> Callable[[_Any], _Any]:
    """Declare whether a scoring function needs statistics of tokens."""

    def declare(function: _Any) -> _Any:
        vars(function)["needs_tokens"] = needed
        return function

    return declare


def needs_tokens(scoring: Scoring) -> bool | None:
    """Whether a scoring needs statistics of tokens; None: it does not say."""
    declared: bool | None = getattr(scoring, "needs_tokens", None)
    return declared


def require_library(scoring: Scoring) -> None:
    """Refuse a scoring whose library is not installed.

    Raises:
        SelectionError: naming what to install.
    """
    check = getattr(scoring, "require_library", None)
    if check is not None:
        check()


def needs_quantiles(scoring: Scoring) -> bool:
    """Whether a scoring needs counts for quantiles in the statistics of tokens."""
    return bool(getattr(scoring, "needs_quantiles", False))
