"""Numbered pieces of a job on disk, so that a killed run resumes after the last piece."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from tl_experts.jobs.artefacts import load_artefact, save_artefact
from tl_experts.jobs.job import Job, recover

Arrays = dict[str, NDArray[Any]]
Item = TypeVar("Item")

KIND = "shard"
"""What a piece is called in its file."""


@dataclass(frozen=True)
class Pieces:
    """A folder of pieces that belong to one job.

    Raises:
        ArtefactError: the folder holds another job; the message names what differs.
    """

    folder: Path
    """Created if it is missing."""

    job: Job

    only: Collection[int] | None = None
    """The numbers that this process computes; None: all. For one of several processes that share the folder."""

    delegate: Callable[[Sequence[int]], object] | None = None
    """Has other processes compute the pieces of some numbers, before this one computes what is still missing."""

    def __post_init__(self) -> None:
        """Begin the job in the folder, or check that the folder is the job's."""
        self.job.begin(self.folder)

    def load(self, number: int) -> Arrays | None:
        """A piece; None if it is missing or damaged (which is logged)."""
        return recover(partial(self._read, number)) if self._path(number).is_file() else None

    def save(self, number: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write a piece, whole or not at all."""
        packed = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        save_artefact(self._path(number), KIND, packed, self.job.stamp(number))

    def once(self, number: int, compute: Callable[[], Arrays]) -> Arrays:
        """A piece, computed and saved if it is missing."""
        arrays = self.load(number)
        if arrays is None:
            arrays = compute()
            self.save(number, arrays)
        return arrays

    def _read(self, number: int) -> Arrays:
        arrays, header = load_artefact(self._path(number), KIND)
        self.job.require_stamp(header, number, self._path(number))
        return arrays

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.safetensors"


def once_together(
    pieces: Pieces | None, numbers: Sequence[int], compute: Callable[[], Iterable[Arrays]]
) -> list[Arrays]:
    """Pieces that share batches: if one is missing, all are computed, so that a resumed job has the same batches.

    Args:
        pieces: where they are kept; None: nowhere.
        numbers: of the pieces.
        compute: all of them, in this order. A kept one stays as it is.
    """
    kept = [None if pieces is None else pieces.load(number) for number in numbers]
    computed = [None] * len(kept) if all(arrays is not None for arrays in kept) else list(compute())
    found = []
    for number, before, now in zip(numbers, kept, computed, strict=True):
        if before is None and now is not None and pieces is not None:
            pieces.save(number, now)
        found.append(cast("Arrays", now if before is None else before))
    return found


def resume(
    pieces: Pieces | None,
    items: Sequence[Item],
    *,
    work: Callable[[Sequence[Item]], Iterable[Item]],
    keep: Callable[[Item], Arrays],
    restore: Callable[[Item, Arrays], None],
) -> None:
    """Do the work that is not done yet, one piece per item.

    Args:
        pieces: where the pieces are kept, and who computes which; None: nothing is kept, and all items are done.
        items: the whole work, in order.
        work: does the given items and yields each when it is done.
        keep: what to keep of a finished item.
        restore: puts back what was kept of an item.
    """
    if pieces is None:
        for _ in work(items):
            pass
        return
    numbers = [number for number in range(len(items)) if pieces.only is None or number in pieces.only]
    pending = _restore(pieces, items, numbers, restore)
    if pending and pieces.delegate is not None:
        pieces.delegate(pending)
        pending = _restore(pieces, items, pending, restore)
    for number, item in zip(pending, work([items[number] for number in pending]), strict=True):
        pieces.save(number, keep(item))


def _restore(
    pieces: Pieces, items: Sequence[Item], numbers: Sequence[int], restore: Callable[[Item, Arrays], None]
) -> list[int]:
    """Put back the pieces that are on disk.

    Returns:
        The numbers of the missing ones.
    """
    pending = []
    for number in numbers:
        arrays = pieces.load(number)
        if arrays is None:
            pending.append(number)
        else:
            restore(items[number], arrays)
    return pending
