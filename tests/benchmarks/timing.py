"""Two ways to do one thing, timed alternately, and the resulting row of the table."""

import ctypes
import gc
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

Direction = Literal["faster", "of its time", "seconds"]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    number: int
    job: str
    ours: float
    """Median, in seconds; in MiB for memory."""

    reference: float | None
    """Median of the reference, scaled to the whole input where it was timed on a part."""

    ratio: float | None
    """Median over the pairs."""

    low: float | None
    high: float | None
    target: str
    met: bool
    unit: str = "s"
    note: str = ""
    peak: float | None = None
    """Peak MiB of our way above what the process held before."""

    def cells(self) -> list[str]:
        """The cells as printed."""
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
            "" if self.peak is None else f"{self.peak:,.0f} MiB",
            self.note,
        ]


COLUMNS = ("#", "job", "ours", "reference", "ratio (range)", "target", "met", "peak", "note")


def seconds(work: Callable[[], Any], device: str = "cpu") -> float:
    """Duration of one run."""
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
    peak: float | None = None,
) -> Row:
    """The row for some pairs of times.

    Args:
        number: of the job.
        job: its description.
        times: ours and the reference's, for every pair.
        target: of the median ratio.
        direction: ``"faster"``: reference / ours must reach the target; ``"of its time"``: ours / reference must not
            exceed it; ``"seconds"``: our median must stay under the target, whatever the reference takes.
        note: printed beside it.
        peak: of our way, in MiB.
    """
    ours, reference = (statistics.median(column) for column in zip(*times, strict=True))
    ratios = [theirs / mine if direction == "faster" else mine / theirs for mine, theirs in times]
    middle = statistics.median(ratios)
    words, met = {
        "faster": (f">= {target:.3g}x faster", middle >= target),
        "of its time": (f"<= {target:.3g}x its time", middle <= target),
        "seconds": (f"< {target:.3g} s", ours < target),
    }[direction]
    return Row(number, job, ours, reference, middle, min(ratios), max(ratios), words, met, note=note, peak=peak)


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
    """Time both alternately, after one uncounted run of each (compilation, caches).

    Args:
        number: of the job.
        job: its description.
        ours: our way.
        reference: the other.
        target: see `row_of`.
        direction: see `row_of`.
        pairs: number of timings of each.
        scale: factor of the reference's time, which is measured on a part of the work.
        device: where both run; a GPU is synchronized.
        note: printed beside it.
    """
    ours()
    reference()
    times = [(seconds(ours, device), seconds(reference, device) * scale) for _ in range(pairs)]
    return row_of(number, job, times, target=target, direction=direction, note=note, peak=peak_of(ours, device))


def resident(field: str) -> float:
    """A field of /proc/self/status (Linux), in MiB: VmRSS or VmHWM."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def peak_of(work: Callable[[], object], device: str = "cpu") -> float:
    """Peak MiB of some work above what this process or the GPU held before; 0 without /proc."""
    if device != "cpu":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)  # reused freed memory would not be measured
    try:
        Path("/proc/self/clear_refs").write_text("5")
        before = resident("VmRSS")
        work()
        return resident("VmHWM") - before
    except OSError:
        work()
        return 0.0
