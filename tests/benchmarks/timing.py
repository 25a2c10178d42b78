"""Two ways to do one thing, timed in turn, and the row of the table that comes of it."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

Direction = Literal["faster", "of its time", "seconds"]


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


def row_of(
    number: int,
    job: str,
    times: Sequence[tuple[float, float]],
    *,
    target: float,
    direction: Direction,
    note: str = "",
) -> Row:
    """The row of some pairs of times.

    Args:
        number: of the job.
        job: its words.
        times: ours and the reference's, of every pair.
        target: of the median ratio.
        direction: ``"faster"``: reference / ours must reach the target; ``"of its time"``: ours / reference must not
            exceed it; ``"seconds"``: our median must stay under the target, whatever the reference takes.
        note: printed beside it.
    """
    ours, reference = (statistics.median(column) for column in zip(*times, strict=True))
    ratios = [theirs / mine if direction == "faster" else mine / theirs for mine, theirs in times]
    middle = statistics.median(ratios)
    words, met = {
        "faster": (f">= {target:.3g}x faster", middle >= target),
        "of its time": (f"<= {target:.3g}x its time", middle <= target),
        "seconds": (f"< {target:.3g} s", ours < target),
    }[direction]
    return Row(number, job, ours, reference, middle, min(ratios), max(ratios), words, met, note=note)


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
        target: see `row_of`.
        direction: see `row_of`.
        pairs: how many.
        scale: the reference does this part of the work, so its time is multiplied.
        device: where; a GPU is waited for.
        note: printed beside it.
    """
    ours()
    reference()
    times = [(seconds(ours, device), seconds(reference, device) * scale) for _ in range(pairs)]
    return row_of(number, job, times, target=target, direction=direction, note=note)
