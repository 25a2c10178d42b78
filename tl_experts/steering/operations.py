"""Operations: what is done to the neurons that are held. Each is a small function of activation and value.

An operation has an edit, ``(activation, amount) -> activation``, and says how the strength enters: as a factor of the
amount, or as a share, ``strength x edited + (1 - strength) x activation`` (Rodriguez et al. 2025, apple/ml-act).
"""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.errors import InterventionError, require_choice

Edit = Callable[[Tensor, Tensor], Tensor]
"""``(activation [batch pos neuron], value [neuron]) -> activation``: also the form of a user's own operation."""

Operation = Literal["set", "add", "scale", "damp", "raise", "toward", "zero"] | Edit
Floats = NDArray[np.float32]

SHARE = (0.0, 1.0)
"""Bounds of a strength that is a share."""

_MOST = float(np.finfo(np.float32).max)
ANY_STRENGTH = (-_MOST, _MOST)
"""Bounds of a strength that is any finite number."""


def _value(value: Floats, auroc: Floats, strength: float) -> Floats:  # noqa: ARG001
    return value


def _nothing(value: Floats, auroc: Floats, strength: float) -> Floats:  # noqa: ARG001
    return np.zeros_like(value)


def _multiple(value: Floats, auroc: Floats, strength: float) -> Floats:  # noqa: ARG001
    return value * np.float32(strength)


def _factor(value: Floats, auroc: Floats, strength: float) -> Floats:  # noqa: ARG001
    return np.full_like(value, strength)


def _damping(value: Floats, auroc: Floats, strength: float) -> Floats:  # noqa: ARG001
    alpha = (1 - (2 * auroc - 1)).clip(0, 1).astype(np.float32)
    return np.float32(strength) * alpha + np.float32(1 - strength)


def replace(activation: Tensor, amount: Tensor) -> Tensor:
    """The amount."""
    return amount.expand_as(activation)


def add(activation: Tensor, amount: Tensor) -> Tensor:
    """Activation + amount."""
    return activation + amount


def multiply(activation: Tensor, amount: Tensor) -> Tensor:
    """Activation x amount."""
    return activation * amount


def highest(activation: Tensor, amount: Tensor) -> Tensor:
    """The larger of the two."""
    return torch.maximum(activation, amount)


@dataclass(frozen=True)
class Rule:
    """A registered operation."""

    edit: Edit
    """What is done at strength 1, given the amounts."""

    formula: str
    source: str

    amounts: Callable[[Floats, Floats, float], Floats] = _value
    """The number that each neuron's edit takes, from its value, its AUROC and the strength."""

    shares: bool = True
    """The strength is the share of the edited activation; False: the amounts contain it."""

    bounds: tuple[float, float] = SHARE
    """The least and the greatest strength."""


OPERATIONS: dict[str, Rule] = {
    "set": Rule(
        replace,
        "strength x value + (1 - strength) x activation",
        "Sundar et al. 2025 and Suau et al. 2022 at strength 1; the strength as in Rodriguez et al. 2025",
    ),
    "add": Rule(
        add,
        "activation + strength x value",
        "Gurgurov et al. 2025",
        amounts=_multiple,
        shares=False,
        bounds=ANY_STRENGTH,
    ),
    "scale": Rule(
        multiply, "strength x activation", "activation scaling", amounts=_factor, shares=False, bounds=ANY_STRENGTH
    ),
    "damp": Rule(
        multiply,
        "activation x (strength x alpha + 1 - strength), alpha = 1 - Gini, Gini = 2 AUROC - 1",
        "AurA, Suau et al. 2024",
        amounts=_damping,
        shares=False,
    ),
    "raise": Rule(
        highest,
        "strength x max(activation, value) + (1 - strength) x activation",
        "a lower bound for the activation; this package",
    ),
    "toward": Rule(
        replace,
        "activation + strength x (value - activation)",
        "a step towards the value; this package",
        bounds=ANY_STRENGTH,
    ),
    "zero": Rule(replace, "(1 - strength) x activation", "ablation, Tang et al. 2024", amounts=_nothing),
}
"""The operations by name."""


@dataclass(frozen=True)
class Plan:
    """An operation with its strength worked in: what a hook does."""

    amounts: Floats
    edit: Edit | None
    """None: the activation is replaced by the amounts."""

    def only(self, rows: NDArray[np.int64]) -> "Plan":
        """The plan of some of the neurons."""
        return Plan(self.amounts[rows], self.edit)


def plan(operation: Operation, value: Floats, auroc: Floats, strength: float) -> Plan:
    """What a hook does for an operation of a given strength.

    Args:
        operation: a name from `OPERATIONS`, or an `Edit`.
        value: ``[neuron]``
        auroc: ``[neuron]``; only ``"damp"`` reads it.
        strength: see `OPERATIONS`; of an `Edit` it is the share.

    Raises:
        InterventionError: an unknown operation, or a strength outside the operation's bounds.
    """
    rule = _rule(operation)
    require_strength(f"operation {operation_name(operation)!r}", rule.bounds, strength)
    amounts = rule.amounts(value, auroc, strength)
    if not rule.shares or strength == 1:
        return Plan(amounts, None if rule.edit is replace else rule.edit)
    return Plan(amounts, _mixed(rule.edit, strength))


def require_strength(what: str, bounds: tuple[float, float], strength: object) -> None:
    """Refuse a strength that is not a number within the bounds.

    Raises:
        InterventionError: naming `what`, the strength and the bounds.
    """
    least, most = bounds
    number = isinstance(strength, Real) and not isinstance(strength, bool)
    if not number or not least <= strength <= most:  # type: ignore[operator]
        wanted = "a finite number" if bounds == ANY_STRENGTH else f"a number from {least:g} to {most:g}"
        raise InterventionError(f"strength is {strength!r}; {what} takes {wanted}")


def changes_nothing(operation: Operation, strength: float) -> bool:
    """Whether this strength leaves every activation as it is: 0, of all operations but ``"scale"``."""
    return operation != "scale" and strength == 0


def operation_name(operation: Operation) -> str:
    """The operation's name, or the name of the user's function."""
    return operation if isinstance(operation, str) else getattr(operation, "__name__", type(operation).__name__)


def _rule(operation: Operation) -> Rule:
    if callable(operation):
        return Rule(_checked(operation), "strength x f(activation, value) + (1 - strength) x activation", "the user")
    require_choice(operation, OPERATIONS, "operation", InterventionError)
    return OPERATIONS[operation]


def _mixed(edit: Edit, strength: float) -> Edit:
    def mix(activation: Tensor, amount: Tensor) -> Tensor:
        return torch.lerp(activation, edit(activation, amount), strength)

    return mix


def _checked(function: Edit) -> Edit:
    """A user's function, given copies, for it may write in place; its result must fit the layer."""

    def edit(activation: Tensor, amount: Tensor) -> Tensor:
        result = function(activation.clone(), amount.clone())
        if not isinstance(result, Tensor) or (result.shape, result.dtype) != (activation.shape, activation.dtype):
            given = f"{result.dtype} {tuple(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
            raise InterventionError(
                f"operation {operation_name(function)!r} returned {given}; expected a tensor like the activation, "
                f"{activation.dtype} {tuple(activation.shape)}"
            )
        return result

    return edit
