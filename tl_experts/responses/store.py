"""Responses on disk: a folder of shards, each the responses to some sentences, that are scored without loading them.

Layout of the folder::

    job.json              what decides the responses: model, corpus, site, pooling, batches
    corpus.json           the sentences
    shards/000000.npy     [neuron sentence]; neurons first, so that a few neurons of all sentences are a few reads
    shards/000000.json    its checksum and which sentences it holds; written last: without it there is no shard
    manifest.json         the list of all shards, once none is missing

Every file is written aside and renamed, so that shards may be made by several processes at once, in any order, and by
a process that is killed.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
from tl_experts.models.batches import Batching
from tl_experts.models.dtypes import dtype_name
from tl_experts.responses.collect import Responses
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.reading import Reading

log = logging.getLogger(__name__)

Job = Mapping[str, Any]


@dataclass(frozen=True)
class Shard:
    """One shard that is whole."""

    number: int
    sha256: str
    rows: tuple[int, ...]
    """The sentences, by their place in the corpus."""


class ResponseStore:
    """A folder of shards that belong to one job; made by `tl_experts.responses.collect_to_disk.store_responses`.

    Args:
        folder: where `begin` was called.

    Raises:
        ArtefactError: there is no store, or it is damaged.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from tl_experts import load_model, load_sentences, store_responses
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> with TemporaryDirectory() as folder:
        ...     made = store_responses(model, sentences, folder, progress=False)
        ...     ResponseStore(folder).count, ResponseStore(folder).missing()
        (1, [])
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.job: dict[str, Any] = read_json(self.folder / "job.json")
        try:
            self.neurons = NeuronTable(tuple(map(int, self.job["layers"])), tuple(map(int, self.job["widths"])))
            self.count = int(self.job["shards"])
            self.reading = Reading(
                site=self.job["site"],
                pooling=self.job["pooling"],
                layers=self.neurons.layers,
                dtype=self.job["dtype"],
                batching=Batching(**self.job["batching"]),
            )
            self._corpus_mark = str(self.job["corpus"])
            self.fingerprint: dict[str, str] = dict(self.job["model"])
        except (KeyError, TypeError, ValueError, OverflowError, TLExpertsError) as error:
            raise ArtefactError(f"{self.folder}/job.json is not the job of a response store ({error!r})") from error
        if not 1 <= self.count <= len(self.corpus):
            raise ArtefactError(f"{self.folder}/job.json names {self.count} shards for {len(self.corpus)} sentences")
        # A copy in each shard: one that strayed from another job into the folder is not taken for ours.
        self._mark = hashlib.sha256(json.dumps(self.job, sort_keys=True).encode()).hexdigest()

    @property
    def dtype(self) -> torch.dtype:
        """Of the responses on disk."""
        return self.reading.torch_dtype

    @classmethod
    def begin(cls, folder: str | Path, job: Job, corpus: Corpus) -> "ResponseStore":
        """Open the store of a job, or begin it.

        Raises:
            ArtefactError: the folder holds the store of another job; the message names what differs.
        """
        place = Path(folder)
        wanted = json.loads(json.dumps(dict(job)))
        if (place / "job.json").is_file():
            _require_same(place, read_json(place / "job.json"), wanted)
        else:
            rows = {"texts": corpus.texts, "labels": corpus.labels, "rows": corpus.rows, "name": corpus.name}
            write_json(place / "corpus.json", rows)
            write_json(place / "job.json", wanted)
        return cls(place)

    @cached_property
    def corpus(self) -> Corpus:
        """The sentences.

        Raises:
            ArtefactError: they are not those of the job.
        """
        rows = read_json(self.folder / "corpus.json")
        try:
            corpus = Corpus(**{name: tuple(rows[name]) for name in ("texts", "labels", "rows")}, name=rows["name"])
        except (KeyError, TypeError, AttributeError, CorpusError) as error:
            raise ArtefactError(f"{self.folder}/corpus.json is no corpus ({error}); begin anew") from error
        if corpus.fingerprint != self._corpus_mark:
            raise ArtefactError(f"{self.folder}/corpus.json holds other sentences than the job's; begin anew")
        return corpus

    def save(self, number: int, values: Shaped[Tensor, "sentence neuron"], rows: Sequence[int]) -> None:
        """Write a shard, whole or not at all."""
        array = values.T.contiguous()
        bits = array.view(torch.int16) if self.dtype == torch.bfloat16 else array
        digest = write_array(self._array(number), bits.numpy())
        document = {"job": self._mark, "number": number, "sha256": digest, "rows": list(rows)}
        write_json(self._note(number), document)

    def shard(self, number: int) -> Shard | None:
        """A shard, or None where it is missing or damaged (which is logged): it has to be made then."""
        if not self._note(number).is_file():
            return None
        try:
            note = read_json(self._note(number))
            shard = Shard(int(note["number"]), str(note["sha256"]), tuple(map(int, note["rows"])))
            if note["job"] != self._mark or shard.number != number:
                log.warning("made again: %s is of another job", self._note(number))
                return None
            self.array(shard)
            if checksum(self._array(number)) != shard.sha256:
                raise ArtefactError(f"{self._array(number)} does not match its checksum")
            if not all(0 <= row < len(self.corpus) for row in shard.rows):
                raise ArtefactError(f"{self._note(number)} names a sentence that is not in the corpus")
        except (ArtefactError, KeyError, TypeError, ValueError, OverflowError) as error:
            log.warning("made again: %s", error)
            return None
        return shard

    def array(self, shard: Shard) -> NDArray[Any]:
        """``[neuron sentence]`` of a shard, mapped into memory."""
        kind = "int16" if self.dtype == torch.bfloat16 else dtype_name(self.dtype)
        return read_array(self._array(shard.number), (self.neurons.total, len(shard.rows)), kind)

    def missing(self, numbers: Iterable[int] | None = None) -> list[int]:
        """Which shards (of these; None: of all) have to be made. Reads them all, to check them."""
        return [number for number in (range(self.count) if numbers is None else numbers) if self.shard(number) is None]

    def responses(self) -> "StoredResponses":
        """The responses, when no shard is missing.

        Raises:
            ArtefactError: with the numbers of those that are, or a sentence that is in none.
        """
        shards = [self.shard(number) for number in range(self.count)]
        there = [shard for shard in shards if shard is not None]
        if len(there) < self.count:
            gone = [number for number, shard in enumerate(shards) if shard is None]
            some = ", ".join(map(str, gone[:8])) + (", ..." if len(gone) > 8 else "")
            raise ArtefactError(
                f"{self.folder}: {len(gone)} of {self.count} shards are missing or damaged ({some}); run the same "
                "command again, or merge the folder that has them"
            )
        listed = [{"number": s.number, "sentences": len(s.rows), "sha256": s.sha256} for s in there]
        write_json(self.folder / "manifest.json", {"job": self._mark, "shards": listed})
        return StoredResponses(self, tuple(there))

    def take(self, other: "ResponseStore") -> int:
        """Copy the shards of another part of the same job that are missing here.

        Returns:
            How many were copied.

        Raises:
            ArtefactError: the other store is of another job.
        """
        _require_same(self.folder, self.job, other.job)
        copied = 0
        for number in self.missing():
            shard = other.shard(number)
            if shard is not None:
                join_files([other._array(number)], self._array(number))
                join_files([other._note(number)], self._note(number))
                copied += 1
        return copied

    def _array(self, number: int) -> Path:
        return self.folder / "shards" / f"{number:06d}.npy"

    def _note(self, number: int) -> Path:
        return self.folder / "shards" / f"{number:06d}.json"


