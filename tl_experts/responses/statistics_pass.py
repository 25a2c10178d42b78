"""Statistics of tokens from one pass of the model, alone or beside the pooled responses.

Each hook adds one layer's activations of one batch to sums by language, so that no more than that is ever held.
Repeated sentences are run once and weighted by their number.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.errors import SiteError
from tl_experts.models import Hook, Model, ModelLike, as_model, model_fingerprint
from tl_experts.models.batches import Batch, fill_repeats
from tl_experts.models.hooks import RESIDUAL
from tl_experts.responses.collect import Responses, in_parts, neuron_table, part_size, response_readers, run_parts
from tl_experts.responses.reading import DEFAULT_READING, Reading
from tl_experts.responses.token_statistics import TokenStatistics
from tl_experts.responses.token_sums import TokenCounter, gate_acts, gate_site


def collect_statistics(
    model: ModelLike,
    sentences: Corpus,
    *,
    reading: Reading = DEFAULT_READING,
    quantiles: bool = False,
    progress: bool = True,
) -> TokenStatistics:
    """Run the sentences through the model once and sum the activations of a site over the tokens of each language.

    The result depends on neither batches nor padding: counts are exact wherever activations are, sums are to float
    tolerance.

    Args:
        model: from `load_model`, any `HookedTransformer` or `TransformerBridge`, or what `load_model` takes.
        sentences: any corpus.
        reading: site, layers and batching; pooling and dtype are of responses.
        quantiles: also count the activations in 400 fixed bins (`TokenStatistics.quantile`; scoring ``"dln"``). This
            takes 1.6 kB for each neuron and language, twice that for a gated MLP, and about as long as the pass itself.
            Where the activations at all tokens fit in 1 GiB (`tl_experts.responses.exact.EXACT_BYTES`), they are kept
            too, and quantiles are exact (`TokenStatistics.exact`).
        progress: show a progress bar, in tokens.

    Raises:
        SiteError: the model lacks the site or a layer.
        ResponseError: an activation is not finite (naming layer, neuron, sentence).
        ModelError: a sentence without a token or longer than the context.

    Examples:
        >>> from tl_experts import load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> collect_statistics(model, sentences, progress=False).over_zero.shape
        (9, 7168)
    """
    loaded = as_model(model)
    require_corpus(sentences)
    (statistics,) = _collect(loaded, sentences, [reading], None, quantiles=quantiles, progress=progress)
    return statistics


def collect_both(
    model: ModelLike,
    sentences: Corpus,
    *,
    reading: Reading = DEFAULT_READING,
    quantiles: bool = False,
    progress: bool = True,
) -> tuple[Responses, TokenStatistics]:
    """`collect_responses` and `collect_statistics` from one pass of the model.

    Args:
        model: as there.
        sentences: any corpus.
        reading: as in `collect_responses`.
        quantiles: as in `collect_statistics`.
        progress: show a progress bar, in tokens.

    Returns:
        The responses, the same bits as `collect_responses` gives, and the statistics.

    Raises:
        TLExpertsError: as there.

    Examples:
        >>> from tl_experts import load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> responses, statistics = collect_both(model, sentences, progress=False)
        >>> responses.neurons == statistics.neurons
        True
    """
    responses, statistics = _with_responses(
        as_model(model), sentences, [reading], quantiles=quantiles, progress=progress
    )
    return responses, statistics


def collect_for_steering(
    model: ModelLike,
    sentences: Corpus,
    *,
    reading: Reading = DEFAULT_READING,
    quantiles: bool = False,
    progress: bool = True,
) -> tuple[Responses, TokenStatistics, TokenStatistics]:
    """All that `tune` and `tune_alignment` choose from, in one pass of the model: for neurons and for language vectors.

    Args:
        model: as in `collect_responses`.
        sentences: any corpus.
        reading: as in `collect_both`; of the residual stream, the same layers are read.
        quantiles: as in `collect_both`; of the neurons only.
        progress: show a progress bar, in tokens.

    Returns:
        What `collect_both` returns, and the statistics of the residual stream behind each layer (``hook_resid_post``).

    Raises:
        SiteError: the reading is itself of the residual stream.
        TLExpertsError: as in `collect_both`.

    Examples:
        >>> from tl_experts import load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> *_, residual = collect_for_steering(model, sentences, progress=False)
        >>> residual.site, residual.over_zero.shape
        ('hook_resid_post', (9, 2048))
    """
    if reading.site == RESIDUAL:
        raise SiteError(f"reading.site is {RESIDUAL!r}, which is read anyway; give that of neurons, 'mlp.hook_post'")
    residual = Reading(site=RESIDUAL, layers=reading.layers, batching=reading.batching)
    responses, neurons, stream = _with_responses(
        as_model(model), sentences, [reading, residual], quantiles=quantiles, progress=progress
    )
    return responses, neurons, stream


def _with_responses(
    model: Model, sentences: Corpus, readings: Sequence[Reading], *, quantiles: bool, progress: bool
) -> tuple[Any, ...]:
    """The responses of the first reading, and the statistics of each."""
    require_corpus(sentences)
    reading, neurons = readings[0], neuron_table(model, readings[0])
    values = torch.empty(len(sentences), neurons.total, dtype=reading.torch_dtype)
    statistics = _collect(model, sentences, readings, values, quantiles=quantiles, progress=progress)
    fill_repeats(values, sentences.texts)
    responses = Responses(values, sentences, neurons, reading.site, reading.pooling, statistics[0].fingerprint)
    return responses, *statistics


def _collect(
    model: Model,
    sentences: Corpus,
    readings: Sequence[Reading],
    values: Float[Tensor, "sentence neuron"] | None,
    *,
    quantiles: bool,
    progress: bool,
) -> list[TokenStatistics]:
    """One pass for readings of the same layers, each of a site behind those before it.

    `values`, where given, is filled with responses of the first; it alone has quantiles.
    """
    counters = [_counter(model, sentences, one, quantiles and one is readings[0]) for one in readings]
    sums = [(counter.zeros(), counter.zeros()) for counter in counters]
    reading, neurons = readings[0], counters[0].neurons
    size = min(part_size(counter.neurons) for counter in counters)
    parts = in_parts(model, sentences.texts, reading.batching, size)
    batches = [batch for one in parts for batch in one]
    rooms = [counter.room(batches) if counter.keeps(batches) else None for counter in counters]

    def readers(batch: Batch) -> list[Hook]:
        hooks = [
            hook
            for counter, (_, part), room in zip(counters, sums, rooms, strict=True)
            for hook in counter.readers(batch, part, room)
        ]
        if values is not None:
            hooks += response_readers(batch, batch.indices, neurons, reading, sentences.texts, values)
        return hooks

    description = "statistics" if values is None else "responses"
    last = {"neurons": counters[-1].neurons, "site": readings[-1].site}
    for _ in run_parts(model, parts, readers=readers, description=description, progress=progress, **last):
        for whole, part in sums:
            whole.add(part)
            part.clear()
    fingerprint = model_fingerprint(model)
    return [
        counter.statistics(whole, fingerprint, None if room is None else room.ascending())
        for counter, (whole, _), room in zip(counters, sums, rooms, strict=True)
    ]


def _counter(model: Model, sentences: Corpus, reading: Reading, quantiles: bool) -> TokenCounter:
    neurons = neuron_table(model, reading)
    acts = gate_acts(model, neurons, reading.site) if quantiles else {}
    return TokenCounter(sentences, neurons, reading.site, gate_site(model, reading.site), quantiles, acts)
