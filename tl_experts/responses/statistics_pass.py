"""Statistics of tokens from one pass of the model, alone or beside the pooled responses.

Each hook adds one layer's activations of one batch to sums by language, so that no more than that is ever held.
Repeated sentences are run once and weighted by their number.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.models import Hook, Model, ModelLike, as_model, model_fingerprint
from tl_experts.models.batches import Batch, fill_repeats
from tl_experts.responses.collect import Responses, in_parts, neuron_table, part_size, response_readers, run_parts
from tl_experts.responses.neurons import NeuronTable
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
    return _collect(
        loaded, sentences, reading, neuron_table(loaded, reading), None, quantiles=quantiles, progress=progress
    )


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
    loaded = as_model(model)
    require_corpus(sentences)
    neurons = neuron_table(loaded, reading)
    values = torch.empty(len(sentences), neurons.total, dtype=reading.torch_dtype)
    statistics = _collect(loaded, sentences, reading, neurons, values, quantiles=quantiles, progress=progress)
    fill_repeats(values, sentences.texts)
    responses = Responses(values, sentences, neurons, reading.site, reading.pooling, model_fingerprint(loaded))
    return responses, statistics


def _collect(
    model: Model,
    sentences: Corpus,
    reading: Reading,
    neurons: NeuronTable,
    values: Float[Tensor, "sentence neuron"] | None,
    *,
    quantiles: bool,
    progress: bool,
) -> TokenStatistics:
    """One pass; `values`, where given, is filled with responses."""
    acts = gate_acts(model, neurons, reading.site) if quantiles else {}
    counter = TokenCounter(sentences, neurons, reading.site, gate_site(model, reading.site), quantiles, acts)
    sums, part = counter.zeros(), counter.zeros()
    parts = in_parts(model, sentences.texts, reading.batching, part_size(neurons))
    batches = [batch for one in parts for batch in one]
    room = counter.room(batches) if counter.keeps(batches) else None

    def readers(batch: Batch) -> list[Hook]:
        hooks = counter.readers(batch, part, room)
        if values is not None:
            hooks += response_readers(batch, batch.indices, neurons, reading, sentences.texts, values)
        return hooks

    description = "statistics" if values is None else "responses"
    options = {"neurons": neurons, "site": reading.site, "description": description, "progress": progress}
    for _ in run_parts(model, parts, readers=readers, **options):
        sums.add(part)
        part.clear()
    return counter.statistics(sums, model_fingerprint(model), None if room is None else room.ascending())
