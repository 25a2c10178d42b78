"""Statistics measured for given neurons are those of the same neurons when they are found."""

from dataclasses import replace

import numpy as np
import pytest

from tests.experts.by_hand import assert_same, experts_of, select
from tl_experts.errors import SelectionError
from tl_experts.experts.find import select_experts


def test_given_neurons_get_the_statistics_of_found_ones(evidence):
    found = select(evidence, k=5)
    unknown = {name: np.full_like(column, np.nan) for name, column in found.statistics.items()}
    blank = replace(found, statistics=unknown, corpus="none")
    assert_same(blank.with_statistics(evidence.expertise, evidence.tokens), found)
    alone = blank["ru"].with_statistics(evidence.expertise)
    np.testing.assert_array_equal(alone.statistics["mean"], found["ru"].statistics["mean"])
    assert not {"token_mean", "token_negative_mean"} & set(alone.statistics)


@pytest.mark.parametrize("change", [{"site": "mlp.hook_pre"}, {"pooling": "mean"}, {"fingerprint": {}}], ids=str)
def test_expertise_of_another_reading_or_model_is_refused(evidence, change):
    experts = replace(select(evidence, k=2), **change)
    with pytest.raises(SelectionError, match=f"differ in {next(iter(change))}"):
        experts.with_statistics(evidence.expertise)


def test_expertise_without_the_language_or_the_layer_is_refused(expertise):
    experts = select_experts(expertise, k=2)
    renamed = replace(experts, languages=("en", "de", "zh-Hant"))
    with pytest.raises(SelectionError, match="language 'de' was not scored"):
        renamed.with_statistics(expertise)
    same = {name: getattr(expertise, name) for name in ("site", "pooling", "fingerprint")}
    elsewhere = replace(experts_of({"en": [(7, 3)]}, table=replace(expertise.neurons, widths=(3, 5, 9))), **same)
    assert elsewhere.with_statistics(expertise).total == 1
    beyond = replace(experts_of({"en": [(7, 8)]}, table=replace(expertise.neurons, widths=(3, 5, 9))), **same)
    with pytest.raises(SelectionError, match="was not scored"):
        beyond.with_statistics(expertise)
