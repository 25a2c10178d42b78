"""From a setting to what `steer` takes: a `Steering`, or a map of whole layers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from tl_experts.corpus.languages import language_code
from tl_experts.errors import TLExpertsError
from tl_experts.experts.evidence import Evidence
from tl_experts.experts.expertise import Expertise, score_responses
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import select_experts
from tl_experts.experts.scorings import SCORINGS, scored
from tl_experts.models.hooks import RESIDUAL
from tl_experts.responses.collect import Responses
from tl_experts.responses.store import StoredResponses
from tl_experts.responses.token_statistics import TokenStatistics
from tl_experts.steering.affine import AffineMap
from tl_experts.steering.operations import Operation
from tl_experts.steering.steering import Steering, Value
from tl_experts.steering.tuning.space import ALL, VECTOR, Setting
from tl_experts.steering.vectors import language_vector

Built = Steering | AffineMap
BUILT: dict[str, type[Steering] | type[AffineMap]] = {"Steering": Steering, "AffineMap": AffineMap}
"""By the names under which results record what they saved."""

Statistics = Sequence[Responses | StoredResponses | TokenStatistics | Expertise]


@dataclass(frozen=True)
class Builder:
    """Builds settings for one language from statistics of one corpus."""

    target: str
    """Language code."""

    evidence: Evidence

    residual: TokenStatistics | None = None
    """Of the residual stream; None: language vectors cannot be built."""

    _ranked: dict[tuple[str, tuple[int, ...] | None], Experts | None] = field(default_factory=dict)
    """All neurons that a scoring ranks, best first, by scoring and layers."""

    @property
    def scorings(self) -> set[str]:
        """The scorings that these statistics allow."""
        return {*SCORINGS, ALL, *([VECTOR] if self.residual is not None else [])}

    @property
    def identity(self) -> dict[str, Any]:
        """What the statistics are of and which language is held, for the document of a `Job`."""
        tokens = [part for part in (self.evidence.tokens, self.residual) if part is not None]
        return {
            "statistics": [[part.site, *part.corpora] for part in tokens],
            "pooling": self.evidence.expertise.pooling,
            "target": self.target,
        }

    def possible(self, setting: Setting) -> bool:
        """Whether the statistics allow a setting: enough neurons that can be selected, a source that was counted."""
        if setting.scoring not in self.scorings:
            return False
        if setting.shifts:
            source = setting.source
            return source is None or (source != self.target and source in self.evidence.expertise.languages)
        ranked = self._ranking(setting)
        return ranked is not None and ranked.total >= (setting.count or 0)

    def build(self, setting: Setting) -> Built:
        """What a setting does.

        Raises:
            TLExpertsError: the statistics do not allow it.
        """
        if not self.possible(setting):
            raise TLExpertsError(
                f"setting {setting} cannot be built for {self.target} from these statistics: too few neurons can be "
                "selected, or a language or statistics of the residual stream are missing"
            )
        statistics = self.residual if setting.scoring == VECTOR else self.evidence.tokens
        if setting.shifts and statistics is not None:
            return shifted(setting, statistics, self.target)
        count = cast("int", setting.count)
        ranked = cast("Experts", self._ranking(setting))
        named = ranked.selection.replace(f"top {ranked.total}", f"top {count}")
        return Steering(
            replace(ranked.head(count), selection=named),
            cast("Operation", setting.operation),
            cast("Value", setting.value),
            setting.strength,
            setting.positions,
        )

    def best(self, scoring: str, count: int) -> Experts | None:
        """The best neurons by a scoring, at most so many; None: it ranks none for this language."""
        ranked = self._ranking(Setting(scoring, count))
        return None if ranked is None else ranked.head(min(count, ranked.total))

    def _ranking(self, setting: Setting) -> Experts | None:
        key = (setting.scoring, setting.layers)
        if key not in self._ranked:
            self._ranked[key] = self._rank(setting)
        return self._ranked[key]

    def _rank(self, setting: Setting) -> Experts | None:
        expertise = self.evidence.expertise
        scores = scored(SCORINGS[setting.scoring], self.evidence)[:, expertise.column(self.target)]
        if setting.layers is not None:
            scores = scores[np.isin(expertise.neurons.layer_of, setting.layers)]
        count = int((scores > -np.inf).sum())
        if not count:
            return None
        return select_experts(
            expertise,
            k=count,
            scoring=setting.scoring,
            layers=setting.layers,
            languages=[self.target],
            responses=self.evidence.responses,
            tokens=self.evidence.tokens,
        )


def shifted(setting: Setting, statistics: TokenStatistics, target: str) -> AffineMap:
    """The map of a setting that shifts whole layers.

    Args:
        setting: of scoring ``"all"`` or ``"vector"``.
        statistics: of the neurons, or of the residual stream.
        target: the language that is written.

    Raises:
        ResponseError: the target or the source was not counted.
    """
    shift = language_vector(statistics, target, source=setting.source, layers=setting.layers)
    return replace(shift, strength=setting.strength, positions=setting.positions)


def builder(statistics: Statistics, target: str) -> Builder:
    """A builder from what `collect_for_steering` gives.

    Args:
        statistics: responses and statistics of tokens of one pass, and for language vectors statistics of tokens of the
            residual stream; an `Expertise` of the responses saves scoring them.
        target: the language that is written.

    Raises:
        TLExpertsError: something is missing, given twice, or of another kind.
        ResponseError: the target was not counted.
    """
    if isinstance(statistics, Responses | TokenStatistics) or not isinstance(statistics, Sequence):
        raise TLExpertsError(
            f"statistics is {type(statistics).__name__}; expected what collect_for_steering(model, sentences) returns"
        )
    kinds: dict[str, type | tuple[type, ...]] = {
        "responses": (Responses, StoredResponses),
        "tokens": TokenStatistics,
        "expertise": Expertise,
    }
    found: dict[str, object] = {}
    for part in statistics:
        kind = next((name for name, types in kinds.items() if isinstance(part, types)), None)
        if kind is None:
            raise TLExpertsError(f"statistics holds {type(part).__name__}; expected what collect_for_steering returns")
        if isinstance(part, TokenStatistics) and part.site == RESIDUAL:
            kind = "residual"
        if kind in found:
            raise TLExpertsError(f"statistics holds {kind} twice; give those of one pass")
        found[kind] = part
    responses, tokens, expertise = (found.get(name) for name in ("responses", "tokens", "expertise"))
    if not isinstance(responses, Responses | StoredResponses) or not isinstance(tokens, TokenStatistics):
        lacking = "tokens" if responses is not None else "responses"
        raise TLExpertsError(
            f"statistics lacks {lacking}; give all that collect_for_steering(model, sentences) returns"
        )
    tokens.row(target)
    scores = expertise if isinstance(expertise, Expertise) else score_responses(responses, progress=False)
    residual = found.get("residual")
    return Builder(
        language_code(target),
        Evidence(scores, responses, tokens),
        residual if isinstance(residual, TokenStatistics) else None,
    )
