"""Retrieval is that of plain cosines; gains are differences with an interval around them."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_distances

from tests.study.tables import row


@pytest.mark.parametrize("target", ["en", "ja"])
def test_retrieval_is_that_of_plain_cosines(result, spaces, target):
    for condition, queries, candidates in (
        ("pre", spaces[""], spaces[""]),
        ("post", spaces[target], spaces[target]),
        ("mixed", spaces[""], spaces[target]),
    ):
        table = result["retrieval"]
        table = table[(table["condition"] == condition) & (table["measure"] == "cosine")]
        table = table[table["target"] == ("" if condition == "pre" else target)]
        assert len(table) == 4 * 3
        for query, candidate in (("en", "ja"), ("ja", "en"), ("de", "fr")):
            order = cosine_distances(queries[query], candidates[candidate]).argsort(axis=1)
            ranks = np.array([list(line).index(place) for place, line in enumerate(order)])
            found = row(table, query=query, candidate=candidate)
            assert found["top1"] == pytest.approx((ranks == 0).mean())
            assert found["top5"] == pytest.approx((ranks < 5).mean())
            assert found["mrr"] == pytest.approx((1 / (ranks + 1)).mean())


def test_gains_are_differences_with_an_interval_around_them(result):
    for _, found in result["gains"].iterrows():
        assert found["gain"] == pytest.approx(found["post"] - found["pre"])
        assert found["low"] <= found["gain"] + 1e-6
        assert found["gain"] <= found["high"] + 1e-6
        assert found["p"] <= found["p_holm"] <= 1
    assert set(result["gains"]["kind"]) == {"target as query", "target as candidate", "other pairs", "all pairs"}


def test_the_spread_of_gains_is_over_candidates(result):
    gains = result["pair_gains"]
    mine = gains[gains["query"] == gains["target"]]
    spread = result["gain_spread"].set_index("target")
    assert spread.loc["ja", "median"] == pytest.approx(mine[mine["target"] == "ja"]["gain"].median())
    assert spread.loc["all", ["least", "most"]].tolist() == [mine["gain"].min(), mine["gain"].max()]
    assert spread.loc["all", "candidates"] == len(mine) == 6
