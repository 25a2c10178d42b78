"""Correlations are scipy's."""

import pytest
from scipy import stats

from tests.study.tables import row


def test_correlations_are_scipys(result):
    table = result["candidates"]
    mine = table[table["target"] == "en"]
    assert len(mine) == 3
    found = row(result["correlations"], target="en", of="d_post~d_pre")
    expected = stats.pearsonr(mine["distance post"], mine["distance pre"]).statistic
    assert found["r"] == pytest.approx(expected)
    assert {"acc_post~d_post", "acc_pre~d_pre", "gain~d_pre-d_post"} < set(result["correlations"]["of"])
