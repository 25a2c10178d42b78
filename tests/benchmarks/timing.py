"""Two ways to do one thing, timed in turn, and the row of the table that comes of it."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch

Direction = Literal["faster", "of its time"]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    number: int
    job: str
    ours: float
    """Seconds, or for memory MiB; the median."""

    reference: float | None
    """The same of the reference, scaled to the whole input where it was timed on a part."""

    ratio: float | None
    """Median over the pairs."""

    low: float | None
    high: float | None
    target: str
    met: bool
    unit: str = "s"
    note: str = ""

    def cells(self) -> list[str]:
        """As printed."""
        spread = f"{self.ratio:.3g} ({self.low:.3g}-{self.high:.3g})" if self.ratio is not None else ""
        reference = f"{self.reference:.3g} {self.unit}" if self.reference is not None else ""
        met = "yes" if self.met else "no"
        return [
            str(self.number),
            self.job,
            f"{self.ours:.3g} {self.unit}",
            reference,
            spread,
            self.target,
            met,
            self.note,
        ]


COLUMNS = ("#", "job", "ours", "reference", "ratio (range)", "target", "met", "note")


def seconds(work: Callable[[], Any], device: str = "cpu") -> float:
    """How long one run takes."""
    if device != "cpu":
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def in_turn(
    number: int,
    job: str,
    ours: Callable[[], Any],
    reference: Callable[[], Any],
    *,
    target: float,
    direction: Direction,
    pairs: int,
    scale: float = 1.0,
    device: str = "cpu",
    note: str = "",
) -> Row:
    """Time both, alternating, after one run of each that is not counted (compiling, caches).

    Args:
        number: of the job.
        job: its words.
        ours: our way.
        reference: the other.
        target: of the ratio.
        direction: ``"faster"``: reference / ours must reach the target; ``"of its time"``: ours / reference must not
            exceed it.
        pairs: how many.
        scale: the reference does this part of the work, so its time is multiplied.
        device: where; a GPU is waited for.
        note: printed beside it.
    """
    ours()
    reference()
    times = [(seconds(ours, device), seconds(reference, device) * scale) for _ in range(pairs)]
    ratios = [theirs / mine if direction == "faster" else mine / theirs for mine, theirs in times]
    middle = statistics.median(ratios)
    met = middle >= target if direction == "faster" else middle <= target
    sign = f">= {target:g}x faster" if direction == "faster" else f"<= {target:g}x its time"
    mine, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    return Row(number, job, mine, theirs, middle, min(ratios), max(ratios), sign, met, note=note)
