"""What the stages of a study share: model, corpora, experts and the passes of the model, each kept as it goes."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from torch import Tensor

from tl_experts.analysis.distances import LanguageDistances, Level, Medoid, language_distances
from tl_experts.corpus.readers import load_sentences
from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.embed_to_disk import spread
from tl_experts.embeddings.embeddings import Embeddings, Layer, embed_pieces
from tl_experts.errors import StudyError
from tl_experts.experts.expertise import Expertise, score_responses
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import Metric, select_experts
from tl_experts.jobs.pieces import Arrays, Shards
from tl_experts.jobs.workers import RayPool
from tl_experts.models import Model, model_fingerprint
from tl_experts.models.batches import Batching
from tl_experts.models.pooling import Pooling
from tl_experts.responses.collect import Responses, collect_pieces
from tl_experts.responses.reading import Reading
from tl_experts.steering.interventions import describe_intervention, steer
from tl_experts.steering.steering import Value
from tl_experts.study.config import StudyConfig

Row = dict[str, Any]
Tables = dict[str, list[Row]]
"""Rows by the table's name."""

Space = dict[str, Tensor]
"""Vectors by language, row by row translations of each other."""


class Bench:
    """A study at work.

    Args:
        config: its options.
        model: loaded.
        folder: where passes are kept.
        progress: show bars.
        pool: whose workers, each with the same model, run the passes; None: this process.

    Raises:
        StudyError: a target that the corpus lacks, or more experts asked for than there are neurons.
        CorpusError: the corpus cannot be read or is not aligned.
    """

    def __init__(
        self, config: StudyConfig, model: Model, folder: Path, *, progress: bool, pool: RayPool | None = None
    ) -> None:
        self.config = config
        self.model = model
        self.folder = folder
        self.progress = progress
        self.pool = pool
        self.dev = read_split(config, config.dev_split, config.dev_rows)
        self.test = read_split(config, config.test_split, config.test_rows)
        self.dev.require_disjoint(self.test)
        self.languages = config.languages or self.test.languages
        self.test = self.test.only(self.languages)
        self.probe = self.dev.only(config.probe_languages) if config.probe_languages else self.dev
        for target in config.targets:
            if target not in self.languages or target not in self.probe.languages:
                raise StudyError(
                    f"target {target!r} is not in both splits; they share "
                    f"{', '.join(language for language in self.probe.languages if language in self.languages)}"
                )
        self.fingerprint = model_fingerprint(model)
        self.chosen_k: dict[str, int] = {}
        """Experts of each target, once it is settled."""

    @cached_property
    def responses(self) -> Responses:
        """Of the probe sentences."""
        job = {
            "site": self.config.site,
            "pooling": self.config.pooling,
            "response_dtype": self.config.response_dtype,
        }
        reading = Reading(
            site=self.config.site,
            pooling=cast("Pooling", self.config.pooling),
            dtype=self.config.response_dtype,
            batching=Batching(truncate=True),
        )
        run = partial(collect_pieces, sentences=self.probe, reading=reading)
        shards = self._shards("responses", self.probe, job, run)
        return run(self.model, shards=shards, progress=self.progress)

    @cached_property
    def expertise(self) -> Expertise:
        """Of every neuron."""
        return score_responses(self.responses, progress=self.progress)

    @cached_property
    def candidates(self) -> Experts:
        """The best neurons of every language, as many as any stage asks for."""
        if self.config.most > self.expertise.neurons.total:
            raise StudyError(
                f"{self.config.most} experts are asked for, but there are {self.expertise.neurons.total} neurons; "
                "lower k and sweep_k"
            )
        return select_experts(self.expertise, k=self.config.most, metric=cast("Metric", self.config.metric))

    def experts(self, target: str, k: int | None = None) -> Experts:
        """The experts of a target, as many as the study settled on or k."""
        return self.candidates[target].head(k or self.chosen_k[target])

    def space(self, experts: Experts | None = None) -> Space:
        """The test sentences by the last layer, pre (None) or under an intervention."""
        return self.embed(self.test, experts)

    def embed(self, corpus: Corpus, experts: Experts | None = None) -> Space:
        """Aligned sentences by the last layer; a pass that was made before is read back."""
        return self._embed(corpus, [None], experts)[None].parallel()

    def each_layer(self, corpus: Corpus, layers: Sequence[Layer]) -> Iterator[tuple[Layer, Space]]:
        """Aligned sentences by one layer after the other, of one pass: all at once may not fit into memory."""
        with TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as scratch:
            for layer, embeddings in self._embed(corpus, layers, scratch=Path(scratch)).items():
                yield layer, embeddings.parallel()

    def _embed(
        self, corpus: Corpus, layers: Sequence[Layer], experts: Experts | None = None, scratch: Path | None = None
    ) -> dict[Layer, Embeddings]:
        job = {"layers": [str(layer) for layer in layers], "intervention": self.describe(experts)}
        run = partial(embed_pieces, sentences=corpus, layers=layers, batching=Batching(truncate=True))
        with self.steered(experts):
            return run(
                self.model,
                shards=self._shards("embeddings", corpus, job, run, experts),
                scratch=scratch,
                description="embeddings" if experts is None else f"embeddings, {experts.languages[0]} steered",
                progress=self.progress,
            )

    def steered(self, experts: Experts | None) -> Any:
        """The context in which the model is steered as the study is asked to."""
        if experts is None:
            return nullcontext()
        return steer(self.model, experts, value=cast("Value", self.config.value))

    def describe(self, experts: Experts | None) -> str:
        """Everything that decides an intervention: which neurons, which values."""
        return describe_intervention(experts, self.config.value)

    def keep(self, what: str, job: Row) -> Shards:
        """A place for pieces of work of another kind, named by all that decides them."""
        # 2: a repeated sentence is run once. Pieces of an earlier cut would not fit.
        full = {"kind": what, "batches": 2, "fingerprint": self.fingerprint, "dtype": self.config.dtype, **job}
        name = hashlib.sha256(repr(sorted(full.items())).encode()).hexdigest()[:16]
        return Shards(self.folder / "passes" / f"{what}-{name}", full)

    def once(self, what: str, job: Row, make: Callable[[], Arrays]) -> Arrays:
        """A piece of work, or what was kept of it."""
        shards = self.keep(what, job)
        kept = shards.load(0)
        if kept is None:
            kept = make()
            shards.save(0, kept)
        return kept

    def distances(self, vectors: Space) -> LanguageDistances:
        """Distances as the study reads the paper's text."""
        level, medoid = cast("Level", self.config.distance_level), cast("Medoid", self.config.medoid)
        return language_distances(vectors, level=level, medoid=medoid)

    def _shards(
        self, what: str, corpus: Corpus, job: Row, run: Callable[..., object], experts: Experts | None = None
    ) -> Shards:
        shards = self.keep(what, {"corpus": corpus.fingerprint, **job})
        if self.pool is not None:
            value = cast("Value", self.config.value)
            spread(self.pool, shards, run, self.fingerprint, experts, value=value, progress=self.progress)
        return shards


def read_split(config: StudyConfig, split: str, rows: int | None) -> Corpus:
    """A split of the study's corpus: of ``"bundled"``, a table or a hub name; of a folder, the folder of that name."""
    source = Path(config.corpus)
    if source.is_dir():
        return load_sentences(source / split, aligned=True, limit=rows)
    if source.is_file():
        # The rows of a table are those of all its splits: cut after choosing.
        whole = load_sentences(source, split=split)
        return whole if rows is None else whole.head(rows)
    return load_sentences(config.corpus, split=split, limit=rows)
