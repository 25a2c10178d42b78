"""Sentence embeddings: the mean of a layer's hidden states over the sentence's own tokens.

Source: Sundar et al. 2025, section 4: the last hidden state (after the final norm, Hugging Face's
``last_hidden_state``). Other layers are the residual stream after a block (``hidden_states[i + 1]``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.vectors import centre
from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.errors import SiteError, TLExpertsError
from tl_experts.jobs.arrays import mapped_array
from tl_experts.jobs.pieces import Arrays, Pieces, resume
from tl_experts.models import Hook, Model, forward_batches, hook_name, require_model, text_batches, warn_if_processed
from tl_experts.models.batches import DEFAULT_BATCHING, Batch, Batching, fill_repeats
from tl_experts.models.forward import final_width
from tl_experts.models.hooks import RESIDUAL
from tl_experts.models.pooling import pool

Layer = int | None
"""A block's number (negative: from the end), or None for the last hidden state."""


@dataclass(frozen=True, eq=False)
class Embeddings:
    """One vector per sentence of a corpus.

    Raises:
        TLExpertsError: not one row per sentence.

    Examples:
        >>> from tl_experts import embed, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> vectors = embed(model, sentences, layer=4, progress=False)
        >>> sorted(vectors.parallel())
        ['de', 'en', 'es', 'fr', 'it', 'ja', 'pt', 'ru', 'zh']
    """

    vectors: Float[Tensor, "sentence d_model"]
    """float32, on the CPU, in the corpus's order."""

    corpus: Corpus
    """The sentences."""

    layer: Layer
    """The block they are from; None: after the final norm."""

    def __post_init__(self) -> None:
        """Check the shape."""
        if len(self.vectors) != len(self.corpus):
            raise TLExpertsError(f"{len(self.vectors)} vectors for {len(self.corpus)} sentences")

    def __getitem__(self, language: str) -> Float[Tensor, "row d_model"]:
        """The vectors of one language, in the corpus's order."""
        self.corpus[language]  # for its error
        from tl_experts.corpus.languages import language_code

        code = language_code(language)
        return self.vectors[[index for index, label in enumerate(self.corpus.labels) if label == code]]

    def parallel(self, languages: Sequence[str] | None = None) -> dict[str, Float[Tensor, "row d_model"]]:
        """The vectors by language, row by row translations of each other.

        Raises:
            CorpusError: the corpus is not aligned.
        """
        return {language: self.vectors[rows] for language, rows in self.corpus.parallel(languages).items()}

    def centred(self) -> "Embeddings":
        """The same vectors with the mean vector of each language subtracted: retrieval's baseline without a cost."""
        vectors = self.vectors.clone()
        for language in self.corpus.languages:
            rows = [index for index, label in enumerate(self.corpus.labels) if label == language]
            vectors[rows] = centre(vectors[rows])
        return replace(self, vectors=vectors)


def embed(
    model: Model,
    sentences: Corpus,
    *,
    layer: Layer = None,
    hooks: Sequence[Hook] = (),
    batching: Batching = DEFAULT_BATCHING,
    progress: bool = True,
) -> Embeddings:
    """Embed every sentence by one layer: the mean over its text's tokens (the paper's sentence vector).

    Args:
        model: either class; steered if this is called inside `steer`.
        sentences: any corpus.
        layer: a block's number, a negative one from the end; None: the last hidden state, after the final norm.
        hooks: interventions for this call, from `intervention_hooks`.
        batching: how the text is batched.
        progress: show a progress bar, in tokens.

    Raises:
        SiteError: a layer the model does not have.
        ModelError: a sentence without a token or longer than the context.

    Examples:
        >>> from tl_experts import load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> tuple(embed(model, sentences, progress=False).parallel()["en"].shape)
        (10, 256)
    """
    return embed_layers(model, sentences, [layer], hooks=hooks, batching=batching, progress=progress)[layer]


