"""Trials: what a setting's texts measured, how trials are ranked, and which are on the Pareto front."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from tl_experts.errors import TLExpertsError
from tl_experts.jobs.pieces import Arrays
from tl_experts.steering.tuning.space import Setting
from tl_experts.steering.writing.measures import TextMeasures, harmonic

LEAST_VARIETY = 0.5
"""Texts with less than this share of the natural texts' distinct bigrams only repeat themselves."""

COLUMNS = ("in_language", "perplexities", "bigrams", "compressions")


@dataclass(frozen=True)
class Trial:
    """A setting and what its texts measured, all that were written up to its last stage together."""

    setting: Setting

    stage: int
    """The last stage that it reached, from 0; the final is the stage after the last of the search."""

    prompts: int
    """How many prompts were continued."""

    texts: int
    """How many texts were written for them: what all measures are over."""

    share: float
    """Share of texts in the language."""

    perplexity: float
    """Median of the texts; NaN where it was not measured, because the trial was stopped."""

    distinct: float
    """Mean share of distinct bigrams."""

    compression: float
    """Mean compression ratio."""

    quality: float
    """Mean of `TextMeasures.quality`: fluency and variety by comparison with natural texts; 0 where it was stopped."""

    stopped: bool
    """Hopeless: no text in the language, or texts that only repeat themselves."""

    seconds: float
    """Time that it took."""

    example: str
    """Its first text."""

    @property
    def score(self) -> float:
        """The harmonic mean of share and quality."""
        return harmonic(self.share, self.quality)

    @property
    def rank(self) -> tuple[float, ...]:
        """The larger, the better: stages reached, then score, then quality, then fewer neurons."""
        return self.stage, self.score, self.quality, -(self.setting.count or 0)

    def to_dict(self) -> dict[str, Any]:
        """A row of the table: the setting's options and the measures."""
        measured = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "setting"}
        return self.setting.to_dict() | measured | {"score": self.score}

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> "Trial":
        """What `to_dict` gave.

        Raises:
            TLExpertsError: something is missing or not defined.
        """
        options = {field.name for field in fields(Setting)}
        measured: dict[str, Any] = {name: row[name] for name in row if name not in options | {"score"}}
        if "prompts" in measured:  # before there were finals, each prompt had one text
            measured.setdefault("texts", measured["prompts"])
        try:
            setting = Setting.from_dict({name: row[name] for name in options})
            return cls(setting, **measured | {name: float("nan") for name in measured if measured[name] is None})
        except (KeyError, TypeError) as error:
            raise TLExpertsError(f"{row!r:.200} is not a trial ({error!r}); create it again") from error


def trial_of(setting: Setting, stage: int, measures: TextMeasures, seconds: float) -> Trial:
    """The trial of a setting whose texts were measured."""
    stopped = hopeless(measures)
    return Trial(
        setting=setting,
        stage=stage,
        prompts=len(set(measures.prompts)),
        texts=len(measures.texts),
        share=float(measures.in_language.mean()),
        perplexity=_known(np.median, measures.perplexities),
        distinct=_known(np.mean, measures.bigrams),
        compression=_known(np.mean, measures.compressions),
        quality=0.0 if stopped else float(measures.quality.mean()),
        stopped=stopped,
        seconds=seconds,
        example=measures.texts[0],
    )


def hopeless(measures: TextMeasures) -> bool:
    """Whether no text is in the language, or the texts only repeat themselves."""
    natural = measures.require_natural()
    variety = _known(np.mean, measures.bigrams)
    return not measures.in_language.any() or not variety >= LEAST_VARIETY * _known(np.mean, natural.bigrams)


def joined(parts: Sequence[TextMeasures]) -> TextMeasures:
    """The measures of the texts of several stages together."""
    first = parts[0]
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    return TextMeasures(
        first.language,
        tuple(text for part in parts for text in part.texts),
        tuple(prompt for part in parts for prompt in part.prompts),
        **columns,
        natural=first.natural,
        seed=first.seed,
    )


def best_of(trials: Iterable[Trial]) -> Trial | None:
    """The trial of highest rank; None if all were stopped: a setting that only repeats is never the best."""
    return max((trial for trial in trials if not trial.stopped), key=lambda trial: trial.rank, default=None)


def front_of(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """The trials of the last stage that no other dominates in share and quality.

    Returns:
        By ascending share.
    """
    alive = [trial for trial in trials if not trial.stopped]
    last = max((trial.stage for trial in alive), default=0)
    rivals = [trial for trial in alive if trial.stage == last]
    kept = [trial for trial in rivals if not any(dominates(other, trial) for other in rivals)]
    return tuple(sorted(kept, key=lambda trial: (trial.share, -trial.quality)))


def dominates(one: Trial, other: Trial) -> bool:
    """Whether a trial is at least as good in share and quality, and better in one of them."""
    pair, beside = (one.share, one.quality), (other.share, other.quality)
    return pair != beside and all(a >= b for a, b in zip(pair, beside, strict=True))


def packed(measures: TextMeasures, seconds: float) -> Arrays:
    """Measures and their time as arrays."""
    texts = np.frombuffer(json.dumps([measures.texts, measures.prompts]).encode(), dtype=np.uint8)
    columns = {name: getattr(measures, name).astype(np.float64) for name in COLUMNS}
    return columns | {"texts": texts, "seconds": np.array([seconds])}


def unpacked(arrays: Arrays, language: str, natural: TextMeasures | None, seed: int) -> tuple[TextMeasures, float]:
    """What `packed` was given."""
    texts, prompts = json.loads(arrays["texts"].tobytes())
    columns: dict[str, Any] = {name: arrays[name] for name in COLUMNS}
    columns["in_language"] = columns["in_language"].astype(bool)
    measures = TextMeasures(language, tuple(texts), tuple(prompts), **columns, natural=natural, seed=seed)
    return measures, float(arrays["seconds"][0])


def _known(reduce: Any, values: Any) -> float:
    known = values[~np.isnan(values)]
    return float(reduce(known)) if len(known) else float("nan")
