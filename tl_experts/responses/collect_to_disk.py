"""Responses that are written to disk as they are computed: shard by shard, by one process or by many.

Sentences are cut into shards, and shards into batches, in the order of their length, exactly as `collect_responses`
does in memory. The bits are therefore the same, whichever process computes a shard.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.errors import ArtefactError, ResponseError
from tl_experts.jobs.job import Job
from tl_experts.jobs.workers import RayPool, Workers, opened, require_workers
from tl_experts.models import (
    Hook,
    Model,
    ModelLike,
    as_model,
    explain_model_difference,
    model_fingerprint,
    model_source,
    require_no_hooks,
    require_same_model,
)
from tl_experts.models.batches import Batch
from tl_experts.models.dtypes import dtype_name
from tl_experts.responses.collect import in_parts, neuron_table, part_size, response_readers, run_parts
from tl_experts.responses.reading import DEFAULT_READING, Reading
from tl_experts.responses.store import ResponseStore
from tl_experts.responses.token_sums import gate_acts, gate_site

SAME_WEIGHTS = "the name or path of the model must mean the same weights on every machine"
"""What to do if a worker's model is another."""


def store_responses(
    model: ModelLike,
    sentences: Corpus,
    folder: str | Path,
    *,
    reading: Reading = DEFAULT_READING,
    statistics: bool = False,
    quantiles: bool = False,
    part: tuple[int, int] | None = None,
    workers: Workers | None = None,
    progress: bool = True,
) -> ResponseStore:
    """As `collect_responses`, into a folder: memory does not grow with the sentences, and finished shards are kept.

    Called again with the same folder, it computes only what is missing or damaged.

    Args:
        model: as there; its name, its folder or a `ModelSource` if workers are to load it.
        sentences: any corpus.
        folder: folder of the store; created if it is missing.
        reading: see `collect_responses`; its dtype is the dtype on disk.
        statistics: also keep statistics of tokens, from the same pass: `ResponseStore.statistics`. They take 32 bytes
            for each neuron and language in every shard. In a folder that lacks them, the sentences are run again.
        quantiles: statistics with counts for quantiles (`collect_statistics`), 1.6 or 3.2 kB more, and with the
            activations at all tokens where those of the whole corpus fit in 1 GiB.
        part: (i, n): compute only the i-th of n parts of the shards (from 1), for machines that do not know of each
            other; join the parts with `merge_stores`.
        workers: data-parallel Ray workers, which load the model themselves; None: this process.
        progress: show a progress bar, in tokens.

    Returns:
        The store; its `ResponseStore.responses` are available once no part is missing.

    Raises:
        ArtefactError: the folder holds another job, or cannot be written.
        ResponseError: the part does not exist, or a response is not finite.
        ModelError: the model is loaded already, but workers need its name.
        InterventionError: the model has hooks, as inside `steer`.
        TLExpertsError: as `collect_responses`.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from tl_experts import load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> with TemporaryDirectory() as folder:
        ...     store = store_responses(model, sentences, folder, statistics=True, progress=False)
        ...     store.missing(), store.responses().shape, store.statistics().mean.shape
        ([], (90, 7168), (9, 7168))
    """
    require_corpus(sentences)
    load = None if workers is None else worker_loader(model, workers)
    loaded = as_model(model)
    statistics = statistics or quantiles
    store = begin_store(loaded, sentences, folder, reading, statistics=statistics)
    fill_store(
        store,
        loaded,
        statistics=statistics,
        quantiles=quantiles,
        part=part,
        workers=workers,
        load=load,
        progress=progress,
    )
    return store


def begin_store(
    model: Model, sentences: Corpus, folder: str | Path, reading: Reading, *, statistics: bool = False
) -> ResponseStore:
    """The store of these responses, and of statistics of tokens where they are asked for, begun or opened.

    Raises:
        ArtefactError: the folder holds another job, or cannot be written.
        InterventionError: the model has hooks.
    """
    require_corpus(sentences)
    require_no_hooks(model, "Call this outside `steer`, or collect in memory")
    store = ResponseStore.begin(folder, _job(model, sentences, reading), sentences)
    if statistics:
        store.begin_statistics(gate_site(model, reading.site))
    return store


def fill_store(
    store: ResponseStore,
    model: Model,
    *,
    statistics: bool = False,
    quantiles: bool = False,
    part: tuple[int, int] | None = None,
    workers: Workers | None = None,
    load: Callable[[], Model] | None = None,
    progress: bool = True,
) -> None:
    """Compute the missing shards of a store, in this process or by workers.

    Args:
        store: the store.
        model: the model of the job.
        statistics: compute statistics of tokens too, which `begin_store` has begun.
        quantiles: the same with counts for quantiles.
        part: see `store_responses`.
        workers: see `store_responses`.
        load: what each worker calls to load the model.
        progress: show a progress bar.

    Raises:
        ArtefactError: the model is not the job's.
        ResponseError: a response is not finite.
    """
    missing = store.missing(_of_part(store.count, part), statistics=statistics, quantiles=quantiles)
    kept = {"statistics": statistics, "quantiles": quantiles}
    if not missing:
        return
    if workers is None or load is None:
        _require_model_of(store, model)
        _compute(model, store, _parts(model, store), missing, **kept, progress=progress)
    else:
        work = partial(_open_store, store.folder.resolve(), kept)
        with opened(workers, load) as pool:
            pool.run(work, missing, description="responses", progress=progress)


