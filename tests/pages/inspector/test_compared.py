"""Of a comparison's methods, the inspector shows the neurons of the one that writes best."""

from dataclasses import replace

import pytest

from tl_experts.errors import ArtefactError
from tl_experts.pages.inspector.compared import best_chooser, compared_experts
from tl_experts.steering.tuning.result import TuneResult
from tl_experts.study.comparison.methods import methods, tuning_folder

pytestmark = pytest.mark.slow


def with_scores(compared, scores):
    table = compared["writing"].copy()
    table["score"] = table["method"].map(scores).fillna(0.0)
    return replace(compared, tables=compared.tables | {"writing": table})


@pytest.mark.parametrize("best", ["auroc, set mean", "auroc, add diffmean"])
def test_the_best_writer_is_the_method_of_the_highest_score_that_has_neurons(best, compared):
    changed = with_scores(compared, {best: 0.5, "language vector": 0.9, "prompt in the language": 1.0})
    assert best_chooser(changed).name == best


def test_the_neurons_are_those_of_its_best_setting(compared):
    changed = with_scores(compared, {"auroc, set mean": 0.5})
    (method,) = (method for method in methods(compared.config) if method.name == "auroc, set mean")
    found = TuneResult.load(tuning_folder(compared.folder, "es", method)).found
    experts = compared_experts(changed)
    assert experts.neurons_of("es") == found.experts.neurons_of("es")
    assert experts.selection == "best setting for writing (AUROC, set to the mean)"
    assert "auroc" in experts.statistics


def test_where_no_method_wrote_a_target_the_error_says_what_to_do(compared, monkeypatch):
    load = TuneResult.load
    monkeypatch.setattr(TuneResult, "load", lambda folder: replace(load(folder), found=None))
    with pytest.raises(ArtefactError, match=r"no neurons to show; find some with `tl-experts find MODEL`"):
        compared_experts(compared)
