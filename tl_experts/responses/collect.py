"""Responses: one number per sentence and neuron, a neuron's activation pooled over the sentence's own tokens.

Source: Sundar et al. 2025, section 3 (z_m,i); the pooling, not stated there, is that of the lineage (Suau et al.
2022): the maximum. Padding and BOS never count. Pooling happens inside the hook, so that no more than one layer's
activations of one batch are ever held.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.errors import ResponseError, SiteError, require_choice
from tl_experts.jobs.pieces import Arrays, Shards, resume
from tl_experts.models import (
    Hook,
    Model,
    forward_batches,
    hook_name,
    model_fingerprint,
    site_widths,
    text_batches,
)
from tl_experts.models.batches import TOKEN_BUDGET, Batch, PaddingSide, fill_repeats
from tl_experts.models.pooling import POOLINGS, Pooling, pool
from tl_experts.responses.neurons import NeuronTable

DEFAULT_SITE = "mlp.hook_post"
DTYPES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}
"""Dtypes of stored responses. On disk, as NumPy has no bfloat16, its bits are kept as 16-bit integers."""

PART = 1024
"""Sentences of a part, at most."""

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
    """Of the model (`tl_experts.models.model_fingerprint`)."""

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
    model: Model,
    sentences: Corpus,
    *,
    site: str = DEFAULT_SITE,
    pooling: Pooling = "max",
    layers: Sequence[int] | None = None,
    token_budget: int = TOKEN_BUDGET,
    padding_side: PaddingSide = "right",
    prepend_bos: bool | None = None,
    truncate: bool = False,
    store: torch.dtype = torch.float32,
    shards: Shards | None = None,
    progress: bool = True,
) -> Responses:
    """Run the sentences through the model once and pool the activations of a site in every layer.

    Sentences are batched by length under a token budget, and one that stands there twice is run once. The result is
    in the corpus's order and depends on neither batches nor padding (to float tolerance). The pass stops after the
    last layer read.

    Args:
        model: from `load_model`, or any `HookedTransformer` or `TransformerBridge`.
        sentences: any corpus.
        site: one of `tl_experts.models.SITES`; attention heads lie side by side.
        pooling: ``"max"`` (default) or ``"mean"`` over the sentence's tokens, BOS and padding left out.
        layers: only these; None: all.
        token_budget: token slots per batch.
        padding_side: of the batches; right is faster.
        prepend_bos: None: as the model is used to.
        truncate: cut sentences that are longer than the model's context instead of refusing them.
        store: dtype of the stored responses (float32, or a 16-bit one to halve the memory).
        shards: where each batch's responses are kept; those that are there already are not computed again. The
            caller sees to it that the shards' job names the model, the corpus and the options.
        progress: show a progress bar, in tokens.

    Raises:
        SiteError: the model has not the site or a layer.
        ResponseError: an unknown pooling or dtype, or a response that is not finite (naming layer, neuron,
            sentence).
        ModelError: a sentence without a token or longer than the context.

    Examples:
        >>> from tl_experts import load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> responses = collect_responses(model, sentences, progress=False)
        >>> tuple(responses.values.shape)
        (90, 7168)
    """
    require_corpus(sentences)
    require_choice(pooling, POOLINGS, "pooling", ResponseError)
    require_choice(store, DTYPES, "store", ResponseError)
    neurons = neuron_table(model, site, layers)
    batches = text_batches(
        model,
        sentences.texts,
        token_budget=token_budget,
        padding_side=padding_side,
        prepend_bos=prepend_bos,
        truncate=truncate,
        once=True,
        part=part_size(neurons),
    )
    values = torch.empty(len(sentences), neurons.total, dtype=store)

    def readers(batch: Batch) -> list[Hook]:
        return response_readers(batch, batch.indices, neurons, site, pooling, sentences.texts, values)

    def keep(batch: Batch) -> Arrays:
        # NumPy has no bfloat16; float32 holds it exactly.
        return {"responses": values[batch.indices].float().numpy()}

    def restore(batch: Batch, arrays: Arrays) -> None:
        values[batch.indices] = torch.from_numpy(arrays["responses"]).to(store)

    run = partial(
        forward_batches,
        model,
        readers=readers,
        last_layer=neurons.layers[-1],
        last_hook=hook_name(neurons.layers[-1], site),
        description="responses",
        progress=progress,
    )
    resume(shards, batches, work=run, keep=keep, restore=restore)
    fill_repeats(values, sentences.texts)
    return Responses(values, sentences, neurons, site, pooling, model_fingerprint(model))


def responses_from_cache(
    model: Model,
    cache: ActivationsByName,
    sentences: Corpus,
    pooled: Bool[Tensor, "sentence pos"],
    *,
    site: str = DEFAULT_SITE,
    pooling: Pooling = "max",
    layers: Sequence[int] | None = None,
) -> Responses:
    """The same from an `ActivationCache` of TransformerLens's ``run_with_cache``.

    Args:
        model: the model that made the cache.
        cache: activations by hook name, one row per sentence in the corpus's order.
        sentences: what was run.
        pooled: True at the tokens that count (text; neither BOS nor padding).
        site: which activations.
        pooling: ``"max"`` or ``"mean"``.
        layers: only these; None: all.

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
    require_choice(pooling, POOLINGS, "pooling", ResponseError)
    neurons = neuron_table(model, site, layers)
    if pooled.shape[0] != len(sentences) or not bool(pooled.any(dim=1).all()):
        raise ResponseError(
            f"`pooled` has {pooled.shape[0]} rows for {len(sentences)} sentences, each needing at least one True; "
            "run all sentences of the corpus, in its order"
        )
    cached = set(cache)
    missing = [hook_name(layer, site) for layer in neurons.layers if hook_name(layer, site) not in cached]
    if missing:
        raise SiteError(
            f"the cache lacks {missing[0]!r} and {len(missing) - 1} more; widen run_with_cache's names_filter"
        )
    parts = [pool(cache[hook_name(layer, site)].flatten(2), pooled, pooling) for layer in neurons.layers]
    values = torch.cat([part.float().cpu() for part in parts], dim=1)
    return Responses(values, sentences, neurons, site, pooling, model_fingerprint(model))


