"""Statistics of tokens from one pass of the model, alone or beside the pooled responses.

Each hook adds one layer's activations of one batch to sums by language, so that no more than that is ever held.
Repeated sentences are run once and weighted by their number.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.models import (
    Hook,
    Model,
    ModelLike,
    as_model,
    forward_batches,
    hook_name,
    model_fingerprint,
    text_batches,
)
from tl_experts.models.batches import Batch, fill_repeats, first_indices
from tl_experts.responses.collect import Responses, neuron_table, not_finite, part_size, response_readers
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.reading import DEFAULT_READING, Reading
from tl_experts.responses.token_statistics import TokenStatistics


def collect_statistics(
    model: ModelLike, sentences: Corpus, *, reading: Reading = DEFAULT_READING, progress: bool = True
) -> TokenStatistics:
    """Run the sentences through the model once and sum the activations of a site over the tokens of each language.

    The result depends on neither batches nor padding: counts are exact wherever activations are, sums are to float
    tolerance.

    Args:
        model: from `load_model`, any `HookedTransformer` or `TransformerBridge`, or what `load_model` takes.
        sentences: any corpus.
        reading: site, layers and batching; pooling and dtype are of responses.
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
    return _collect(as_model(model), sentences, reading, None, progress=progress)


def collect_both(
    model: ModelLike, sentences: Corpus, *, reading: Reading = DEFAULT_READING, progress: bool = True
) -> tuple[Responses, TokenStatistics]:
    """`collect_responses` and `collect_statistics` from one pass of the model.

    Args:
        model: as there.
        sentences: any corpus.
        reading: as in `collect_responses`.
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
    statistics = _collect(loaded, sentences, reading, values, progress=progress)
    fill_repeats(values, sentences.texts)
    responses = Responses(values, sentences, neurons, reading.site, reading.pooling, model_fingerprint(loaded))
    return responses, statistics


def gate_site(model: Model, site: str) -> str:
    """The site whose sign LAPE counts: the gate's output for a gated MLP's neurons, else the site itself.

    The activation functions of gated MLPs (SiLU, GELU) keep the sign, so that of ``act(gate)`` is that of the gate.
    ``mlp.hook_post`` holds the product with the linear half, whose sign may differ.
    """
    gated = hook_name(0, "mlp.hook_pre_linear") in model.hook_dict
    return "mlp.hook_pre" if gated and site == "mlp.hook_post" else site


@dataclass(frozen=True)
class _Sums:
    """Sums that grow with every batch."""

    tokens: Int64[Tensor, " language"]
    over_zero: Int64[Tensor, "language neuron"]
    gate_over_zero: Int64[Tensor, "language neuron"]
    total: Float64[Tensor, "language neuron"]
    total_of_squares: Float64[Tensor, "language neuron"]

    @classmethod
    def of(cls, languages: int, neurons: int) -> "_Sums":
        counts = [torch.zeros(languages, neurons, dtype=torch.int64) for _ in range(2)]
        totals = [torch.zeros(languages, neurons, dtype=torch.float64) for _ in range(2)]
        return cls(torch.zeros(languages, dtype=torch.int64), *counts, *totals)


def _collect(
    model: Model, sentences: Corpus, reading: Reading, values: Tensor | None, *, progress: bool
) -> TokenStatistics:
    """One pass; `values`, where given, is filled with responses."""
    require_corpus(sentences)
    neurons = neuron_table(model, reading)
    gate = gate_site(model, reading.site)
    sums = _Sums.of(len(sentences.languages), neurons.total)
    occurrences = torch.from_numpy(_occurrences(sentences))

    def readers(batch: Batch) -> list[Hook]:
        weights = occurrences[:, batch.indices]
        sums.tokens.add_(weights @ batch.pooled.sum(dim=1))
        hooks = _readers(batch, weights, neurons, (reading.site, gate), sentences, sums)
        if values is not None:
            hooks += response_readers(batch, batch.indices, neurons, reading, sentences.texts, values)
        return hooks

    batches = text_batches(model, sentences.texts, reading.batching, once=True, part=part_size(neurons))
    last = neurons.layers[-1]
    for _ in forward_batches(
        model,
        batches,
        readers,
        last_layer=last,
        last_hook=hook_name(last, reading.site),
        description="statistics" if values is None else "responses",
        progress=progress,
    ):
        pass
    return TokenStatistics(
        languages=sentences.languages,
        neurons=neurons,
        **{name: tensor.numpy() for name, tensor in vars(sums).items()},
        site=reading.site,
        gate_site=gate,
        corpora=(sentences.fingerprint,),
        fingerprint=model_fingerprint(model),
    )


def _occurrences(sentences: Corpus) -> Int64[np.ndarray, "language sentence"]:
    """How often each sentence occurs in each language, at the index of its first occurrence."""
    rows = np.array([sentences.languages.index(label) for label in sentences.labels])
    found = np.zeros((len(sentences.languages), len(sentences)), dtype=np.int64)
    np.add.at(found, (rows, first_indices(sentences.texts)), 1)
    return found


def _readers(
    batch: Batch,
    weights: Int64[Tensor, "language batch"],
    neurons: NeuronTable,
    sites: tuple[str, str],
    sentences: Corpus,
    sums: _Sums,
) -> list[Hook]:
    """Hooks that add a batch's tokens to the sums; each token counts as often as its sentence occurs."""
    sentence_of, _ = batch.pooled.nonzero(as_tuple=True)
    weight_of = weights[:, sentence_of].double()
    site, gate = sites

    def tokens_of(activation: Tensor) -> Float[Tensor, "token neuron"]:
        return _on_host_if_needed(activation.flatten(2)[batch.pooled.to(activation.device)])

    def count(layer: int, found: Tensor, into: Tensor) -> None:
        # Sums of whole numbers below 2**53 are exact in float64.
        over = weight_of.to(found.device) @ (found > 0).double()
        into[:, neurons.span(layer)] += over.long().cpu()

    def read(layer: int) -> Hook:
        def add(activation: Tensor, hook: Any) -> None:  # noqa: ARG001 (TransformerLens's signature)
            found = tokens_of(activation)
            weight, exact = weight_of.to(found.device), found.double()
            total = (weight @ exact).cpu()
            if not bool(total.isfinite().all()):
                own = batch.pooled[..., None].to(activation.device)
                raise not_finite(activation.flatten(2).masked_fill(~own, 0.0).sum(dim=1), layer, batch, sentences.texts)
            span = neurons.span(layer)
            sums.total[:, span] += total
            sums.total_of_squares[:, span] += (weight @ exact.square()).cpu()
            count(layer, found, sums.over_zero)
            if gate == site:
                count(layer, found, sums.gate_over_zero)

        return hook_name(layer, site), add

    def read_gate(layer: int) -> Hook:
        def add(activation: Tensor, hook: Any) -> None:  # noqa: ARG001 (TransformerLens's signature)
            count(layer, tokens_of(activation), sums.gate_over_zero)

        return hook_name(layer, gate), add

    gates = [read_gate(layer) for layer in neurons.layers] if gate != site else []
    return [*gates, *(read(layer) for layer in neurons.layers)]


def _on_host_if_needed(values: Tensor) -> Tensor:
    """Apple's GPUs have no float64: there, sums are formed on the CPU."""
    return values.cpu() if values.device.type == "mps" else values
