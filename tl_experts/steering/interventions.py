"""Interventions: hook functions from experts or from a `Steering`, and the `steer` context.

By default each expert is set to its mean response over the sentences of its language, at every token position, while
the model reads any text (Sundar et al. 2025, section 3). Hook functions are values, ``(hook name, fn)`` pairs as in
TransformerLens's ``fwd_hooks``; they never write in place.
"""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from numpy.typing import ArrayLike

from tl_experts.errors import InterventionError, TLExpertsWarning
from tl_experts.experts.experts import Experts
from tl_experts.models import Hook, Model, PassTracker, attached, track_passes
from tl_experts.steering.operations import Operation
from tl_experts.steering.positions import Positions
from tl_experts.steering.steering import Steering, Value


@runtime_checkable
class Intervention(Protocol):
    """What `steer` takes: a `Steering`, or any other value that gives hooks."""

    @property
    def positions(self) -> Positions:
        """Which positions are steered."""
        ...

    def hooks(self, passes: PassTracker | None = None) -> list[Hook]:
        """The hook functions."""
        ...

    def require_model(self, model: Model) -> None:
        """Refuse a model that this was not made for."""
        ...


Steerable = Experts | Intervention | Sequence[Experts | Intervention]


def intervention_hooks(
    steering: Steerable,
    *,
    operation: Operation = "set",
    value: Value | ArrayLike = "mean",
    strength: float = 1.0,
    positions: Positions = "all",
    keep_norm: bool = False,
    passes: PassTracker | None = None,
) -> list[Hook]:
    """The hook functions of an intervention, one per layer that is steered.

    Args:
        steering: experts of one language; a `Steering`; or several of them, which act in the order given.
        operation: see `Steering`. These five options are for experts alone: a `Steering` has its own.
        value: see `Steering`.
        strength: see `Steering`.
        positions: see `Steering`; ``"generated"`` and numbers need `passes`.
        keep_norm: see `Steering`.
        passes: a tracker of the model's passes; with it padding is left alone. `steer` supplies one.

    Returns:
        ``(hook name, fn)`` pairs for ``model.run_with_hooks(..., fwd_hooks=...)`` or ``embed(..., hooks=...)``.

    Raises:
        InterventionError: experts of several languages, or an option that is not defined.

    Examples:
        >>> from tl_experts import find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> experts = find_experts(model, sentences, k=5, progress=False)
        >>> hooks = intervention_hooks(experts["es"])
        >>> logits = model.run_with_hooks("To open a file,", fwd_hooks=hooks)
    """
    options = _Options(operation, value, strength, positions, keep_norm)
    return [hook for one in _interventions(steering, options) for hook in one.hooks(passes)]


def checked_hooks(model: Model, steering: Steerable, passes: PassTracker) -> list[Hook]:
    """The hook functions of an intervention with its own options (experts: `steer`'s defaults), made for this model.

    Raises:
        InterventionError: as `intervention_hooks`.
        ArtefactError: the experts are of another model.
    """
    interventions = _interventions(steering, _Options("set", "mean", 1.0, "all", False))
    for intervention in interventions:
        intervention.require_model(model)
    return [hook for intervention in interventions for hook in intervention.hooks(passes)]


@contextmanager
def steer(
    model: Model,
    steering: Steerable,
    *,
    operation: Operation = "set",
    value: Value | ArrayLike = "mean",
    strength: float = 1.0,
    positions: Positions = "all",
    keep_norm: bool = False,
    check: bool = True,
) -> Iterator[Model]:
    """Steer the model while the block runs.

    Whatever runs inside (the model itself, `generate` with or without the key-value cache, `embed`...) is steered;
    padding is left alone. On leaving, also by an exception or from a nested block, the model computes exactly what
    it did before: nothing in it was changed.

    Args:
        model: the model the experts were found in.
        steering: experts of one language, ``experts["es"]``; a `Steering`; or several of them, which act in the order
            given.
        operation: see `Steering`. These five options are for experts alone: a `Steering` has its own.
        value: see `Steering`.
        strength: see `Steering`.
        positions: see `Steering`.
        keep_norm: see `Steering`.
        check: refuse experts of another model; False to try them all the same (on a fine-tuned sibling, say).

    Raises:
        InterventionError: as `intervention_hooks`.
        ArtefactError: the experts are of another model.

    Warns:
        TLExpertsWarning: ``positions="generated"`` met no generation with a key-value cache, so nothing was steered; or
            a number of tokens met generation without it, so steering did not end.

    Examples:
        >>> from tl_experts import Steering, find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> experts = find_experts(model, sentences, k=5, progress=False)
        >>> with steer(model, experts["es"]):
        ...     steered = model("To open a file,")
        >>> bool((steered == model("To open a file,")).all())
        False
        >>> with steer(model, [Steering(experts["en"], operation="zero"), Steering(experts["es"], strength=0.5)]):
        ...     steered = model("To open a file,")
    """
    interventions = _interventions(steering, _Options(operation, value, strength, positions, keep_norm))
    if check:
        for intervention in interventions:
            intervention.require_model(model)
    with track_passes(model) as passes:
        hooks = [hook for intervention in interventions for hook in intervention.hooks(passes)]
        with attached(model, hooks):
            yield model
    positions_given = [intervention.positions for intervention in interventions]
    for note in (_unsteered(positions_given, passes), _unending(positions_given, passes)):
        if note is not None:
            warnings.warn(note, TLExpertsWarning, stacklevel=3)


