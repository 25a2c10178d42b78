"""Numbered pieces of one long piece of work on disk, so that a killed run goes on where it was."""

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tl_experts.errors import ArtefactError
from tl_experts.jobs.artefacts import load_artefact, save_artefact
from tl_experts.jobs.files import write_json

log = logging.getLogger(__name__)

Arrays = dict[str, NDArray[Any]]
Item = TypeVar("Item")


class Shards:
    """A folder of pieces that belong to one job.

    Args:
        folder: made if it is not there.
        job: everything that decides the pieces (model, corpus, options), as JSON can hold it.
        only: pieces to make, by number, and no others: for one of several processes that share the folder.

    Raises:
        ArtefactError: the folder holds pieces of another job; the message names what differs.
    """

    def __init__(self, folder: str | Path, job: Mapping[str, Any], *, only: Collection[int] | None = None) -> None:
        self._folder = Path(folder)
        self._job: dict[str, Any] = json.loads(json.dumps(job))
        self.only = only
        self.place: tuple[Path, dict[str, Any]] = (self._folder, self._job)
        """What another process needs to open the same."""

        self.elsewhere: Callable[[Sequence[int]], object] | None = None
        """Has other processes make pieces, given their numbers; None: all are made here."""

        # A copy in each piece: one that strayed from another job into the folder is not taken for ours.
        self._mark = hashlib.sha256(json.dumps(self._job, sort_keys=True).encode()).hexdigest()
        manifest = self._folder / "job.json"
        if manifest.is_file():
            self._require_same(manifest)
        else:
            write_json(manifest, self._job)

    def _require_same(self, manifest: Path) -> None:
        try:
            there = json.loads(manifest.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ArtefactError(f"{manifest} is damaged ({error}); delete {self._folder}") from error
        if not isinstance(there, dict):
            raise ArtefactError(
                f"{manifest} holds a {type(there).__name__}; expected a JSON object; delete {self._folder}"
            )
        keys = sorted(set(there) | set(self._job))
        for key in keys:
            if there.get(key) != self._job.get(key):
                raise ArtefactError(
                    f"{self._folder} is of another job: {key} is {there.get(key)!r} there and {self._job.get(key)!r} "
                    "here; choose another folder, or delete it to begin anew"
                )

    def load(self, number: int) -> Arrays | None:
        """A piece, or None where it is missing or damaged (which is logged): it has to be made then."""
        path = self._path(number)
        if not path.is_file():
            return None
        try:
            arrays, header = load_artefact(path, "shard")
        except ArtefactError as error:
            log.warning("made again: %s", error)
            return None
        return arrays if header.get("job") == self._mark and header.get("number") == number else None

    def save(self, number: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write a piece, whole or not at all."""
        packed = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        save_artefact(self._path(number), "shard", packed, {"job": self._mark, "number": number})

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.safetensors"


def resume(
    shards: Shards | None,
    items: Sequence[Item],
    *,
    work: Callable[[Sequence[Item]], Iterable[Item]],
    keep: Callable[[Item], Arrays],
    restore: Callable[[Item, Arrays], None],
) -> None:
    """Do what is not done yet, one piece an item.

    Args:
        shards: where the pieces are kept, and who makes which; None: nowhere, everything is done.
        items: the whole work, in its order.
        work: does the items it is given and yields each when it is done.
        keep: what is kept of a done item.
        restore: puts back what was kept of an item.
    """
    numbers = [number for number in range(len(items)) if shards is None or shards.only is None or number in shards.only]
    pending = _restored(shards, items, numbers, restore)
    if shards is not None and shards.elsewhere is not None and pending:
        shards.elsewhere(pending)
        pending = _restored(shards, items, pending, restore)
    for number, item in zip(pending, work([items[number] for number in pending]), strict=True):
        if shards is not None:
            shards.save(number, keep(item))


def _restored(
    shards: Shards | None, items: Sequence[Item], numbers: Sequence[int], restore: Callable[[Item, Arrays], None]
) -> list[int]:
    """Put back those of some pieces that are there; the numbers of the others."""
    pending = []
    for number in numbers:
        arrays = None if shards is None else shards.load(number)
        if arrays is None:
            pending.append(number)
        else:
            restore(items[number], arrays)
    return pending
