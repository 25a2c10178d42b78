"""Sums over tokens on disk: the statistics of each shard of a response store, beside its responses.

A folder of pieces, one for each shard, and a ``job.json`` with the response store's mark and the site of the gate. The
sums of all shards are added in the order of the shards, as those of the parts of a pass in memory are. With quantiles,
a shard also holds the activations at its tokens, if those of the whole corpus fit (`tl_experts.responses.exact`).
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from tl_experts.errors import ArtefactError
from tl_experts.jobs.job import FILE, Job, recover
from tl_experts.jobs.pieces import Arrays, Pieces
from tl_experts.models import SITES
from tl_experts.responses.exact import by_language, joined
from tl_experts.responses.token_statistics import TokenStatistics
from tl_experts.responses.token_sums import TokenCounter, TokenSums

Activations = Float32[np.ndarray, "neuron token"]
"""The activations at all tokens of a shard, the languages one after the other."""

_ACTIVATIONS = "activations"
"""The name of their array."""


@dataclass(frozen=True)
class KeptSums:
    """The sums over tokens of each shard."""

    pieces: Pieces
    counter: TokenCounter

    @classmethod
    def begin(cls, folder: Path, mark: str, counter: TokenCounter) -> "KeptSums":
        """Open the folder of a response store's sums, or begin it.

        Args:
            folder: of the sums.
            mark: of the job of the responses.
            counter: what is summed.

        Raises:
            ArtefactError: the folder holds the sums of other responses or of another gate.
        """
        return cls(Pieces(folder, Job({"responses": mark, "gate_site": counter.gate})), counter)

    @classmethod
    def read(cls, folder: Path, mark: str, counter: TokenCounter) -> "KeptSums | None":
        """Open a folder that was begun; None if it was not.

        Args:
            folder: of the sums.
            mark: of the job of the responses.
            counter: what is summed; its gate is read from the folder.

        Raises:
            ArtefactError: its job is damaged, or that of other responses.
        """
        if not (folder / FILE).is_file():
            return None
        gate = Job.read(folder).document.get("gate_site")
        if not isinstance(gate, str) or gate not in SITES:
            raise ArtefactError(f"{folder / FILE} names the gate {gate!r:.80}; delete {folder} to start over")
        return cls.begin(folder, mark, replace(counter, gate=gate))

    def save(self, number: int, sums: TokenSums, activations: Activations | None = None) -> None:
        """Write the sums of a shard, and the activations at its tokens if they are kept, whole or not at all."""
        arrays = {name: tensor.numpy() for name, tensor in vars(sums).items()}
        if activations is not None:
            arrays[_ACTIVATIONS] = activations
        self.pieces.save(number, {name: array for name, array in arrays.items() if array.size or name == _ACTIVATIONS})

    def load(self, number: int) -> tuple[TokenSums, Activations | None] | None:
        """The sums of a shard, and the activations at its tokens if they are kept and quantiles asked for.

        None if the sums or their histograms are missing, or something is damaged (which is logged).
        """
        arrays = self.pieces.load(number)
        if arrays is None or any(name not in arrays for name in self.counter.histograms):
            return None
        return recover(partial(self._checked, arrays))

    def _checked(self, arrays: Arrays) -> tuple[TokenSums, Activations | None]:
        languages, neurons = len(self.counter.sentences.languages), self.counter.neurons.total
        sums = TokenSums.from_arrays(arrays, languages, neurons, self.counter.histograms)
        found = arrays.get(_ACTIVATIONS) if self.counter.quantiles else None
        shape = (neurons, int(sums.tokens.sum()))
        if found is not None and (found.shape != shape or found.dtype != np.float32):
            raise ArtefactError(f"{_ACTIVATIONS} are {found.dtype} {found.shape}; expected float32 {shape}")
        return sums, found

    def statistics(self, count: int, fingerprint: dict[str, str]) -> TokenStatistics:
        """The statistics of all shards: sums are added in their order.

        Args:
            count: the number of shards.
            fingerprint: of the model.

        Raises:
            ArtefactError: the sums of a shard are missing.
        """
        sums: TokenSums | None = None
        languages, parts = self.counter.sentences.languages, []
        for number in range(count):
            found = self.load(number)
            if found is None:
                what = "statistics with quantiles" if self.counter.quantiles else "statistics"
                raise ArtefactError(
                    f"{self.pieces.folder}: the {what} of shard {number} of {count} are missing or damaged; run "
                    "the same command again, or merge the folder that has them"
                )
            part, activations = found
            if activations is not None:
                parts.append(by_language(activations, languages, part.tokens.numpy()))
            if sums is None:
                sums = part
            else:
                sums.add(part)
        whole = joined(languages, parts) if count and len(parts) == count else None
        return self.counter.statistics(self.counter.zeros() if sums is None else sums, fingerprint, whole)

    def take(self, other: "KeptSums", number: int) -> bool:
        """Copy the sums of a shard that are missing here; whether there were any to copy."""
        found = None if self.load(number) is not None else other.load(number)
        if found is not None:
            self.save(number, *found)
        return found is not None
