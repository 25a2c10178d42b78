"""What retrieval chose for a target: the setting, layer and rank of a method in every view, read from its table."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tl_experts.analysis.subspace import LanguageSubspace, language_subspace
from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.embeddings import Layer
from tl_experts.jobs.stages import Row, read_table
from tl_experts.steering.tuning.space import Setting
from tl_experts.study.comparison.alignment import choosing_rows
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.comparison.ceiling import CEILING
from tl_experts.study.comparison.methods import UNSTEERED
from tl_experts.study.comparison.views import ALL, viewed
from tl_experts.study.result import records
from tl_experts.study.spaces import Space, layer_name, spaces_read


@dataclass(frozen=True)
class Chosen:
    """A method in a view."""

    method: str
    view: str

    setting: Setting | None
    """None: no intervention."""

    layer: Layer

    rank: int | None
    """Of the language subspace that the view removes; None: it removes none."""

    dev_top1: float

    @property
    def told(self) -> Row:
        """As the rows of a table name it."""
        return {
            "method": self.method,
            "view": self.view,
            "setting": "" if self.setting is None else str(self.setting),
            "layer": layer_name(self.layer),
        }


def chosen(bench: CompareBench, target: str) -> list[Chosen]:
    """No intervention, and the method of the highest top-1 on the dev split, both in every view.

    Args:
        bench: whose folder has the table ``alignment`` of the target.
        target: the language whose neurons steer.
    """
    settings = {
        (method.name, str(setting)): setting
        for method in bench.methods
        for setting in bench.retrieval_settings(target, method)
    }
    found = [
        Chosen(
            method=row["method"],
            view=row["view"],
            setting=settings.get((row["method"], row["setting"])),
            layer=None if row["layer"] == "last" else int(row["layer"]),
            rank=_rank(row),
            dev_top1=row["dev_top1"],
        )
        for row in records(read_table(bench.folder, f"alignment-{target}"))
        if row["method"] != CEILING and row.get("languages", ALL) == ALL
    ]
    steered = [one for one in found if one.method != UNSTEERED]
    best = best_view(steered).method if steered else UNSTEERED
    return [one for one in found if one.method in (UNSTEERED, best)]


def best_view(found: Sequence[Chosen]) -> Chosen:
    """The one that did best on the dev split."""
    return max(found, key=lambda one: one.dev_top1)


def seen(bench: CompareBench, target: str, found: Sequence[Chosen], corpus: Corpus) -> Iterator[tuple[Chosen, Space]]:
    """The vectors of an aligned corpus as each of these views shows them.

    The directions that are removed are those of the dev split, as in retrieval.
    """
    building = bench.builder(target)
    reads = {one: (one.setting, one.layer) for one in found}
    removing = {one: read for one, read in reads.items() if one.rank is not None}
    fitted: dict[Chosen, LanguageSubspace] = {
        one: language_subspace(space, rank=one.rank)
        for one, space in spaces_read(bench.model, building, removing, choosing_rows(bench))
    }
    for one, space in spaces_read(bench.model, building, reads, corpus):
        yield one, viewed(space, one.view, fitted.get(one))


def _rank(row: Row) -> int | None:
    rank = row.get("rank", math.nan)
    return None if rank is None or math.isnan(rank) else int(rank)
