"""Sums over tokens on disk: the statistics of each shard of a response store, beside its responses.

A folder of pieces, one for each shard, and a ``job.json`` with the response store's mark and the site of the gate. The
sums of all shards are added in the order of the shards, as those of the parts of a pass in memory are.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tl_experts.errors import ArtefactError
from tl_experts.jobs.job import FILE, Job, recover
from tl_experts.jobs.pieces import Arrays, Pieces
from tl_experts.models import SITES
from tl_experts.responses.token_sums import TokenCounter, TokenSums


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

    def save(self, number: int, sums: TokenSums) -> None:
        """Write the sums of a shard, whole or not at all."""
        arrays = {name: tensor.numpy() for name, tensor in vars(sums).items()}
        self.pieces.save(number, {name: array for name, array in arrays.items() if array.size})

    def load(self, number: int) -> TokenSums | None:
        """The sums of a shard; None if they or their histograms are missing, or damaged (which is logged)."""
        arrays = self.pieces.load(number)
        if arrays is None or any(name not in arrays for name in self.counter.histograms):
            return None
        return recover(partial(self._sums, arrays))

    def _sums(self, arrays: Arrays) -> TokenSums:
        expected = (len(self.counter.sentences.languages), self.counter.neurons.total)
        return TokenSums.from_arrays(arrays, *expected, self.counter.histograms)

    def whole(self, count: int) -> TokenSums:
        """The sums of all shards, added in their order.

        Raises:
            ArtefactError: those of a shard are missing.
        """
        sums: TokenSums | None = None
        for number in range(count):
            part = self.load(number)
            if part is None:
                what = "statistics with quantiles" if self.counter.quantiles else "statistics"
                raise ArtefactError(
                    f"{self.pieces.folder}: the {what} of shard {number} of {count} are missing or damaged; run "
                    "the same command again, or merge the folder that has them"
                )
            if sums is None:
                sums = part
            else:
                sums.add(part)
        return self.counter.zeros() if sums is None else sums

    def take(self, other: "KeptSums", number: int) -> bool:
        """Copy the sums of a shard that are missing here; whether there were any to copy."""
        found = None if self.load(number) is not None else other.load(number)
        if found is not None:
            self.save(number, found)
        return found is not None
