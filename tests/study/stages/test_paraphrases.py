"""Paraphrases and pair sets, measured under every condition."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_distances

from tests.study.tables import row
from tl_experts import (
    Corpus,
    embed,
    steer,
)


def test_paraphrases_by_language_and_condition(result):
    table = result["paraphrases"]
    assert set(table["condition"]) == {"pre", "post", "mixed"}
    assert (table["top1_hard"] <= table["top1"] + 1e-9).all()  # more candidates find no more
    assert set(table[table["neurons"] == "random"]["language"]) == {"en", "ja"}
    one, other = (row(table, target=t, language="de", condition="pre", neurons="experts") for t in ("en", "ja"))
    assert one["top1"] == other["top1"]


def test_pair_sets_are_measured_for_the_targets_in_them(result, model, experts):
    table = result["pair_sets"]
    assert list(zip(table["target"], table["query"], table["candidate"], strict=True)) == [
        ("en", "de", "en"),
        ("en", "en", "de"),
    ]
    pairs = Corpus.from_texts({"de": ["eins", "zwei", "drei"], "en": ["one", "two", "three"]}, aligned=True)
    with steer(model, experts["en"]):
        space = {language: v.numpy() for language, v in embed(model, pairs, progress=False).parallel().items()}
    hits = cosine_distances(space["en"], space["de"]).argmin(axis=1) == np.arange(3)
    assert row(table, query="en")["post"] == pytest.approx(hits.mean())