def describe_intervention(experts: Experts | None, value: str = "mean") -> str:
    """Everything that decides which neurons are set to which values, in a line: for the name of what comes of it.

    Examples:
        >>> describe_intervention(None)
        'none'
    """
    if experts is None:
        return "none"
    digest = hashlib.sha256(experts.layer.tobytes() + experts.neuron.tobytes())
    values = experts.statistics.get(value)
    digest.update(b"zero" if values is None else values.tobytes())
    return f"{experts.languages[0]} {experts.total} {value} {digest.hexdigest()[:16]}"


def _unsteered(positions: Sequence[Positions], passes: PassTracker) -> str | None:
    """Why nothing was steered; None where something was, or no pass was run."""
    if "generated" in positions and passes.passes and not passes.continued:
        return (
            f"positions='generated' steered none of {passes.passes} passes: none continued a key-value cache. "
            "Generate with use_past_kv_cache=True, or use positions='all'"
        )
    if passes.elsewhere and not passes.passes:
        return (
            f"steer(...) steered nothing: {passes.elsewhere} passes ran in other threads, where it does not act. "
            "Enter steer(...) in the thread that runs the model, or start the thread's function with "
            "contextvars.copy_context().run"
        )
    return None


def _unending(positions: Sequence[Positions], passes: PassTracker) -> str | None:
    """Why steering did not end where it should have; None where it did."""
    numbers = [number for number in positions if isinstance(number, int) and number <= passes.regrown]
    if not numbers:
        return None
    return (
        f"positions={min(numbers)} steered more tokens than that: {passes.regrown} passes in a row read the whole text "
        "again with one more token, and each began a text. Generate with use_past_kv_cache=True"
    )


@dataclass(frozen=True)
class _Options:
    """The options that `steer` and `intervention_hooks` take beside experts."""

    operation: Operation
    value: Value | ArrayLike
    strength: float
    positions: Positions
    keep_norm: bool

    @property
    def default(self) -> bool:
        """Whether none was given."""
        named = isinstance(self.value, str) and isinstance(self.operation, str)
        given = (self.operation, self.value, self.strength, self.positions, self.keep_norm)
        return named and given == ("set", "mean", 1.0, "all", False)

    def steering(self, experts: Experts) -> Steering:
        return Steering(experts, self.operation, self.value, self.strength, self.positions, self.keep_norm)


def _interventions(steering: object, options: _Options) -> list[Intervention]:
    """The interventions in order, with the options of those that are experts alone."""
    if isinstance(steering, Experts):
        return [options.steering(steering)]
    several = isinstance(steering, Sequence) and not isinstance(steering, (str, bytes))
    parts = [as_intervention(part, listed=several) for part in (steering if several else [steering])]  # type: ignore[attr-defined]
    if not parts:
        raise InterventionError("the list of steerings is empty; give at least one")
    if not options.default:
        raise InterventionError("the options belong to each Steering; build it with them: Steering(experts, ...)")
    return parts


def as_intervention(part: object, *, listed: bool = True) -> Intervention:
    """An intervention, or experts held as the paper does.

    Raises:
        InterventionError: it is something else.
    """
    if isinstance(part, Experts):
        return Steering(part)
    if isinstance(part, Intervention):
        return part
    raise InterventionError(
        f"expected Experts or a Steering, got {type(part).__name__}{' in a list' if listed else ''}; experts come from "
        "find_experts(...)"
    )
