"""The neurons of a comparison that the inspector shows: of all its methods, those of the one that writes best."""

from dataclasses import replace
from functools import reduce
from operator import or_

from tl_experts.errors import ArtefactError
from tl_experts.experts.experts import Experts
from tl_experts.steering.steering import Steering
from tl_experts.steering.tuning.result import TuneResult
from tl_experts.steering.tuning.space import SHIFTS
from tl_experts.steering.wording import in_words
from tl_experts.study.comparison.evidence import best_of
from tl_experts.study.comparison.methods import Method, methods, tuning_folder
from tl_experts.study.comparison.result import CompareResult


def compared_experts(result: CompareResult) -> Experts:
    """The neurons of `best_chooser` for every target, as many as its best setting holds.

    A target that this method never wrote is left out.

    Raises:
        ArtefactError: it wrote none of them, or the results of its search are missing or damaged.
    """
    method = best_chooser(result)
    tuned = [TuneResult.load(tuning_folder(result.folder, target, method)).found for target in result.config.targets]
    found = [steering.experts for steering in tuned if isinstance(steering, Steering)]
    if not found:
        raise ArtefactError(
            f"no method of the comparison in {result.folder} that chooses neurons wrote one of its targets, so there "
            "are no neurons to show; find some with `tl-experts find MODEL` and inspect its folder"
        )
    return replace(reduce(or_, found), selection=f"best setting for writing ({in_words(method.name)})")


def best_chooser(result: CompareResult) -> Method:
    """The method whose texts have the highest score, mean over targets, of those that choose neurons by a scoring."""
    chosen = {method.name: method for method in methods(result.config) if method.scoring not in SHIFTS}
    table = result["writing"]
    return chosen[best_of(table[table["method"].isin(chosen)], "score")]
