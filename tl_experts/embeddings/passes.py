"""A pass of the model, possibly steered, whose pieces are kept and computed by one process or by many."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tl_experts.experts.experts import Experts
from tl_experts.jobs.job import Job
from tl_experts.jobs.pieces import Pieces
from tl_experts.jobs.workers import RayPool
from tl_experts.models import Model, require_same_model
from tl_experts.responses.collect_to_disk import SAME_WEIGHTS
from tl_experts.steering.interventions import steer
from tl_experts.steering.steering import Value

CHUNKS = 4
"""Chunks of pieces per worker. Each chunk begins with preparing the batches of the whole pass."""


@dataclass(frozen=True)
class KeptPass:
    """A pass of the model whose batches are kept in a folder."""

    compute: Callable[..., Any]
    """The pass, given a model, ``pieces`` and ``progress``. It is pickled for workers."""

    folder: Path
    """Created if it is missing."""

    job: Job
    """Everything that decides the results."""

    fingerprint: dict[str, str]
    """The fingerprint of the model."""

    experts: Experts | None = None
    """Set while the model reads; None: no intervention."""

    value: Value = "mean"
    """What the experts are set to."""

    def run(self, model: Model, pool: RayPool | None = None, *, progress: bool = True, **options: Any) -> Any:
        """Load the existing pieces, compute the others, and return the result of the whole pass.

        Args:
            model: the model of the fingerprint.
            pool: its workers, which have loaded the same model, compute the missing pieces; None: this process does.
            progress: show a progress bar.
            options: further arguments of `compute` in this process.

        Raises:
            ArtefactError: the folder holds another job, or a worker has another model.
        """
        delegate = None if pool is None else partial(self._delegate, pool, progress)
        with self._steered(model):
            return self.compute(
                model, pieces=Pieces(self.folder, self.job, delegate=delegate), progress=progress, **options
            )

    def _steered(self, model: Model) -> AbstractContextManager[object]:
        return nullcontext() if self.experts is None else steer(model, self.experts, value=self.value)

    def _delegate(self, pool: RayPool, progress: bool, numbers: Sequence[int]) -> None:
        chunks = np.array_split(np.array(numbers), min(len(numbers), CHUNKS * pool.workers))
        # A worker may run in another working directory.
        work = partial(_open_pass, replace(self, folder=self.folder.resolve()), [chunk.tolist() for chunk in chunks])
        description = str(self.job.document.get("kind", "pieces"))
        pool.run(work, range(len(chunks)), description=description, progress=progress)


def _open_pass(kept: KeptPass, chunks: Sequence[Sequence[int]], model: Model) -> Callable[[int], None]:
    """What computes a chunk of pieces on a worker."""
    require_same_model(model, kept.fingerprint, f"the pieces in {kept.folder}", SAME_WEIGHTS)

    def compute(number: int) -> None:
        pieces = Pieces(kept.folder, kept.job, only=frozenset(chunks[number]))
        with kept._steered(model):
            kept.compute(model, pieces=pieces, progress=False)

    return compute
