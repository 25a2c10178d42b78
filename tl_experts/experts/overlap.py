"""How far several scorings choose the same neurons."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tl_experts.errors import SelectionError
from tl_experts.experts.experts import Experts, jaccard

if TYPE_CHECKING:
    import pandas as pd


def scoring_overlap(found: Mapping[str, Experts]) -> "dict[str, pd.DataFrame]":
    """The Jaccard index (shared / all) of the sets of every pair of scorings, for each language.

    Args:
        found: experts by the name of their scoring, all of the same languages.

    Returns:
        For each language a table ``[scoring scoring]``; 0 where both sets are empty.

    Raises:
        SelectionError: no experts, something else, or experts of different languages.

    Examples:
        >>> from tl_experts import find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> options = {"k": 5, "progress": False}
        >>> found = {name: find_experts(model, sentences, scoring=name, **options) for name in ("auroc", "ap")}
        >>> scoring_overlap(found)["es"].shape
        (2, 2)
    """
    import pandas as pd

    if not isinstance(found, Mapping) or not found:
        raise SelectionError(f"found is {found!r:.80}; expected experts by scoring, such as {{'auroc': experts}}")
    for name, experts in found.items():
        if not isinstance(experts, Experts):
            raise SelectionError(f"{name}: expected Experts, got {type(experts).__name__}; they come from find_experts")
    languages = next(iter(found.values())).languages
    for name, experts in found.items():
        if set(experts.languages) != set(languages):
            raise SelectionError(
                f"{name} has experts of {', '.join(experts.languages)}; expected {', '.join(languages)} for each"
            )
    names = pd.Index(found, name="scoring")
    tables = {}
    for language in languages:
        sets = [experts.neurons_of(language) for experts in found.values()]
        tables[language] = pd.DataFrame([[jaccard(a, b) for b in sets] for a in sets], index=names, columns=names)
    return tables