def neuron_table(model: Model, site: str, layers: Sequence[int] | None = None) -> NeuronTable:
    """The neurons of a site in some layers (None: all).

    Raises:
        SiteError: the model has not the site or a layer.
    """
    widths = site_widths(model, site)
    chosen = tuple(sorted(set(layers))) if layers is not None else tuple(range(len(widths)))
    unknown = [layer for layer in chosen if not 0 <= layer < len(widths)]
    if unknown or not chosen:
        raise SiteError(f"layers {list(layers or [])}: the model has layers 0 to {len(widths) - 1}")
    return NeuronTable(chosen, tuple(widths[layer] for layer in chosen))


def part_size(neurons: NeuronTable) -> int:
    """How many sentences make a part, the piece that is stored, and computed in one go: at most 512 MiB in float32."""
    return max(1, min(PART, PART_BYTES // (4 * neurons.total)))


def response_readers(
    batch: Batch,
    rows: Int[Tensor, " batch"],
    neurons: NeuronTable,
    site: str,
    pooling: str,
    texts: Sequence[str],
    out: Float[Tensor, "row neuron"],
) -> list[Hook]:
    """Hooks that pool a batch's activations into rows of a matrix.

    Args:
        batch: what is run.
        rows: where in `out` each of its sentences goes.
        neurons: the columns.
        site: which activations.
        pooling: ``"max"`` or ``"mean"``.
        texts: of the whole corpus, for messages.
        out: filled.

    Raises:
        ResponseError: by a hook, where a response is not finite.
    """

    def reader(layer: int) -> Hook:
        def read(activation: Tensor, hook: Any) -> None:  # noqa: ARG001 (TransformerLens's signature)
            flat = activation.flatten(2)
            found = pool(flat, batch.pooled.to(flat.device), pooling).to("cpu", out.dtype)
            if not bool(found.isfinite().all()):
                raise _not_finite(found, layer, batch, texts)
            out[rows, neurons.span(layer)] = found

        return hook_name(layer, site), read

    return [reader(layer) for layer in neurons.layers]


def _not_finite(found: Tensor, layer: int, batch: Batch, texts: Sequence[str]) -> ResponseError:
    row, neuron = (int(place) for place in (~found.isfinite()).nonzero()[0])
    sentence = int(batch.indices[row])
    kind = str(found.dtype).removeprefix("torch.")
    return ResponseError(
        f"the response of neuron L{layer} N{neuron} to sentence {sentence} ({texts[sentence][:60]!r}) is "
        f"{float(found[row, neuron])} as {kind}; does the model's dtype, or the one responses are stored in, "
        "overflow? use float32"
    )
