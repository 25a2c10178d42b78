"""How diagonal a matrix of effects is: what acts on a row's own column, against what acts on all others.

For a row with effect d on its own column, mean effect o on the other columns and mean absolute effect |o| on them::

    contrast    = d - o                       in the unit of the matrix
    diagonality = (d - o) / (|d| + mean |o|)  from -1 to 1

Both are averaged over the rows. Diagonality is 1 where an effect is positive on the own column and absent elsewhere, 0
where all columns are affected alike, and -1 where only others are. It does not change if a row is scaled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from tl_experts.analysis.statistics import Estimate
from tl_experts.errors import TLExpertsError, not_finite

Numbers = NDArray[np.floating]


@dataclass(frozen=True)
class Diagonality:
    """How diagonal a matrix is; formulas in `tl_experts.analysis.diagonality`."""

    value: Estimate
    """-1 to 1."""

    contrast: Estimate
    """In the unit of the matrix."""

    share: float
    """The share of the rows whose own column has the largest effect."""

    def __str__(self) -> str:
        return f"diagonality {self.value}, contrast {self.contrast}, own column largest in {self.share:.0%} of rows"


def diagonality(effects: Float[np.ndarray, "row column ..."], own: Sequence[int]) -> Float[np.ndarray, "..."]:
    """The mean over rows of ``(d - o) / (|d| + mean |o|)``; a row of zeros counts 0.

    Args:
        effects: one matrix, or resamples of it along the last axes.
        own: for each row, the index of its own column.

    Raises:
        TLExpertsError: a shape that does not fit, fewer than two columns, or no row.

    Examples:
        >>> diagonality(np.array([[1.0, 0.0], [0.0, 3.0]]), [0, 1]).item()
        1.0
        >>> round(diagonality(np.array([[2.0, 1.0, 1.0], [1.0, 1.0, 1.0]]), [0, 1]).item(), 3)
        0.167
    """
    own_effect, others = _split(effects, own)
    size = np.abs(own_effect) + np.abs(others).mean(axis=1)
    lead = own_effect - others.mean(axis=1)
    ratio: Numbers = np.divide(lead, size, out=np.zeros_like(lead), where=size > 0)
    return np.asarray(ratio.mean(axis=0))


def contrast(effects: Float[np.ndarray, "row column ..."], own: Sequence[int]) -> Float[np.ndarray, "..."]:
    """The mean over rows of ``d - o``; arguments and errors as `diagonality`.

    Examples:
        >>> contrast(np.array([[1.0, 0.0], [0.0, 3.0]]), [0, 1]).item()
        2.0
    """
    own_effect, others = _split(effects, own)
    return np.asarray((own_effect - others.mean(axis=1)).mean(axis=0))


def share_on_diagonal(effects: Float[np.ndarray, "row column"], own: Sequence[int]) -> float:
    """The share of the rows whose own column has the largest effect (alone); errors as `diagonality`.

    Examples:
        >>> share_on_diagonal(np.array([[1.0, 2.0], [0.0, 3.0]]), [0, 1])
        0.5
    """
    own_effect, others = _split(effects, own)
    return float((own_effect > others.max(axis=1)).mean())


def _split(effects: Numbers, own: Sequence[int]) -> tuple[Numbers, Numbers]:
    """Each row's effect on its own column ``[row ...]``, and those on the others ``[row other ...]``."""
    rows, columns = effects.shape[:2]
    if rows < 1 or columns < 2 or len(own) != rows or not all(0 <= column < columns for column in own):
        raise TLExpertsError(
            f"effects of shape {effects.shape} with own columns {list(own)}; expected one or more rows, two or more "
            "columns, and one of them for each row"
        )
    if not np.isfinite(effects).all():
        raise TLExpertsError(not_finite("an effect"))
    mine = np.zeros((rows, columns), dtype=bool)
    mine[np.arange(rows), list(own)] = True
    others: Numbers = effects[~mine].reshape(rows, columns - 1, *effects.shape[2:])
    return effects[mine], others
