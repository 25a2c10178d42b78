"""Embeddings of the same sentences under many settings, by language and layer, and how they are viewed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.analysis.vectors import centre
from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.conditions import embed_conditions
from tl_experts.embeddings.embeddings import Layer
from tl_experts.models import Model
from tl_experts.steering.tuning.building import Builder
from tl_experts.steering.tuning.space import Setting

TOGETHER = 2**28
"""Bytes of embeddings that are held at once, a quarter of a GiB."""

Key = TypeVar("Key")

Space = Mapping[str, Float[Tensor, "row dim"]]
"""Vectors by language, row by row translations of each other."""

Hits = Float[Tensor, " row"]
"""The share of ordered pairs of languages in which a row's sentence finds its translation."""


def every_layer(model: Model) -> list[Layer]:
    """All blocks, and the last hidden state."""
    return [*range(int(model.cfg.n_layers)), None]


def setting_spaces(
    model: Model, building: Builder, settings: Sequence[Setting | None], corpus: Corpus, layers: Sequence[Layer]
) -> Iterator[tuple[Setting | None, dict[Layer, Space]]]:
    """The embeddings of each different setting by layer and language, as many at once as fit in `TOGETHER` bytes.

    Args:
        model: either class.
        building: builds the settings; None among them is no intervention.
        settings: all possible for the builder.
        corpus: aligned.
        layers: as `embed_conditions` takes them.
    """
    different = list(dict.fromkeys(settings))
    size = max(2, TOGETHER // (4 * len(corpus) * len(layers) * int(model.cfg.d_model)))
    for start in range(0, len(different), size):
        some = different[start : start + size]
        conditions = [None if setting is None else building.build(setting) for setting in some]
        embedded = embed_conditions(model, corpus, conditions, layers=layers, progress=False)
        for setting, found in zip(some, embedded, strict=True):
            yield setting, {layer: embeddings.parallel() for layer, embeddings in found.items()}


def spaces_read(
    model: Model, building: Builder, reads: Mapping[Key, tuple[Setting | None, Layer]], corpus: Corpus
) -> Iterator[tuple[Key, Space]]:
    """The vectors under each setting at its layer; every setting reads the corpus once, up to the last layer it needs.

    Args:
        model: either class.
        building: builds the settings.
        reads: a setting and a layer, by a name of the caller's.
        corpus: aligned.
    """
    final = {setting for setting, layer in reads.values() if layer is None}
    for needs_final in (True, False):  # the passes of the others stop at the last of their layers
        own = {key: (one, layer) for key, (one, layer) in reads.items() if (one in final) == needs_final}
        if not own:
            continue
        layers = sorted({layer for _, layer in own.values()}, key=lambda layer: (layer is None, layer or 0))
        settings = [setting for setting, _ in own.values()]
        for setting, spaces in setting_spaces(model, building, settings, corpus, layers):
            yield from ((key, spaces[layer]) for key, (one, layer) in own.items() if one == setting)


def layer_name(layer: Layer) -> str:
    """A layer as tables name it."""
    return "last" if layer is None else str(layer)


def hits_of(space: Space, *, centred: bool) -> Hits:
    """Whether each row finds its translations, over all ordered pairs of languages.

    Args:
        space: at least two languages.
        centred: subtract each language's mean first.
    """
    return mean_hits(all_pair_ranks(centred_space(space) if centred else space).values())


def centred_space(space: Space) -> Space:
    """The vectors with each language's mean subtracted."""
    return {language: centre(vectors) for language, vectors in space.items()}


def mean_hits(ranks: Iterable[Tensor]) -> Hits:
    """The share of some pairs in which each row's translation ranks first.

    Args:
        ranks: ``[row]`` of each pair, 0 for the nearest.
    """
    return (torch.stack(list(ranks)) < 1).double().mean(dim=0)