def _open_store(folder: Path, kept: dict[str, bool], model: Model) -> Callable[[int], None]:
    """What computes a shard on a worker."""
    store = ResponseStore(folder)
    _require_model_of(store, model)
    parts = _parts(model, store)
    return lambda number: _compute(model, store, parts, [number], **kept, progress=False)


def worker_loader(model: ModelLike, workers: Workers) -> Callable[[], Model]:
    """What each worker does first: load the model over all the GPUs that it owns.

    Raises:
        ModelError: a loaded model; workers cannot tell from where it came.
        TLExpertsError: as `require_workers`.
    """
    require_workers(workers)
    source = model_source(model)
    return source.on_worker(0 if isinstance(workers, RayPool) else workers.gpus).load


def _require_model_of(store: ResponseStore, model: Model) -> None:
    require_same_model(model, store.fingerprint, f"the responses in {store.folder}", SAME_WEIGHTS)
    computed = store.job.document["computed"]
    if dtype_name(model.cfg.dtype) != computed:
        raise ArtefactError(
            f"the responses in {store.folder} are computed in {computed}, and the model is loaded in "
            f"{dtype_name(model.cfg.dtype)}; load it in the dtype of the job"
        )


def _compute(
    model: Model,
    store: ResponseStore,
    parts: list[list[Batch]],
    numbers: Sequence[int],
    *,
    statistics: bool,
    quantiles: bool,
    progress: bool,
) -> None:
    chosen = [parts[number] for number in numbers]
    rows_of = [torch.cat([batch.indices for batch in part]).tolist() for part in chosen]
    row_in_shard = {row: index for rows in rows_of for index, row in enumerate(rows)}
    values = torch.empty(max(map(len, rows_of)), store.neurons.total, dtype=store.dtype)
    kept = store.kept_sums(quantiles=quantiles) if statistics else None
    acts = gate_acts(model, store.neurons, store.reading.site) if quantiles else {}
    counter = None if kept is None else replace(kept.counter, acts=acts)
    sums = None if counter is None else counter.zeros()
    # Decided by the whole corpus, so that every shard is treated alike.
    whole = counter is not None and counter.keeps(batch for part in parts for batch in part)
    rooms = (counter.room(part) if counter is not None and whole else None for part in chosen)
    room = next(rooms, None)

    def readers(batch: Batch) -> list[Hook]:
        rows = torch.tensor([row_in_shard[row] for row in batch.indices.tolist()])
        hooks = response_readers(batch, rows, store.neurons, store.reading, store.corpus.texts, values)
        return hooks if counter is None or sums is None else [*counter.readers(batch, sums, room), *hooks]

    options = {"neurons": store.neurons, "site": store.reading.site, "readers": readers, "progress": progress}
    for index in run_parts(model, chosen, **options):
        if kept is not None and sums is not None:
            kept.save(numbers[index], sums, None if room is None else room.ascending())
            sums.clear()
            room = next(rooms, None)
        store.save(numbers[index], values[: len(rows_of[index])], rows_of[index])


def _job(model: Model, sentences: Corpus, reading: Reading) -> Job:
    """Everything that decides the responses."""
    neurons = neuron_table(model, reading)
    different = len(set(sentences.texts))
    document = {
        "model": model_fingerprint(model),
        "corpus": sentences.fingerprint,
        "site": reading.site,
        "pooling": reading.pooling,
        "layers": neurons.layers,
        "widths": neurons.widths,
        "batching": asdict(reading.batching),
        "computed": dtype_name(model.cfg.dtype),
        "dtype": reading.dtype,
        "sentences": part_size(neurons),
        "shards": -(-different // part_size(neurons)),
    }
    return Job(document, explain_model_difference)


def _parts(model: Model, store: ResponseStore) -> list[list[Batch]]:
    """The batches of every shard."""
    return in_parts(model, store.corpus.texts, store.reading.batching, int(store.job.document["sentences"]))


def _of_part(count: int, part: tuple[int, int] | None) -> list[int]:
    """The shards of a part: every n-th, so that parts get equally long sentences."""
    if part is None:
        return list(range(count))
    number, of = part
    if not 1 <= number <= of:
        raise ResponseError(f"part {number}/{of} does not exist; give i/n with i from 1 to n, such as 1/4")
    return list(range(number - 1, count, of))
