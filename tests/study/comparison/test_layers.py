"""MEXA by layer: every layer once, and the numbers of the table of spaces where both measure the same vectors."""

import pytest

from tl_experts.study.comparison.layers import layers
from tl_experts.study.comparison.methods import UNSTEERED
from tl_experts.study.comparison.views import ALL, BEST_RAW, LAST_RAW

pytestmark = pytest.mark.slow


def test_mexa_is_that_of_the_same_vectors_in_the_table_of_spaces(compared):
    table = compared["layers"].set_index(["method", "layer"])["mexa"]
    chosen, spaces = (rows[rows["languages"] == ALL] for rows in (compared["alignment"], compared["spaces"]))
    chosen = chosen[chosen["view"].isin((LAST_RAW, BEST_RAW))]
    spaces = spaces.set_index(["method", "view"])["mexa"]
    settings = set(compared["layers"]["setting"])
    same = [row for row in chosen.itertuples() if row.setting in settings and row.method in table]
    assert {UNSTEERED} < {row.method for row in same}
    for row in same:
        assert table[row.method, row.layer] == pytest.approx(spaces[row.method, row.view])


def test_every_layer_has_a_row_without_and_with_the_best_intervention(compared, mini):
    table = compared["layers"]
    assert list(table["target"].unique()) == ["", "es"]
    every = [*map(str, range(mini.cfg.n_layers)), "last"]
    for _, own in table.groupby("method"):
        assert list(own["layer"]) == every


def test_the_intervention_is_the_best_of_the_dev_split(russian):
    rows = layers(russian)["layers"]
    assert {row["method"] for row in rows} == {UNSTEERED, "auroc, set mean"}
    assert {row["setting"] for row in rows} == {"", "100 by auroc, set 1 x mean, all positions"}
