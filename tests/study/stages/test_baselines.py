"""Baselines: per-language centring by hand, the best layer, and the intervention itself."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_distances

from tests.study.tables import row


def test_the_intervention_stands_in_the_baselines_as_in_the_gains(result):
    gains = row(result["gains"], target="ja", condition="post", kind="all pairs")
    for condition in ("pre", "post"):
        found = row(result["baselines"], target="ja", condition=condition, method="last layer", kind="all pairs")
        assert found["top1"] == pytest.approx(gains[condition])
    first = row(result["controls"], target="ja", control="experts")
    assert first["all pairs"] == pytest.approx(gains["post"])


def test_centring_by_hand(result, spaces):
    space = {language: vectors - vectors.mean(axis=0) for language, vectors in spaces["en"].items()}
    hits = [
        (cosine_distances(space[a], space[b]).argmin(axis=1) == np.arange(10)).mean()
        for a in space
        for b in space
        if a != b
    ]
    found = row(result["baselines"], target="en", condition="post", method="centred", kind="all pairs")
    assert found["top1"] == pytest.approx(np.mean(hits))


def test_the_best_layer_is_chosen_on_dev(result):
    layers = result["layers"]
    chosen = layers[layers["chosen"]]
    assert len(chosen) == 1
    assert chosen["dev_top1"].item() == layers["dev_top1"].max()
    found = row(result["baselines"], target="en", condition="pre", method="best layer", kind="all pairs")
    assert found["top1"] == pytest.approx(chosen["top1"].item())