@dataclass(frozen=True, eq=False)
class StoredResponses:
    """Responses that lie on disk, for `score_responses` to read a few neurons at a time.

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
        """Find each sentence."""
        held = np.concatenate([np.array(shard.rows, dtype=np.int64) for shard in self.shards])
        places = np.full(len(self.corpus), -1, dtype=np.int64)
        places[held] = np.arange(len(held))
        first: dict[str, int] = {}
        found = [places[first.setdefault(text, place)] for place, text in enumerate(self.corpus.texts)]
        if min(found) < 0:
            raise ArtefactError(f"{self.store.folder}: sentence {found.index(-1)} is in no shard; begin anew")
        object.__setattr__(self, "_places", np.array(found, dtype=np.int64))

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
        """Of the model."""
        return self.store.fingerprint

    @property
    def shape(self) -> tuple[int, int]:
        """Sentences and neurons."""
        return len(self.corpus), self.neurons.total

    def columns(self, start: int, stop: int) -> Float[np.ndarray, "sentence neuron"]:
        """The responses of some neurons to all sentences, float32."""
        # Mapped anew each time: pages that stay mapped would count as this process's memory.
        parts = [torch.from_numpy(np.array(self.store.array(shard)[start:stop])) for shard in self.shards]
        if self.store.dtype == torch.bfloat16:
            parts = [part.view(torch.bfloat16) for part in parts]
        block: NDArray[np.float32] = torch.cat([part.float() for part in parts], dim=1).numpy()
        places: NDArray[np.int64] = self._places  # type: ignore[attr-defined]
        return block[:, places].T

    def load(self) -> Responses:
        """The same in memory."""
        values = torch.from_numpy(np.ascontiguousarray(self.columns(0, self.neurons.total))).to(self.store.dtype)
        return Responses(values, self.corpus, self.neurons, self.site, self.pooling, self.fingerprint)

    def __repr__(self) -> str:
        sentences, neurons = self.shape
        return f"StoredResponses({sentences} sentences x {neurons:,} neurons of {self.site} in {self.store.folder})"


def merge_stores(folders: Sequence[str | Path]) -> StoredResponses:
    """Join the parts of one job, made on several machines, in the first folder.

    Args:
        folders: of the parts; the first one takes the others' shards.

    Raises:
        ArtefactError: a folder holds no store or that of another job, or shards are still missing then.

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


def _require_same(folder: Path, there: Job, here: Job) -> None:
    for key in sorted(set(there) | set(here)):
        if there.get(key) != here.get(key):
            raise ArtefactError(
                f"{folder} holds responses of another job: {key} is {there.get(key)!r} there and {here.get(key)!r} "
                "here; choose another folder, or delete it to begin anew"
            )
