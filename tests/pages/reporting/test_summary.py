"""The first screen names the winner, whichever it is, and says when intervals overlap."""

import pandas as pd
import pytest

from tl_experts.pages.reporting.summary import first_screen, sentence, standings, three


def study(**top1):
    """Baselines with one value per method and condition, in both directions of two targets, ± 0.02."""
    rows = [
        {"target": target, "condition": condition, "method": method.replace("_", " "), "kind": kind}
        | {"top1": value + sign * 0.01, "low": value - 0.02, "high": value + 0.02}
        for (condition, _, method), value in ((name.partition("_"), value) for name, value in top1.items())
        for target, sign in (("en", 1), ("ja", -1))
        for kind in ("target as query", "target as candidate")
    ]
    return {"baselines": pd.DataFrame([*rows, {**rows[0], "kind": "all pairs", "top1": 1.0}])}


def test_a_method_without_intervention_wins():
    found = study(pre_last_layer=0.05, post_last_layer=0.2, pre_best_layer=0.8, post_centred=0.4)
    assert sentence(found) == (
        "The best layer, without any intervention, retrieves most translations: 80.0%, against 20.0% for setting the "
        "language experts alone and 5.0% for the unchanged model."
    )
    assert [one.top1 for one in three(found)] == pytest.approx([0.05, 0.2, 0.8])
    assert [one.name for one in standings(found)] == [
        "best layer, no intervention",
        "centred, experts set",
        "experts set, nothing else",
        "unchanged model",
    ]


def test_the_intervention_wins():
    found = study(pre_last_layer=0.05, post_last_layer=0.5, pre_centred=0.3, post_subspace_removed=0.4)
    assert sentence(found).startswith("Setting the language experts alone retrieves most translations: 50.0%, against")
    assert "40.0% for removing the language subspace, with the experts set," in sentence(found)
    assert "overlap" not in sentence(found)


def test_overlapping_intervals_are_told():
    found = study(pre_last_layer=0.05, post_last_layer=0.5, pre_centred=0.47)
    assert "(their 95% intervals overlap)" in sentence(found)
    found = study(pre_last_layer=0.05, post_last_layer=0.5, pre_centred=0.45)
    assert "overlap" not in sentence(found)


def test_three_numbers_with_intervals():
    text = first_screen(study(pre_last_layer=0.05, post_last_layer=0.5, pre_centred=0.47))
    assert text.count("<li>") == 3
    assert "<b>50.0%</b> <span>48.0% to 52.0%</span> experts set, nothing else" in text
