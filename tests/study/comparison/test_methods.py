"""What is compared: every scoring with every hold, and what shifts whole layers."""

from dataclasses import replace

import pytest

from tl_experts.errors import StudyError
from tl_experts.steering.tuning.space import ALL, VECTOR
from tl_experts.study.comparison.methods import methods


def test_every_scoring_meets_every_hold_and_the_language_vector_is_there(compare_config):
    found = methods(compare_config)
    assert [method.name for method in found] == [
        "auroc, set mean",
        "auroc, add diffmean",
        "all neurons, difference of means",
        "language vector",
    ]
    assert len({method.key for method in found}) == len(found)


def test_a_space_holds_the_method_only_and_the_vector_tries_single_layers(compare_config):
    for method in methods(compare_config):
        settings = method.space(compare_config, layers=8).settings()
        assert {setting.scoring for setting in settings} == {method.scoring}
        assert {f"{setting.operation} {setting.value}" for setting in settings} == {method.hold}
        if method.scoring == VECTOR:
            assert {setting.layers for setting in settings} > {None, (0,)}
        wanted = {"all", "generated"} if method.scoring in (ALL, VECTOR) else {"all"}
        assert {setting.positions for setting in settings} == wanted
        if method.scoring not in (ALL, VECTOR):
            assert {setting.count for setting in settings} == set(compare_config.counts)


def test_every_method_may_end_after_the_first_tokens(compare_config):
    config = replace(compare_config, first_tokens=(4, 8))
    for before, after in zip(methods(compare_config), methods(config), strict=True):
        wanted = set(before.space(compare_config, layers=8).positions) | {4, 8}
        assert {setting.positions for setting in after.space(config, layers=8).settings()} == wanted
    for wrong in ((0,), (4.5,), 4):
        with pytest.raises(StudyError, match="first_tokens"):
            replace(compare_config, first_tokens=wrong)


def test_retrieval_takes_strength_1_everywhere(compare_config):
    for method in methods(compare_config):
        for setting in method.retrieval_settings(compare_config):
            assert (setting.strength, setting.positions) == (1.0, "all")
