"""Responses: one number per sentence and neuron, a neuron's activation pooled over the sentence's own tokens.

Source: Sundar et al. 2025, section 3 (z_m,i); the pooling, not stated there, is that of the lineage (Suau et al.
2022): the maximum. Padding and BOS never count. Pooling happens inside the hook, so that no more than one layer's
activations of one batch are ever held.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.errors import ResponseError, SiteError, not_finite
from tl_experts.jobs.pieces import Arrays, Pieces, resume
from tl_experts.models import (
    Hook,
    Model,
    ModelLike,
    as_model,
    forward_batches,
    hook_name,
    model_fingerprint,
    site_widths,
    text_batches,
)
from tl_experts.models.batches import Batch, Batching, fill_repeats
from tl_experts.models.pooling import pool
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.reading import DEFAULT_READING, Reading

PART = 1024
"""Most sentences in a part."""

PART_BYTES = 512 * 2**20


@runtime_checkable
class ActivationsByName(Protocol):
    """A mapping of hook names to activations, as far as it is needed: TransformerLens's `ActivationCache` is one."""

    def __getitem__(self, key: str) -> Tensor:
        """The activations at a hook."""
        ...

    def __iter__(self) -> Iterator[str]:
        """The names of the hooks that were cached."""
        ...


@dataclass(frozen=True, eq=False)
class Responses:
    """Pooled activations of every neuron for every sentence of a corpus.

    Raises:
        ResponseError: the shape does not fit the corpus and the neurons.

    Examples:
        >>> from tl_experts import collect_responses, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> responses = collect_responses(model, sentences, progress=False)
        >>> responses.neurons.describe(0), responses.pooling
        ('L0 N0', 'max')
    """

    values: Float[Tensor, "sentence neuron"]
    """Response of each neuron (layers side by side) to each sentence, in the corpus's order; on the CPU."""

    corpus: Corpus
    """The sentences."""

    neurons: NeuronTable
    """What the columns are."""

    site: str
    """The hook site, for example ``mlp.hook_post``."""

    pooling: str
    """How a sentence's tokens become one number."""

    fingerprint: dict[str, str]
    """Fingerprint of the model (`tl_experts.models.model_fingerprint`)."""

    def __post_init__(self) -> None:
        """Check the shape."""
        expected = (len(self.corpus), self.neurons.total)
        if tuple(self.values.shape) != expected:
            raise ResponseError(
                f"responses have shape {tuple(self.values.shape)}; expected {expected}: "
                f"{len(self.corpus)} sentences x {self.neurons.total} neurons"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Sentences and neurons."""
        return len(self.corpus), self.neurons.total

    def columns(self, start: int, stop: int) -> Float[np.ndarray, "sentence neuron"]:
        """The responses of some neurons to all sentences, float32."""
        return self.values[:, start:stop].float().numpy()

    def __repr__(self) -> str:
        sentences, neurons = self.values.shape
        return f"Responses({sentences} sentences x {neurons:,} neurons of {self.site}, {self.pooling} pooling)"


def collect_responses(
    model: ModelLike, sentences: Corpus, *, reading: Reading = DEFAULT_READING, progress: bool = True
) -> Responses:
    """Run the sentences through the model once and pool the activations of a site in every layer.

    Sentences are batched by length under a token budget, and repeated sentences are run once. The result is in the
    corpus's order and depends on neither batches nor padding (to float tolerance). The pass stops after the last
    layer read.

    Args:
        model: from `load_model`, any `HookedTransformer` or `TransformerBridge`, or what `load_model` takes.
        sentences: any corpus.
        reading: site, pooling, layers, dtype of the responses, batching.
        progress: show a progress bar, in tokens.

    Raises:
        SiteError: the model lacks the site or a layer.
        ResponseError: a response is not finite (naming layer, neuron, sentence).
        ModelError: a sentence without a token or longer than the context.

    Examples:
        >>> from tl_experts import load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> responses = collect_responses(model, sentences, progress=False)
        >>> tuple(responses.values.shape)
        (90, 7168)
    """
    return collect_pieces(as_model(model), sentences, reading, progress=progress)


def collect_pieces(
    model: Model, sentences: Corpus, reading: Reading, *, pieces: Pieces | None = None, progress: bool = True
) -> Responses:
    """`collect_responses` with each batch's responses kept on disk.

    Existing batches are loaded. The caller must ensure that the pieces' job identifies model, corpus and reading.
    """
    require_corpus(sentences)
    neurons = neuron_table(model, reading)
    batches = text_batches(model, sentences.texts, reading.batching, once=True, part=part_size(neurons))
    values = torch.empty(len(sentences), neurons.total, dtype=reading.torch_dtype)

    def readers(batch: Batch) -> list[Hook]:
        return response_readers(batch, batch.indices, neurons, reading, sentences.texts, values)

    def keep(batch: Batch) -> Arrays:
        # NumPy has no bfloat16; float32 holds it exactly.
        return {"responses": values[batch.indices].float().numpy()}

    def restore(batch: Batch, arrays: Arrays) -> None:
        values[batch.indices] = torch.from_numpy(arrays["responses"]).to(values.dtype)

    run = partial(run_batches, model, neurons=neurons, site=reading.site, readers=readers, progress=progress)
    resume(pieces, batches, work=run, keep=keep, restore=restore)
    fill_repeats(values, sentences.texts)
    return Responses(values, sentences, neurons, reading.site, reading.pooling, model_fingerprint(model))


def responses_from_cache(
    model: Model,
    cache: ActivationsByName,
    sentences: Corpus,
    pooled: Bool[Tensor, "sentence pos"],
    *,
    reading: Reading = DEFAULT_READING,
) -> Responses:
    """The same from an `ActivationCache` of TransformerLens's ``run_with_cache``.

    Args:
        model: the model that made the cache.
        cache: activations by hook name, one row per sentence in the corpus's order.
        sentences: what was run.
        pooled: True at the tokens that count (text; neither BOS nor padding).
        reading: site, pooling, layers and dtype; how the text was batched is the caller's.

    Raises:
        SiteError: the cache lacks a layer of the site.
        ResponseError: rows that do not fit the corpus, or a sentence without a token that counts.

    Examples:
        >>> from tl_experts import load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> one = sentences.only(["en"]).take([0])
        >>> tokens = model.to_tokens(list(one.texts))
        >>> _, cache = model.run_with_cache(tokens, names_filter=lambda name: name.endswith("hook_post"))
        >>> tuple(responses_from_cache(model, cache, one, tokens != model.tokenizer.bos_token_id).values.shape)
        (1, 7168)
    """
    neurons = neuron_table(model, reading)
    if pooled.shape[0] != len(sentences) or not bool(pooled.any(dim=1).all()):
        raise ResponseError(
            f"`pooled` has {pooled.shape[0]} rows for {len(sentences)} sentences, each needing at least one True; "
            "run all sentences of the corpus, in its order"
        )
    cached = set(cache)
    names = [hook_name(layer, reading.site) for layer in neurons.layers]
    missing = [name for name in names if name not in cached]
    if missing:
        raise SiteError(
            f"the cache lacks {missing[0]!r} and {len(missing) - 1} more; widen run_with_cache's names_filter"
        )
    flat = (rearrange(cache[name], "sentence pos ... -> sentence pos (...)") for name in names)
    parts = [pool(activation, pooled, reading.pooling) for activation in flat]
    values = torch.cat([part.to("cpu", reading.torch_dtype) for part in parts], dim=1)
    return Responses(values, sentences, neurons, reading.site, reading.pooling, model_fingerprint(model))


def neuron_table(model: Model, reading: Reading) -> NeuronTable:
    """The neurons that are read.

    Raises:
        SiteError: the model lacks the site or a layer.
    """
    widths = site_widths(model, reading.site)
    chosen = range(len(widths)) if reading.layers is None else reading.layers
    unknown = [layer for layer in chosen if not 0 <= layer < len(widths)]
    if unknown:
        raise SiteError(f"layers {list(chosen)}: the model has layers 0 to {len(widths) - 1}")
    return NeuronTable(tuple(chosen), tuple(widths[layer] for layer in chosen))


def part_size(neurons: NeuronTable) -> int:
    """Sentences in a part, the unit that is computed and stored at once: at most 512 MiB in float32."""
    return max(1, min(PART, PART_BYTES // (4 * neurons.total)))


def in_parts(model: Model, texts: Sequence[str], batching: Batching, size: int) -> list[list[Batch]]:
    """The batches of every part, of so many sentences each; repeated sentences are in it once."""
    parts: list[list[Batch]] = []
    seen = 0
    for batch in text_batches(model, texts, batching, once=True, part=size):
        if seen % size == 0:
            parts.append([])
        parts[-1].append(batch)
        seen += len(batch.indices)
    return parts


def run_batches(
    model: Model,
    batches: Sequence[Batch],
    *,
    neurons: NeuronTable,
    site: str,
    readers: Callable[[Batch], Sequence[Hook]],
    description: str = "responses",
    progress: bool,
) -> Iterator[Batch]:
    """Run batches up to the last layer of a table, with hooks that read each; yield each batch when it is done."""
    last = neurons.layers[-1]
    return forward_batches(
        model,
        batches,
        readers,
        last_layer=last,
        last_hook=hook_name(last, site),
        description=description,
        progress=progress,
    )


def run_parts(model: Model, parts: Sequence[Sequence[Batch]], **options: Any) -> Iterator[int]:
    """Run the batches of parts, one part after the other; yield the index of each part when it is done.

    Args:
        model: either class.
        parts: some batches each.
        options: of `run_batches`.
    """
    done = run_batches(model, [batch for part in parts for batch in part], **options)
    try:
        for index, part in enumerate(parts):
            for _ in part:
                next(done)
            yield index
        next(done, None)  # ends the progress bar
    finally:
        done.close()  # type: ignore[attr-defined]


def response_readers(
    batch: Batch,
    rows: Int[Tensor, " batch"],
    neurons: NeuronTable,
    reading: Reading,
    texts: Sequence[str],
    out: Float[Tensor, "row neuron"],
) -> list[Hook]:
    """Hooks that pool a batch's activations into rows of a matrix.

    Args:
        batch: what is run.
        rows: the row of `out` for each of its sentences.
        neurons: the columns.
        reading: site and pooling.
        texts: of the whole corpus, for messages.
        out: filled.

    Raises:
        ResponseError: by a hook, where a response is not finite.
    """

    def reader(layer: int) -> Hook:
        def read(activation: Tensor, hook: Any) -> None:  # noqa: ARG001 (TransformerLens's signature)
            flat = activation.flatten(2)  # a hot path: no einops
            found = pool(flat, batch.pooled.to(flat.device), reading.pooling).to("cpu", out.dtype)
            if not bool(found.isfinite().all()):
                raise not_finite_error(found, layer, batch, texts)
            out[rows, neurons.span(layer)] = found

        return hook_name(layer, reading.site), read

    return [reader(layer) for layer in neurons.layers]


def not_finite_error(found: Tensor, layer: int, batch: Batch, texts: Sequence[str]) -> ResponseError:
    """The error that names the first value ``[sentence neuron]`` of a batch that is not finite."""
    row, neuron = (int(index) for index in (~found.isfinite()).nonzero()[0])
    sentence = int(batch.indices[row])
    kind = str(found.dtype).removeprefix("torch.")
    return ResponseError(
        not_finite(
            f"the response of neuron L{layer} N{neuron} to sentence {sentence} ({texts[sentence][:60]!r})",
            f"{float(found[row, neuron])} as {kind}",
        )
    )
