"""Responses that go to disk as they are computed: shard by shard, by one process or by many.

Shards are cut from the sentences in the order of their length, and batches within a shard, exactly as
`collect_responses` does in memory: the same bits, whoever computes which shard.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.errors import ArtefactError, ResponseError, require_choice
from tl_experts.jobs.workers import Executor, opened, require_executor
from tl_experts.models import (
    Hook,
    Model,
    as_model,
    forward_batches,
    hook_name,
    load_model,
    model_fingerprint,
    require_same_model,
    text_batches,
)
from tl_experts.models.batches import TOKEN_BUDGET, Batch
from tl_experts.models.pooling import POOLINGS, Pooling
from tl_experts.responses.collect import DEFAULT_SITE, DTYPES, neuron_table, part_size, response_readers
from tl_experts.responses.store import ResponseStore

SAME_WEIGHTS = "the name or path of the model must mean the same weights on every machine"
"""What to do where a worker's model is another."""


def store_responses(
    model: Model | str,
    sentences: Corpus,
    folder: str | Path,
    *,
    site: str = DEFAULT_SITE,
    pooling: Pooling = "max",
    layers: Sequence[int] | None = None,
    token_budget: int = TOKEN_BUDGET,
    prepend_bos: bool | None = None,
    truncate: bool = False,
    store: torch.dtype = torch.float32,
    part: tuple[int, int] | None = None,
    executor: Executor | None = None,
    executor_options: dict[str, Any] | None = None,
    model_options: dict[str, Any] | None = None,
    progress: bool = True,
) -> ResponseStore:
    """As `collect_responses`, into a folder: memory does not grow with the sentences, and nothing done is lost.

    Called again with the same folder it makes what is missing or damaged, and nothing else.

    Args:
        model: as there, or the name or path that `load_model` takes (needed by an executor, whose workers load it).
        sentences: any corpus.
        folder: of the store; made if it is not there.
        site: see `collect_responses`, as the next five.
        pooling: see there.
        layers: see there.
        token_budget: see there.
        prepend_bos: see there.
        truncate: see there.
        store: dtype on disk: float32, float16 or bfloat16.
        part: (i, n): make only the i-th of n parts of the shards (from 1), for machines that know nothing of each
            other; join them with `merge_stores`.
        executor: ``"ray"``: data-parallel workers, see `tl_experts.jobs.workers`; None: this process.
        executor_options: of `tl_experts.jobs.workers.RayPool`: ``address``, ``workers``, ``gpus``.
        model_options: of `load_model`, where the model is a name: ``dtype``, ``n_devices``...
        progress: show a progress bar, in tokens.

    Returns:
        The store; its `ResponseStore.responses` are there when no part is missing.

    Raises:
        ArtefactError: the folder holds another job, or cannot be written.
        ResponseError: an unknown pooling or dtype, a part that does not exist, or a response that is not finite.
        TLExpertsError: as `collect_responses`.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from tl_experts import load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> with TemporaryDirectory() as folder:
        ...     store = store_responses(model, sentences, folder, part=(1, 1), progress=False)
        ...     store.missing(), store.responses().shape
        ([], (90, 7168))
    """
    require_corpus(sentences)
    require_choice(pooling, POOLINGS, "pooling", ResponseError)
    require_choice(store, DTYPES, "store", ResponseError)
    if executor is not None:
        require_executor(executor, executor_options)
        require_name(model)
    loaded = as_model(model, model_options)
    job = _job(loaded, sentences, site, pooling, layers, token_budget, prepend_bos, truncate, store)
    place = ResponseStore.begin(folder, job, sentences)
    wanted = _of_part(place.count, part)
    missing = place.missing(wanted)
    if executor is None:
        make_shards(loaded, place, missing, progress=progress)
    elif missing:
        with opened(executor, worker_loader(str(model), model_options, executor_options), executor_options) as pool:
            pool.run(_Shards(place.folder), missing, description="responses", progress=progress)
    return place


def dtype_name(dtype: torch.dtype) -> str:
    """As users write it.

    Examples:
        >>> dtype_name(torch.bfloat16)
        'bfloat16'
    """
    return str(dtype).removeprefix("torch.")


def make_shards(model: Model, store: ResponseStore, numbers: Sequence[int], *, progress: bool = True) -> None:
    """Compute shards of a store and save each when it is done.

    Raises:
        ArtefactError: the model is not the job's.
        ResponseError: a response that is not finite.
    """
    if numbers:
        _require_model_of(store, model)
        _make(model, store, _parts(model, store), numbers, progress=progress)


def require_name(model: object) -> None:
    """Refuse a loaded model where workers load it themselves.

    Raises:
        ResponseError: it is no name.
    """
    if not isinstance(model, str):
        raise ResponseError(
            "workers load the model themselves; give the name or path that load_model takes instead of a model"
        )


