"""Responses on disk: a folder of shards, each the responses to some sentences, which are scored without loading them.

Layout of the folder::

    job.json              everything that decides the responses: model, corpus, site, pooling, batching
    corpus.json           the sentences
    shards/000000.npy     [neuron sentence]; neurons first, so that reading a few neurons of all sentences is fast
    shards/000000.json    the checksum and the sentences of the shard; written last: without it the shard is missing
    statistics/           statistics of tokens, where they were asked for: job.json, and the sums of each shard
    manifest.json         the list of all shards, once none is missing

Every file is written whole or not at all, so that several processes may compute shards at once and in any order, and
may be killed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import ArtefactError, CorpusError, TLExpertsError
from tl_experts.jobs.arrays import read_array, write_array
from tl_experts.jobs.files import checksum, join_files, read_json, write_json
from tl_experts.jobs.job import Job, recover
from tl_experts.jobs.paths import user_path
from tl_experts.models.batches import Batching
from tl_experts.models.dtypes import dtype_name
from tl_experts.responses.collect import Responses
from tl_experts.responses.kept_sums import KeptSums
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.reading import Reading
from tl_experts.responses.token_statistics import TokenStatistics
from tl_experts.responses.token_sums import TokenCounter

START_OVER = "delete the folder to start over"
"""What to do about a damaged store."""


@dataclass(frozen=True)
class Shard:
    """A complete shard."""

    number: int
    sha256: str
    rows: tuple[int, ...]
    """The indices of its sentences in the corpus."""


class ResponseStore:
    """A folder of shards that belong to one job; written by `tl_experts.store_responses`.

    Args:
        folder: a folder in which `begin` was called.

    Raises:
        ArtefactError: the folder holds no store, or a damaged one.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from tl_experts import load_model, load_sentences, store_responses
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> with TemporaryDirectory() as folder:
        ...     written = store_responses(model, sentences, folder, progress=False)
        ...     ResponseStore(folder).count, ResponseStore(folder).missing()
        (1, [])
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = user_path(folder)
        self.job = Job.read(self.folder)
        document = self.job.document
        try:
            self.neurons = NeuronTable(tuple(map(int, document["layers"])), tuple(map(int, document["widths"])))
            self.count = int(document["shards"])
            self.reading = Reading(
                site=document["site"],
                pooling=document["pooling"],
                layers=self.neurons.layers,
                dtype=document["dtype"],
                batching=Batching(**document["batching"]),
            )
            self._corpus_fingerprint = str(document["corpus"])
            self.fingerprint: dict[str, str] = dict(document["model"])
        except (KeyError, TypeError, ValueError, OverflowError, TLExpertsError) as error:
            raise ArtefactError(f"{self.folder}/job.json is not the job of a response store ({error!r})") from error
        if not 1 <= self.count <= len(self.corpus):
            raise ArtefactError(f"{self.folder}/job.json names {self.count} shards for {len(self.corpus)} sentences")

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the responses on disk."""
        return self.reading.torch_dtype

    @classmethod
    def begin(cls, folder: str | Path, job: Job, corpus: Corpus) -> "ResponseStore":
        """Open the store of a job; write its job and corpus if the folder is new.

        Raises:
            ArtefactError: the folder holds another job; the message names what differs.
        """
        target = user_path(folder)
        if not job.is_in(target):
            rows = {"texts": corpus.texts, "labels": corpus.labels, "rows": corpus.rows, "name": corpus.name}
            write_json(target / "corpus.json", rows)
            job.begin(target)
        return cls(target)

    @cached_property
    def corpus(self) -> Corpus:
        """The sentences.

        Raises:
            ArtefactError: the file is damaged, or holds other sentences than those of the job.
        """
        rows = read_json(self.folder / "corpus.json", fix=START_OVER)
        try:
            corpus = Corpus(**{name: tuple(rows[name]) for name in ("texts", "labels", "rows")}, name=rows["name"])
        except (KeyError, TypeError, AttributeError, CorpusError) as error:
            raise ArtefactError(f"{self.folder}/corpus.json is not a corpus ({error}); {START_OVER}") from error
        if corpus.fingerprint != self._corpus_fingerprint:
            raise ArtefactError(f"{self.folder}/corpus.json holds other sentences than the job's; {START_OVER}")
        return corpus

    def save(self, number: int, values: Shaped[Tensor, "sentence neuron"], rows: Sequence[int]) -> None:
        """Write a shard, whole or not at all."""
        array = values.T.contiguous()
        # NumPy has no bfloat16: its bits are kept as 16-bit integers.
        bits = array.view(torch.int16) if self.dtype == torch.bfloat16 else array
        digest = write_array(self._array(number), bits.numpy())
        write_json(self._note(number), {**self.job.stamp(number), "sha256": digest, "rows": list(rows)})

    def shard(self, number: int) -> Shard | None:
        """A shard; None if it is missing or damaged (which is logged)."""
        return recover(partial(self._read, number)) if self._note(number).is_file() else None

    def _read(self, number: int) -> Shard:
        path = self._note(number)
        note = read_json(path)
        self.job.require_stamp(note, number, path)
        try:
            shard = Shard(number, str(note["sha256"]), tuple(map(int, note["rows"])))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ArtefactError(f"{path} does not describe a shard ({error!r})") from error
        self.array(shard)
        if checksum(self._array(number)) != shard.sha256:
            raise ArtefactError(f"{self._array(number)} does not match its checksum")
        if not all(0 <= row < len(self.corpus) for row in shard.rows):
            raise ArtefactError(f"{path} names a sentence that is not in the corpus")
        return shard

    def array(self, shard: Shard) -> NDArray[Any]:
        """``[neuron sentence]`` of a shard, mapped into memory."""
        kind = "int16" if self.dtype == torch.bfloat16 else dtype_name(self.dtype)
        return read_array(self._array(shard.number), (self.neurons.total, len(shard.rows)), kind)

    def missing(
        self, numbers: Iterable[int] | None = None, *, statistics: bool = False, quantiles: bool = False
    ) -> list[int]:
        """The shards that have to be computed, among some (None: all). Reads them completely, to check them.

        Args:
            numbers: of shards.
            statistics: also those whose statistics of tokens are missing.
            quantiles: also those whose histograms are missing.

        Raises:
            ArtefactError: statistics are asked for, and those in the folder belong to another job.
        """
        counted = statistics or quantiles
        kept = self.kept_sums(quantiles=quantiles) if counted else None
        return [
            number
            for number in (range(self.count) if numbers is None else numbers)
            if self.shard(number) is None or (counted and (kept is None or kept.load(number) is None))
        ]

    def begin_statistics(self, gate: str, *, quantiles: bool = False) -> KeptSums:
        """Begin to keep statistics of tokens; `gate` is the site whose sign is counted.

        Raises:
            ArtefactError: the folder holds those of another job.
        """
        counter = TokenCounter(self.corpus, self.neurons, self.reading.site, gate, quantiles)
        return KeptSums.begin(self._statistics, self.job.mark, counter)

    def kept_sums(self, *, quantiles: bool = False) -> KeptSums | None:
        """The sums over tokens of each shard, with histograms where quantiles are asked for; None if none were begun.

        Raises:
            ArtefactError: those in the folder belong to another job.
        """
        site = self.reading.site
        counter = TokenCounter(self.corpus, self.neurons, site, site, quantiles)
        return KeptSums.read(self._statistics, self.job.mark, counter)

    def statistics(self, *, quantiles: bool = False) -> TokenStatistics:
        """The statistics of tokens, the same bits as `tl_experts.collect_statistics` gives, once no shard is missing.

        Args:
            quantiles: with the counts for quantiles (and the activations at all tokens, where they were kept), which
                `store_responses` was asked for.

        Raises:
            ArtefactError: they were not asked for, or those of a shard are missing.
        """
        kept = self.kept_sums(quantiles=quantiles)
        if kept is None:
            raise ArtefactError(
                f"{self.folder} keeps no statistics of tokens; call store_responses(..., statistics=True) on it, which "
                "runs the sentences again"
            )
        return kept.statistics(self.count, self.fingerprint)

    def responses(self) -> "StoredResponses":
        """The responses, once no shard is missing.

        Raises:
            ArtefactError: shards are missing (the message lists them), or a sentence is in none.
        """
        found = {number: self.shard(number) for number in range(self.count)}
        missing = [number for number, shard in found.items() if shard is None]
        if missing:
            listed = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
            raise ArtefactError(
                f"{self.folder}: {len(missing)} of {self.count} shards are missing or damaged ({listed}); run the same "
                "command again, or merge the folder that has them"
            )
        shards = tuple(shard for shard in found.values() if shard is not None)
        entries = [{"number": s.number, "sentences": len(s.rows), "sha256": s.sha256} for s in shards]
        write_json(self.folder / "manifest.json", {"job": self.job.mark, "shards": entries})
        return StoredResponses(self, shards)

    def take(self, other: "ResponseStore") -> int:
        """Copy the shards that are missing here from another part of the same job.

        Returns:
            The number of copied shards.

        Raises:
            ArtefactError: the other store belongs to another job.
        """
        self.job.require_same(other.job.document, other.folder)
        copied = 0
        for number in self.missing():
            if other.shard(number) is not None:
                join_files([other._array(number)], self._array(number))
                join_files([other._note(number)], self._note(number))
                copied += 1
        for quantiles in (True, False):
            sums = other.kept_sums(quantiles=quantiles)
            if sums is not None:
                own = self.begin_statistics(sums.counter.gate, quantiles=quantiles)
                for number in range(self.count):
                    own.take(sums, number)
        return copied

    @property
    def _statistics(self) -> Path:
        return self.folder / "statistics"

    def _array(self, number: int) -> Path:
        return self.folder / "shards" / f"{number:06d}.npy"

    def _note(self, number: int) -> Path:
        return self.folder / "shards" / f"{number:06d}.json"


@dataclass(frozen=True, eq=False)
class StoredResponses:
    """Responses on disk, which `score_responses` reads a few neurons at a time.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from tl_experts import load_model, load_sentences, score_responses, store_responses
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> with TemporaryDirectory() as folder:
        ...     stored = store_responses(model, sentences, folder, progress=False).responses()
        ...     score_responses(stored, progress=False).auroc.shape
        (7168, 9)
    """

    store: ResponseStore
    shards: tuple[Shard, ...]

    def __post_init__(self) -> None:
        """Check that every sentence is in a shard."""
        missing = np.flatnonzero(self._order < 0)
        if len(missing):
            raise ArtefactError(f"{self.store.folder}: sentence {missing[0]} is in no shard; {START_OVER}")

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """For every sentence its position in the shards, one after the other; -1: in none. Equal texts share one."""
        held = np.concatenate([np.array(shard.rows, dtype=np.int64) for shard in self.shards])
        positions = np.full(len(self.corpus), -1, dtype=np.int64)
        positions[held] = np.arange(len(held))
        first: dict[str, int] = {}
        return positions[[first.setdefault(text, index) for index, text in enumerate(self.corpus.texts)]]

    @property
    def corpus(self) -> Corpus:
        """The sentences."""
        return self.store.corpus

    @property
    def neurons(self) -> NeuronTable:
        """What the columns are."""
        return self.store.neurons

    @property
    def site(self) -> str:
        """The hook site."""
        return self.store.reading.site

    @property
    def pooling(self) -> str:
        """How a sentence's tokens become one number."""
        return self.store.reading.pooling

    @property
    def fingerprint(self) -> dict[str, str]:
        """The fingerprint of the model."""
        return self.store.fingerprint

    @property
    def shape(self) -> tuple[int, int]:
        """Sentences and neurons."""
        return len(self.corpus), self.neurons.total

    def columns(self, start: int, stop: int) -> Float[np.ndarray, "sentence neuron"]:
        """The responses of some neurons to all sentences, float32."""
        # Mapped for each call: pages that stay mapped would count as this process's memory.
        parts = [torch.from_numpy(np.array(self.store.array(shard)[start:stop])) for shard in self.shards]
        if self.store.dtype == torch.bfloat16:
            parts = [part.view(torch.bfloat16) for part in parts]
        block: NDArray[np.float32] = torch.cat([part.float() for part in parts], dim=1).numpy()
        return block[:, self._order].T

    def load(self) -> Responses:
        """The same in memory."""
        values = torch.from_numpy(np.ascontiguousarray(self.columns(0, self.neurons.total))).to(self.store.dtype)
        return Responses(values, self.corpus, self.neurons, self.site, self.pooling, self.fingerprint)

    def __repr__(self) -> str:
        sentences, neurons = self.shape
        return f"StoredResponses({sentences} sentences x {neurons:,} neurons of {self.site} in {self.store.folder})"


def merge_stores(folders: Sequence[str | Path]) -> StoredResponses:
    """Join the parts of one job, which were computed on several machines, in the first folder.

    Args:
        folders: the folders of the parts; shards of the others are copied into the first.

    Raises:
        ArtefactError: a folder holds no store or another job, or shards are still missing.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from tl_experts import load_model, load_sentences, store_responses
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> with TemporaryDirectory() as one, TemporaryDirectory() as other:
        ...     for number, folder in enumerate((one, other), start=1):
        ...         store = store_responses(model, sentences, folder, part=(number, 2), progress=False)
        ...     merge_stores([one, other]).shape
        (90, 7168)
    """
    if not folders:
        raise ArtefactError("no folder was given; name the folders of the parts")
    stores = [ResponseStore(folder) for folder in folders]
    for other in stores[1:]:
        stores[0].take(other)
    return stores[0].responses()
