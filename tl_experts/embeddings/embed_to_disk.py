"""Passes of the model whose batches are kept in a folder, and made by one process or by many."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.embeddings.embeddings import Embeddings, Layer, block_numbers, embed_pieces
from tl_experts.errors import InterventionError
from tl_experts.experts.experts import Experts
from tl_experts.jobs.pieces import Shards
from tl_experts.jobs.workers import RayPool, Workers, opened
from tl_experts.models import Model, ModelLike, as_model, model_fingerprint, require_same_model
from tl_experts.models.batches import DEFAULT_BATCHING, Batching
from tl_experts.models.dtypes import dtype_name
from tl_experts.responses.collect_to_disk import SAME_WEIGHTS, worker_loader
from tl_experts.steering.interventions import describe_intervention, steer
from tl_experts.steering.steering import Value

CHUNKS = 4
"""Pieces of work that a worker gets, one after the other: each begins by making the batches of the whole pass."""


def store_embeddings(
    model: ModelLike,
    sentences: Corpus,
    folder: str | Path,
    *,
    layers: Sequence[Layer] = (None,),
    experts: Experts | None = None,
    value: Value = "mean",
    batching: Batching = DEFAULT_BATCHING,
    workers: Workers | None = None,
    progress: bool = True,
) -> dict[Layer, Embeddings]:
    """As `embed_layers`, with each batch kept in a folder: called again, it computes what is missing or damaged.

    Args:
        model: not inside `steer`, which the saved job cannot record; its name, folder or a `ModelSource` where workers
            are to load it.
        sentences: any corpus.
        folder: made if it does not exist.
        layers: block numbers, negative ones from the end; None is the last hidden state, after the final norm.
        experts: of one language, set while the model reads; None: no intervention.
        value: what they are set to: see `steer`.
        batching: how the text is batched.
        workers: data-parallel Ray workers, which load the model themselves; None: this process.
        progress: show a progress bar.

    Returns:
        `Embeddings` by the layers as given; the same bits, whoever computed which batch.

    Raises:
        ArtefactError: the folder holds another job, or cannot be written.
        InterventionError: the model has hooks already, or the experts are of several languages.
        ModelError: a loaded model where workers need its name.
        TLExpertsError: as `embed_layers`.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from tl_experts import load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> with TemporaryDirectory() as folder:
        ...     found = store_embeddings(model, sentences, folder, layers=[4, None], progress=False)
        >>> tuple(found[None].parallel()["en"].shape)
        (10, 256)
    """
    require_corpus(sentences)
    load = None if workers is None else worker_loader(model, workers)
    loaded = as_model(model)
    run = partial(embed_pieces, sentences=sentences, layers=list(layers), batching=batching)
    block_numbers(loaded, layers)  # refused before anything is written
    context = nullcontext() if experts is None else steer(loaded, experts, value=value)
    fingerprint = model_fingerprint(loaded)
    _require_no_hooks(loaded)
    with context:
        job = {
            "kind": "embeddings",
            "model": fingerprint,
            "dtype": dtype_name(loaded.cfg.dtype),
            "corpus": sentences.fingerprint,
            "layers": [str(layer) for layer in layers],
            "intervention": describe_intervention(experts, value),
            "batching": asdict(batching),
        }
        shards = Shards(folder, job)
        if workers is None or load is None:
            return run(loaded, shards=shards, progress=progress)
        with opened(workers, load) as pool:
            spread(pool, shards, run, fingerprint, experts, value=value, progress=progress)
            return run(loaded, shards=shards, progress=progress)


def spread(
    pool: RayPool,
    shards: Shards,
    run: Callable[..., object],
    fingerprint: dict[str, str],
    experts: Experts | None = None,
    *,
    value: Value = "mean",
    progress: bool = True,
) -> None:
    """Have a pool's workers make the missing pieces of a pass, when it is run.

    Args:
        pool: whose workers have loaded the model.
        shards: of the pass.
        run: the pass, given a model, ``shards`` and ``progress``; it is pickled.
        fingerprint: of the model.
        experts: the intervention.
        value: what they are set to.
        progress: show a progress bar.
    """

    def make(numbers: Sequence[int]) -> None:
        count = min(len(numbers), CHUNKS * pool.workers)
        chunks = [chunk.tolist() for chunk in np.array_split(np.array(numbers), count)]
        folder, job = shards.place
        work = _Pieces(run, folder.resolve(), job, chunks, fingerprint, experts, value)
        pool.run(work, range(count), description=str(job.get("kind", "pieces")), progress=progress)

    shards.elsewhere = make


@dataclass(frozen=True)
class _Pieces:
    """The work of a pool: each number is some pieces of a pass."""

    run: Callable[..., object]
    folder: Path
    job: dict[str, Any]
    chunks: list[list[int]]
    fingerprint: dict[str, str]
    experts: Experts | None
    value: Value

    def __call__(self, model: Model, number: int) -> None:
        require_same_model(model, self.fingerprint, "the pieces of this job", SAME_WEIGHTS)
        shards = Shards(self.folder, self.job, only=frozenset(self.chunks[number]))
        with nullcontext() if self.experts is None else steer(model, self.experts, value=self.value):
            self.run(model, shards=shards, progress=False)


def _require_no_hooks(model: Model) -> None:
    busy = [name for name, point in model.hook_dict.items() if point.fwd_hooks]
    if busy:
        raise InterventionError(
            f"the model carries a hook at {busy[0]!r}, and the folder could not tell what it does; give experts= "
            "instead of calling inside `steer`, and model.reset_hooks() removes what was left"
        )
