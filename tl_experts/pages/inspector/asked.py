"""What the live page asks for, checked: how a prompt is continued, and what is done to which neurons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from tl_experts.errors import InterventionError, TLExpertsError, require_choice, require_whole
from tl_experts.pages.inspector.saved import parse_neuron

With = Literal["tuned", "experts", "neuron"]
WITH: tuple[With, ...] = get_args(With)

MOST_TEXTS = 5
"""Texts that fit the page side by side with those before."""


@dataclass(frozen=True)
class Held:
    """What is done to which neurons.

    Raises:
        TLExpertsError: an option that is not known, or a number that is not one.
    """

    by: With
    """The tuned setting of a language, the experts of a language, or one neuron."""

    language: str = ""
    """Of the tuned setting or the experts."""

    k: int = 1
    """Number of experts."""

    neuron: tuple[int, int] = (0, 0)
    """Layer and index, of ``by="neuron"``."""

    operation: str = "set"
    value: str | float = "mean"
    """By name, of experts; a number, of one neuron."""

    strength: float = 1.0

    first: int = 0
    """Tokens after which the intervention ends; 0: it acts on the whole text. A tuned setting has its own."""

    @classmethod
    def read(cls, asked: Mapping[str, Any]) -> "Held":
        """From the values that the page sends, under the names of the fields."""
        by = asked.get("by", "experts")
        require_choice(by, WITH, "by", InterventionError)
        neuron = parse_neuron(str(asked.get("neuron", ""))) if by == "neuron" else (0, 0)
        value = asked.get("value", "mean")
        return cls(
            by=cast("With", by),
            language=str(asked.get("language", "")),
            k=_whole(asked, "k", 1, least=1),
            neuron=neuron,
            operation=str(asked.get("operation", "set")),
            value=_number(asked, "value", 0.0) if by == "neuron" else str(value),
            strength=_number(asked, "strength", 1.0),
            first=_whole(asked, "first", 0, least=0),
        )


@dataclass(frozen=True)
class Wish:
    """A prompt to continue without and with an intervention.

    Raises:
        TLExpertsError: the prompt is empty, or a number is out of its range.
    """

    prompt: str
    held: Held
    tokens: int = 40
    temperature: float = 0.7
    seed: int = 0
    texts: int = 1
    """Continuations on each side, with the seeds `seed`, `seed` + 1..."""

    @classmethod
    def read(cls, asked: Mapping[str, Any]) -> "Wish":
        """From the values that the page sends, under the names of the fields of both classes."""
        prompt = str(asked.get("prompt", ""))
        if not prompt.strip():
            raise TLExpertsError("the prompt is empty; write the beginning of a text")
        return cls(
            prompt,
            Held.read(asked),
            tokens=_whole(asked, "tokens", 40, least=1),
            temperature=_number(asked, "temperature", 0.7, least=0.0),
            seed=_whole(asked, "seed", 0, least=0),
            texts=_whole(asked, "texts", 1, least=1, most=MOST_TEXTS),
        )


def _whole(asked: Mapping[str, Any], name: str, default: int, *, least: int, most: int | None = None) -> int:
    given = asked.get(name, default)
    value = require_whole(int(given) if isinstance(given, float) and given.is_integer() else given, name)
    if value < least or (most is not None and value > most):
        raise TLExpertsError(f"{name} is {value}; expected {least}" + (f" to {most}" if most else " or more"))
    return value


def _number(asked: Mapping[str, Any], name: str, default: float, *, least: float | None = None) -> float:
    value = asked.get(name, default)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not abs(value) < 1e30 or (least is not None and value < least):
        raise TLExpertsError(f"{name} is {value!r}; expected a number" + ("" if least is None else f" from {least:g}"))
    return float(value)
