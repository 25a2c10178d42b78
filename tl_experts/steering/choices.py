"""What an intervention is made of: the sentences it steers to and from, and the layers it acts in."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tl_experts.corpus.languages import language_code
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import InterventionError, require_choice
from tl_experts.responses.neurons import NeuronTable


def language_rows(corpus: Corpus, target: str, source: str | None) -> tuple[list[int], list[int]]:
    """Indices of the target's sentences and of the source's.

    Args:
        corpus: the sentences.
        target: a language.
        source: another; None: all others.

    Raises:
        InterventionError: a language without sentences, or source and target are one.
    """
    wanted = language_code(target)
    require_choice(wanted, corpus.languages, "target", InterventionError)
    sources = set(corpus.languages) - {wanted}
    if source is not None:
        require_choice(language_code(source), corpus.languages, "source", InterventionError)
        sources = {language_code(source)}
    if not sources or wanted in sources:
        raise InterventionError(f"target is {wanted}, and so is every source sentence; give two languages")
    return (
        [index for index, label in enumerate(corpus.labels) if label == wanted],
        [index for index, label in enumerate(corpus.labels) if label in sources],
    )


def layer_columns(table: NeuronTable, layers: Sequence[int]) -> tuple[NeuronTable, NDArray[np.int64]]:
    """The table of some of the layers, and the columns that they have in the whole table.

    Raises:
        InterventionError: no layer, or one that is not in the table.
    """
    unknown = sorted(set(layers) - set(table.layers))
    if unknown or not layers:
        raise InterventionError(f"layers {list(layers)}: choose among {', '.join(map(str, table.layers))}")
    kept = table.only(layers)
    return kept, np.concatenate([np.arange(table.total)[table.span(layer)] for layer in kept.layers])