def worker_loader(
    name: str, model_options: Mapping[str, Any] | None, executor_options: Mapping[str, Any] | None
) -> Callable[[], Model]:
    """What each worker does first: load the model over all the GPUs that it is given.

    Args:
        name: what `load_model` takes.
        model_options: of it; where the driver puts its own model says nothing of the workers'.
        executor_options: with ``gpus``, of each worker.
    """
    mine = {key: value for key, value in (model_options or {}).items() if key not in ("device", "device_map")}
    gpus = int((executor_options or {}).get("gpus") or 0)
    return partial(load_model, name, **{**mine, "n_devices": max(1, gpus)})


def _require_model_of(store: ResponseStore, model: Model) -> None:
    require_same_model(model, store.fingerprint, f"the responses in {store.folder}", SAME_WEIGHTS)
    if dtype_name(model.cfg.dtype) != store.job["computed"]:
        raise ArtefactError(
            f"the responses in {store.folder} are computed in {store.job['computed']}, and the model is loaded in "
            f"{dtype_name(model.cfg.dtype)}; load it in the dtype of the job"
        )


def _make(
    model: Model, store: ResponseStore, parts: list[list[Batch]], numbers: Sequence[int], *, progress: bool
) -> None:
    batches = [batch for number in numbers for batch in parts[number]]
    rows_of = {number: torch.cat([batch.indices for batch in parts[number]]).tolist() for number in numbers}
    place = {row: at for rows in rows_of.values() for at, row in enumerate(rows)}
    values = torch.empty(0, store.neurons.total, dtype=store.dtype)

    def readers(batch: Batch) -> list[Hook]:
        rows = torch.tensor([place[row] for row in batch.indices.tolist()])
        return response_readers(
            batch, rows, store.neurons, store.job["site"], store.job["pooling"], store.corpus.texts, values
        )

    done: Iterator[Batch] = forward_batches(
        model,
        batches,
        readers,
        last_layer=store.neurons.layers[-1],
        last_hook=hook_name(store.neurons.layers[-1], store.job["site"]),
        description="responses",
        progress=progress,
    )
    try:
        for number in numbers:
            values.resize_(len(rows_of[number]), store.neurons.total)
            for _ in parts[number]:
                next(done)
            store.save(number, values, rows_of[number])
        next(done, None)
    finally:
        done.close()  # type: ignore[attr-defined]


class _Shards:
    """Makes shards, one a call: the work of a pool."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: tuple[ResponseStore, list[list[Batch]]] | None = None

    def __call__(self, model: Model, number: int) -> None:
        if self._opened is None:
            store = ResponseStore(self._folder)
            _require_model_of(store, model)
            self._opened = store, _parts(model, store)
        _make(model, *self._opened, [number], progress=False)


def _job(
    model: Model,
    sentences: Corpus,
    site: str,
    pooling: str,
    layers: Sequence[int] | None,
    token_budget: int,
    prepend_bos: bool | None,
    truncate: bool,
    store: torch.dtype,
) -> dict[str, Any]:
    """All that decides the responses, as JSON can hold it."""
    neurons = neuron_table(model, site, layers)
    different = len(set(sentences.texts))
    return {
        "model": model_fingerprint(model),
        "corpus": sentences.fingerprint,
        "site": site,
        "pooling": pooling,
        "layers": neurons.layers,
        "widths": neurons.widths,
        "token_budget": token_budget,
        "prepend_bos": prepend_bos,
        "truncate": truncate,
        "computed": dtype_name(model.cfg.dtype),
        "dtype": DTYPES[store],
        "sentences": part_size(neurons),
        "shards": -(-different // part_size(neurons)),
    }


def _parts(model: Model, store: ResponseStore) -> list[list[Batch]]:
    """The batches of every shard."""
    size = int(store.job["sentences"])
    batches = text_batches(
        model,
        store.corpus.texts,
        token_budget=int(store.job["token_budget"]),
        prepend_bos=store.job["prepend_bos"],
        truncate=bool(store.job["truncate"]),
        once=True,
        part=size,
    )
    parts: list[list[Batch]] = [[] for _ in range(store.count)]
    seen = 0
    for batch in batches:
        parts[seen // size].append(batch)
        seen += len(batch.indices)
    return parts


def _of_part(count: int, part: tuple[int, int] | None) -> list[int]:
    """The shards of a part: every n-th, so that long sentences are shared out evenly."""
    if part is None:
        return list(range(count))
    number, of = part
    if not 1 <= number <= of:
        raise ResponseError(f"part {number}/{of} does not exist; give i/n with i from 1 to n, such as 1/4")
    return list(range(number - 1, count, of))
