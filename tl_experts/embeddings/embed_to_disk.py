"""Embeddings whose batches are kept in a folder, computed by one process or by many."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.embeddings.embeddings import Embeddings, Layer, block_numbers, embed_pieces
from tl_experts.embeddings.passes import KeptPass
from tl_experts.experts.experts import Experts
from tl_experts.jobs.job import Job
from tl_experts.jobs.paths import user_path
from tl_experts.jobs.workers import Workers, opened
from tl_experts.models import (
    ModelLike,
    as_model,
    explain_model_difference,
    model_fingerprint,
    require_no_hooks,
)
from tl_experts.models.batches import CUT, DEFAULT_BATCHING, Batching
from tl_experts.models.dtypes import dtype_name
from tl_experts.responses.collect_to_disk import worker_loader
from tl_experts.steering.interventions import describe_intervention
from tl_experts.steering.steering import Value


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
        model: not inside `steer`, which the saved job cannot record; its name, folder or a `ModelSource` if workers
            are to load it.
        sentences: any corpus.
        folder: created if it is missing.
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
        ModelError: the model is loaded already, but workers need its name.
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
    block_numbers(loaded, layers)  # invalid layers raise before anything is written
    require_no_hooks(loaded, "Pass experts= instead of calling this inside `steer`")
    document = {
        "kind": "embeddings",
        "model": model_fingerprint(loaded),
        "dtype": dtype_name(loaded.cfg.dtype),
        "corpus": sentences.fingerprint,
        "layers": [str(layer) for layer in layers],
        "intervention": describe_intervention(experts, value),
        "batching": asdict(batching),
        "batches": CUT,
    }
    kept = KeptPass(
        partial(embed_pieces, sentences=sentences, layers=list(layers), batching=batching),
        user_path(folder),
        Job(document, explain_model_difference),
        model_fingerprint(loaded),
        experts,
        value,
    )
    with nullcontext() if workers is None or load is None else opened(workers, load) as pool:
        embeddings: dict[Layer, Embeddings] = kept.run(loaded, pool, progress=progress)
    return embeddings
