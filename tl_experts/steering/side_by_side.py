"""`SideBySide`: several interventions in one pass, each on rows of the batch of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from tl_experts.errors import InterventionError
from tl_experts.models import Hook, HookFunction, Model, PassTracker
from tl_experts.steering.interventions import Intervention
from tl_experts.steering.positions import Positions


@dataclass(frozen=True)
class SideBySide:
    """What `steer` takes to compare interventions: a pass that reads the weights once serves all of them.

    Where the batches are small, reading the weights takes most of a pass, so that eight interventions side by side
    cost little more than one. Every row computes what it would under its own intervention, to float tolerance.

    Raises:
        InterventionError: not one list of rows for each part, or a row that two parts share.
    """

    parts: tuple[Intervention, ...]

    rows: tuple[tuple[int, ...], ...]
    """The rows of the batch that each part steers. Rows of no part are not steered."""

    def __post_init__(self) -> None:
        """Check that the rows belong to one part each."""
        if len(self.parts) != len(self.rows) or not all(self.rows):
            raise InterventionError(f"{len(self.parts)} parts, rows {self.rows}; give each part one or more rows")
        every = [row for own in self.rows for row in own]
        if len(set(every)) < len(every) or min(every, default=0) < 0:
            raise InterventionError(f"rows {self.rows}; expected numbers from 0, each of one part only")

    @property
    def positions(self) -> Positions:
        """Those of the parts; ``"all"`` if they differ."""
        found = {part.positions for part in self.parts}
        return found.pop() if len(found) == 1 else "all"

    def hooks(self, passes: PassTracker | None = None) -> list[Hook]:
        """The hook functions of all parts.

        Args:
            passes: a tracker of the model's passes; with it padding is left alone. `steer` supplies one.
        """
        return [
            (name, _on_rows(function, rows))
            for part, rows in zip(self.parts, map(_Rows, self.rows), strict=True)
            for name, function in part.hooks(None if passes is None else _RowsOf(passes, rows))
        ]

    def require_model(self, model: Model) -> None:
        """Refuse a model that a part was not made for.

        Raises:
            ArtefactError: naming what differs.
        """
        for part in self.parts:
            part.require_model(model)


def rows_by_part(parts: Sequence[Intervention | None], owners: Sequence[int]) -> SideBySide | None:
    """The parts that steer a batch; None where no row is steered.

    Args:
        parts: None: not steered.
        owners: for each row of the batch, the index of its part.
    """
    rows = [tuple(row for row, owner in enumerate(owners) if owner == index) for index in range(len(parts))]
    steered = [(part, own) for part, own in zip(parts, rows, strict=True) if part is not None and own]
    if not steered:
        return None
    chosen, own = zip(*steered, strict=True)
    return SideBySide(chosen, own)


class _Rows:
    """Rows of a batch, copied once to each device: hooks ask for them in every layer of every pass."""

    def __init__(self, rows: Sequence[int]) -> None:
        self._rows = torch.tensor(rows)
        self._on: dict[torch.device, Tensor] = {}

    def on(self, device: torch.device) -> Tensor:
        """Their numbers."""
        if device not in self._on:
            self._on[device] = self._rows.to(device)
        return self._on[device]

    def of(self, tensor: Tensor) -> Tensor:
        """These rows of a tensor."""
        return tensor.index_select(0, self.on(tensor.device))


def _on_rows(function: HookFunction, rows: _Rows) -> HookFunction:
    def intervene(activation: Tensor, hook: Any) -> Tensor | None:
        after = function(rows.of(activation), hook=hook)
        return None if after is None else activation.index_copy(0, rows.on(activation.device), after)

    return intervene


class _RowsOf(PassTracker):
    """What another tracker knows, of some rows."""

    def __init__(self, whole: PassTracker, rows: _Rows) -> None:
        super().__init__()
        self._whole, self._rows = whole, rows

    @property
    def real(self) -> Bool[Tensor, "batch pos"] | None:
        real = self._whole.real
        return None if real is None else self._rows.of(real)

    @property
    def step(self) -> int:
        return self._whole.step
