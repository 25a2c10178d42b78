"""What the stages of a study share: model, sentences, experts and the passes of the model, which are kept on disk."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import Tensor

from tl_experts.analysis.distances import LanguageDistances, language_distances
from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.embeddings import Embeddings, Layer, embed_pieces
from tl_experts.embeddings.passes import KeptPass
from tl_experts.errors import StudyError
from tl_experts.experts.expertise import Expertise, score_responses
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import select_experts
from tl_experts.jobs.job import Job
from tl_experts.jobs.pieces import Arrays, Pieces
from tl_experts.jobs.workers import RayPool
from tl_experts.models import Model, model_fingerprint
from tl_experts.models.batches import CUT, Batching
from tl_experts.responses.collect import Responses, collect_pieces
from tl_experts.responses.reading import Reading
from tl_experts.steering.interventions import describe_intervention, steer
from tl_experts.study.config import StudyConfig
from tl_experts.study.splits import Splits

Row = dict[str, Any]
Tables = dict[str, list[Row]]
"""Rows by the table's name."""

Space = dict[str, Tensor]
"""Vectors by language, row by row translations of each other."""


class Bench:
    """A study at work.

    Args:
        config: options of the study.
        splits: its sentences.
        model: its model, loaded.
        folder: where passes are kept.
        progress: show progress bars.
        pool: workers, each with the same model, which run the passes; None: this process runs them.
        candidates: the experts to choose from, if another process has found them; None: they are found when needed.
        chosen_k: experts per target, once the sweep has settled them.
    """

    def __init__(
        self,
        config: StudyConfig,
        splits: Splits,
        model: Model,
        folder: Path,
        *,
        progress: bool,
        pool: RayPool | None = None,
        candidates: Experts | None = None,
        chosen_k: Mapping[str, int] | None = None,
    ) -> None:
        self.config = config
        self.dev, self.probe, self.test = splits.dev, splits.probe, splits.test
        self.languages = splits.languages
        self.model = model
        self.folder = folder
        self.progress = progress
        self.pool = pool
        self.fingerprint = model_fingerprint(model)
        self.chosen_k = dict(chosen_k or {})
        self._given_candidates = candidates

    def settled(self, chosen_k: Mapping[str, int]) -> "Bench":
        """The same bench with the number of experts of each target settled; what it has computed is shared."""
        bench = copy.copy(self)
        bench.chosen_k = dict(chosen_k)
        return bench

    @cached_property
    def responses(self) -> Responses:
        """The responses to the probe sentences."""
        reading = Reading(
            site=self.config.site,
            pooling=self.config.pooling,
            dtype=self.config.response_dtype,
            batching=Batching(truncate=True),
        )
        job = {"site": reading.site, "pooling": reading.pooling, "response_dtype": self.config.response_dtype}
        compute = partial(collect_pieces, sentences=self.probe, reading=reading)
        kept = self._pass("responses", self.probe, job, compute)
        responses: Responses = kept.run(self.model, self.pool, progress=self.progress)
        return responses

    @cached_property
    def expertise(self) -> Expertise:
        """The expertise of every neuron."""
        return score_responses(self.responses, progress=self.progress)

    @cached_property
    def candidates(self) -> Experts:
        """The best neurons of every language, as many as any stage asks for.

        Raises:
            StudyError: the model has fewer neurons.
        """
        if self._given_candidates is not None:
            return self._given_candidates
        if self.config.most > self.expertise.neurons.total:
            raise StudyError(
                f"{self.config.most} experts are asked for, but there are {self.expertise.neurons.total} neurons; "
                "lower k and sweep_k"
            )
        return select_experts(self.expertise, k=self.config.most, scoring=self.config.metric)

    def experts(self, target: str, k: int | None = None) -> Experts:
        """The experts of a target: k, or as many as the sweep has settled."""
        return self.candidates[target].head(k or self.chosen_k[target])

    def space(self, experts: Experts | None = None) -> Space:
        """Embeddings of the test sentences by the last layer, without (None) or with an intervention."""
        return self.embed(self.test, experts)

    def embed(self, corpus: Corpus, experts: Experts | None = None) -> Space:
        """Embeddings of aligned sentences by the last layer. An earlier pass is read back."""
        return self._embed(corpus, [None], experts)[None].parallel()

    def each_layer(self, corpus: Corpus, layers: Sequence[Layer]) -> Iterator[tuple[Layer, Space]]:
        """Embeddings of aligned sentences by several layers of one pass, one after the other.

        Together they may not fit into memory: they are mapped from files.
        """
        with TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as scratch:
            for layer, embeddings in self._embed(corpus, layers, scratch=Path(scratch)).items():
                yield layer, embeddings.parallel()

    def _embed(
        self, corpus: Corpus, layers: Sequence[Layer], experts: Experts | None = None, scratch: Path | None = None
    ) -> dict[Layer, Embeddings]:
        job = {"layers": [str(layer) for layer in layers], "intervention": self.describe(experts)}
        compute = partial(embed_pieces, sentences=corpus, layers=layers, batching=Batching(truncate=True))
        description = "embeddings" if experts is None else f"embeddings, {experts.languages[0]} steered"
        kept = self._pass("embeddings", corpus, job, compute, experts)
        embeddings: dict[Layer, Embeddings] = kept.run(
            self.model, self.pool, progress=self.progress, scratch=scratch, description=description
        )
        return embeddings

    def steered(self, experts: Experts | None) -> AbstractContextManager[object]:
        """The context in which the model is steered as the configuration says; None: no intervention."""
        return nullcontext() if experts is None else steer(self.model, experts, value=self.config.value)

    def describe(self, experts: Experts | None) -> str:
        """Everything that decides an intervention: which neurons, which values."""
        return describe_intervention(experts, self.config.value)

    def once(self, what: str, job: Row, compute: Callable[[], Arrays]) -> Arrays:
        """The arrays of a piece of work, computed once and then read back."""
        full = self._job(what, job)
        return Pieces(self._folder_of(full), full).once(0, compute)

    def distances(self, vectors: Space) -> LanguageDistances:
        """Distances between languages, as the configuration reads the paper's text."""
        return language_distances(vectors, level=self.config.distance_level, medoid=self.config.medoid)

    def _pass(
        self, what: str, corpus: Corpus, job: Row, compute: Callable[..., Any], experts: Experts | None = None
    ) -> KeptPass:
        full = self._job(what, {"corpus": corpus.fingerprint, **job})
        return KeptPass(compute, self._folder_of(full), full, self.fingerprint, experts, self.config.value)

    def _job(self, what: str, document: Row) -> Job:
        return Job(
            {"kind": what, "batches": CUT, "fingerprint": self.fingerprint, "dtype": self.config.dtype, **document}
        )

    def _folder_of(self, job: Job) -> Path:
        return self.folder / "passes" / f"{job.document['kind']}-{job.mark[:16]}"
