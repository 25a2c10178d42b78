"""How sentence vectors are read, without any neuron: from which layer, centred or without the language subspace."""

from collections.abc import Collection, Mapping
from itertools import takewhile

import torch
from jaxtyping import Int
from torch import Tensor

from tl_experts.analysis.distances import language_distances, translation_distance
from tl_experts.analysis.isotropy import isoscore, mean_random_cosine
from tl_experts.analysis.retrieval import cosine_similarity, mexa
from tl_experts.analysis.subspace import LanguageSubspace, language_subspace, project_out
from tl_experts.corpus.languages import script_of
from tl_experts.study.spaces import Hits, Space, centred_space, hits_of, mean_hits

LAST_RAW = "last layer"
LAST_CENTRED = "last layer, centred"
LAST_REMOVED = "last layer, subspace removed"
BEST_RAW = "best layer"
BEST_CENTRED = "best layer, centred"
BEST_REMOVED = "best layer, subspace removed"
VIEWS = (LAST_RAW, LAST_CENTRED, LAST_REMOVED, BEST_RAW, BEST_CENTRED, BEST_REMOVED)
"""How embeddings are read: from which layer, as they are, with each language's mean subtracted (centred), or without
the directions in which the languages' means differ (subspace removed)."""

LAST = (LAST_RAW, LAST_CENTRED, LAST_REMOVED)
BEST = (BEST_RAW, BEST_CENTRED, BEST_REMOVED)
"""The same three of the last layer, and of the layer that is best on the dev split."""

ALL = "all"
"""The languages of a row: all of them."""

PIVOT = "en"
"""The language that MEXA compares every other with."""

Ranks = Mapping[tuple[str, str], Int[Tensor, " row"]]
"""Of every ordered pair, as `all_pair_ranks` gives them."""


def removes(view: str) -> bool:
    """Whether a view removes the language subspace."""
    return view in (LAST_REMOVED, BEST_REMOVED)


def viewed(space: Space, view: str, subspace: LanguageSubspace | None) -> Space:
    """The vectors of a view.

    Args:
        space: of the view's layer.
        view: one of `VIEWS`.
        subspace: what is removed; fitted on other sentences. Used by the views that remove it only.
    """
    if view in (LAST_CENTRED, BEST_CENTRED):
        return centred_space(space)
    if removes(view) and subspace is not None:
        return {language: project_out(vectors, subspace) for language, vectors in space.items()}
    return space


def best_rank(space: Space) -> int:
    """The number of directions without which most translations of these sentences are found.

    LSAR (Xie et al. 2022) removes all directions. Here 1, 2, 4, 8... and all are tried; of equals, the smallest wins.
    """
    most = len(space) - 1
    tried = [*takewhile(lambda rank: rank < most, (1 << power for power in range(most))), most]
    whole = language_subspace(space)

    def top1(rank: int) -> float:
        part = LanguageSubspace(whole.basis[:rank], whole.spread[:rank])
        return float(hits_of(viewed(space, LAST_REMOVED, part), centred=False).mean())

    return max(tried, key=top1)


def hits_by_kind(ranks: Ranks, languages: Collection[str], target: str) -> dict[str, Hits]:
    """Hits of some languages over all ordered pairs, from the target to the others, and from the others to it.

    Kinds without a pair, since the target is not one of the languages, are left out.
    """
    own = {pair: found for pair, found in ranks.items() if pair[0] in languages and pair[1] in languages}
    kinds = {
        "all": list(own.values()),
        "from_target": [found for (query, _), found in own.items() if query == target],
        "to_target": [found for (_, candidate), found in own.items() if candidate == target],
    }
    return {kind: mean_hits(found) for kind, found in kinds.items() if found}


def space_measures(space: Space) -> dict[str, float]:
    """What the shape of a space tells beside retrieval, of all its sentences.

    Returns:
        ``mexa``: MEXA of the layer with English as the pivot, the mean over the other languages (Kargaran et al. 2025;
        NaN without English); ``translation_distance`` and ``language_distance``: mean cosine distance of translations,
        and of any two sentences in different languages; ``mean_cosine`` and ``isoscore``: isotropy.
    """
    everything = torch.cat(list(space.values()))
    return {
        "mexa": mean_mexa(space),
        "translation_distance": translation_distance(space),
        "language_distance": language_distances(space).mean_pair(),
        "mean_cosine": mean_random_cosine(everything),
        "isoscore": isoscore(everything),
    }


def mean_mexa(space: Space) -> float:
    """MEXA with English as the pivot, the mean over the other languages; NaN without English."""
    others = [language for language in space if language != PIVOT]
    scores = [mexa(cosine_similarity(space[one], space[PIVOT])) for one in others] if PIVOT in space else []
    return sum(scores) / len(scores) if scores else float("nan")


def language_groups(languages: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """All languages, and those of the commonest script if that has two or more of them and not all.

    Languages of one script tell whether what was measured is a matter of language, or of script.

    Examples:
        >>> language_groups(("en", "ja", "fr"))
        {'all': ('en', 'ja', 'fr'), 'Latin script': ('en', 'fr')}
    """
    from langcodes import Language

    scripts = {language: script_of(language) for language in languages}
    commonest = max(scripts.values(), key=list(scripts.values()).count)
    own = tuple(language for language, script in scripts.items() if script == commonest)
    if not 2 <= len(own) < len(languages):
        return {ALL: languages}
    return {ALL: languages, f"{Language.make(script=commonest).script_name()} script": own}
