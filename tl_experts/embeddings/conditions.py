"""Embeddings of the same sentences under several interventions, which share what lies below their first layer."""

from collections.abc import Sequence
from functools import partial

import torch

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.embeddings.embeddings import (
    Embeddings,
    Layer,
    block_numbers,
    block_readers,
    layer_widths,
    read_final_state,
)
from tl_experts.errors import InterventionError
from tl_experts.models import Model, text_batches, track_passes, warn_if_processed
from tl_experts.models.batches import DEFAULT_BATCHING, Batching, fill_repeats
from tl_experts.models.branches import Branch, forward_branches
from tl_experts.steering.interventions import Steerable, checked_hooks


def embed_conditions(
    model: Model,
    sentences: Corpus,
    conditions: Sequence[Steerable | None],
    *,
    layers: Sequence[Layer] = (None,),
    batching: Batching = DEFAULT_BATCHING,
    description: str = "embeddings",
    progress: bool = True,
) -> list[dict[Layer, Embeddings]]:
    """Embed every sentence under several interventions: the same bits as one `embed_layers` for each inside `steer`.

    The text is tokenized once, and each batch runs through the layers below a condition's first steered layer once for
    all conditions. All results are in memory together.

    Args:
        model: either class; a `TransformerBridge` shares the tokenization only.
        sentences: any corpus.
        conditions: what `steer` takes, experts of one language or a `Steering` say; None: no intervention.
            ``positions="generated"`` steers nothing here, a number all positions.
        layers: block numbers, negative ones from the end; None is the last hidden state, after the final norm.
        batching: how the text is batched.
        description: of the progress bar, which counts the tokens of every condition.
        progress: show it.

    Returns:
        For each condition, `Embeddings` by the layers as given.

    Raises:
        InterventionError: no condition, or one that is not an intervention.
        ArtefactError: experts of another model.
        SiteError: a layer the model does not have.
        ModelError: a sentence without a token or longer than the context.

    Examples:
        >>> from tl_experts import Steering, find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> experts = find_experts(model, sentences, k=5, progress=False)
        >>> before, after = embed_conditions(model, sentences, [None, experts["es"]], progress=False)
        >>> bool((before[None].vectors == after[None].vectors).all())
        False
    """
    require_corpus(sentences)
    blocks = block_numbers(model, layers)
    if not conditions:
        raise InterventionError("no condition was given; give at least one, None for no intervention")
    warn_if_processed(model)
    batches = text_batches(model, sentences.texts, batching, once=True)
    widths = layer_widths(model, layers)
    found = [{layer: torch.empty(len(sentences), width) for layer, width in widths.items()} for _ in conditions]
    final = None in layers
    with track_passes(model) as passes:
        branches = [
            Branch(
                [] if condition is None else checked_hooks(model, condition, passes),
                partial(block_readers, blocks, out),
                partial(read_final_state, out) if final else None,
            )
            for condition, out in zip(conditions, found, strict=True)
        ]
        last = None if final else max(blocks.values())
        for _ in forward_branches(
            model, batches, branches, last_layer=last, description=description, progress=progress
        ):
            pass
    for out in found:
        for vectors in out.values():
            fill_repeats(vectors, sentences.texts)
    return [{layer: Embeddings(vectors, sentences, layer) for layer, vectors in out.items()} for out in found]
