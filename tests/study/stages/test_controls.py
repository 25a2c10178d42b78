"""Controls of every kind and seed."""

import pytest

from tests.study.tables import row


def test_controls_come_in_every_kind_and_seed(result):
    table = result["controls"]
    counts = table[table["target"] == "en"].groupby("control").size()
    assert counts.to_dict() == {
        "experts": 1,
        "random": 2,
        "random, same layers": 2,
        "experts of ja": 1,
        "experts of shuffled labels": 1,
    }
    summary = row(result["control_summary"], target="en", control="random", kind="all pairs")
    draws = table[(table["target"] == "en") & (table["control"] == "random")]["all pairs"]
    assert summary["top1"] == pytest.approx(draws.mean())
    assert summary["spread"] == pytest.approx(draws.std())