def embed_layers(
    model: Model,
    sentences: Corpus,
    layers: Sequence[Layer],
    *,
    hooks: Sequence[Hook] = (),
    batching: Batching = DEFAULT_BATCHING,
    scratch: Path | None = None,
    description: str = "embeddings",
    progress: bool = True,
) -> dict[Layer, Embeddings]:
    """Embed every sentence by several layers in one pass.

    Args:
        model: either class; steered if this is called inside `steer`.
        sentences: any corpus.
        layers: block numbers, negative ones from the end; None is the last hidden state, after the final norm.
        hooks: interventions for this call, from `intervention_hooks`.
        batching: how the text is batched.
        scratch: a folder for files that hold the vectors, mapped into memory: for more layers and sentences than fit
            there. The vectors are valid as long as the folder exists.
        description: of the progress bar.
        progress: show it.

    Returns:
        `Embeddings` by the layers as given.

    Raises:
        SiteError: a layer the model does not have.
        ModelError: a sentence without a token or longer than the context.
    """
    return embed_pieces(
        model,
        sentences,
        layers,
        hooks=hooks,
        batching=batching,
        scratch=scratch,
        description=description,
        progress=progress,
    )


def embed_pieces(
    model: Model,
    sentences: Corpus,
    layers: Sequence[Layer],
    *,
    hooks: Sequence[Hook] = (),
    batching: Batching = DEFAULT_BATCHING,
    pieces: Pieces | None = None,
    scratch: Path | None = None,
    description: str = "embeddings",
    progress: bool = True,
) -> dict[Layer, Embeddings]:
    """`embed_layers` with each batch's vectors kept on disk.

    Existing batches are loaded. The caller must ensure that the pieces' job identifies model, corpus, layers, batching
    and intervention.
    """
    require_corpus(sentences)
    blocks = block_numbers(model, layers)
    warn_if_processed(model)
    batches = text_batches(model, sentences.texts, batching, once=True)
    shapes = {layer: (len(sentences), width) for layer, width in layer_widths(model, layers).items()}
    out = {
        layer: torch.empty(shape, dtype=torch.float32) if scratch is None else _mapped(scratch, layer, shape)
        for layer, shape in shapes.items()
    }

    def keep(batch: Batch) -> Arrays:
        return {str(layer): vectors[batch.indices].numpy() for layer, vectors in out.items()}

    def restore(batch: Batch, arrays: Arrays) -> None:
        for layer, vectors in out.items():
            vectors[batch.indices] = torch.from_numpy(arrays[str(layer)])

    final = None in layers
    run = partial(
        forward_batches,
        model,
        readers=partial(block_readers, blocks, out),
        last_layer=None if final else max(blocks.values()),
        read_final=partial(read_final_state, out) if final else None,
        hooks=hooks,
        description=description,
        progress=progress,
    )
    resume(pieces, batches, work=run, keep=keep, restore=restore)
    for vectors in out.values():
        fill_repeats(vectors, sentences.texts)
    return {layer: Embeddings(vectors, sentences, layer) for layer, vectors in out.items()}


def block_numbers(model: Model, layers: Sequence[Layer]) -> dict[Layer, int]:
    """The block of each layer that is one.

    Raises:
        SiteError: no layer, or one the model does not have.
    """
    require_model(model)
    count = int(model.cfg.n_layers)
    if not layers:
        raise SiteError(f"no layer was asked for; give some of 0 to {count - 1}, or None for the last hidden state")
    for layer in layers:
        if layer is not None and not -count <= layer < count:
            raise SiteError(f"layer {layer}: the model has layers 0 to {count - 1} (or None: after the final norm)")
    return {layer: layer % count for layer in layers if layer is not None}


def layer_widths(model: Model, layers: Sequence[Layer]) -> dict[Layer, int]:
    """Dimensions of each layer's vectors."""
    return {layer: final_width(model) if layer is None else int(model.cfg.d_model) for layer in layers}


def block_readers(blocks: Mapping[Layer, int], out: Mapping[Layer, Tensor], batch: Batch) -> list[Hook]:
    """Hooks that write a batch's sentence vectors of some blocks into matrices ``[sentence d_model]``."""
    return [(hook_name(block, RESIDUAL), _reader(batch, out[layer])) for layer, block in blocks.items()]


def read_final_state(out: Mapping[Layer, Tensor], batch: Batch, state: Tensor) -> None:
    """Write a batch's sentence vectors of the last hidden state into a matrix."""
    _reader(batch, out[None])(state, None)


def _mapped(scratch: Path, layer: Layer, shape: tuple[int, int]) -> Tensor:
    return torch.from_numpy(mapped_array(scratch / f"layer-{layer}.npy", shape))


def _reader(batch: Batch, out: Tensor) -> Any:
    def read(state: Tensor, hook: Any) -> None:  # noqa: ARG001 (TransformerLens's signature)
        out[batch.indices] = pool(state, batch.pooled.to(state.device), "mean").float().cpu()

    return read
