"""Romanised text: a language of its own beside the original, whose experts are measured on either script."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from tl_experts import collect_responses, embed
from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.analysis.vectors import centre
from tl_experts.study.comparison import romanised as stage
from tl_experts.study.comparison.methods import UNSTEERED
from tl_experts.study.comparison.romanised import romanised, romanised_code, with_romanised
from tl_experts.study.comparison.views import BEST_CENTRED, LAST_RAW

pytestmark = pytest.mark.slow

LATIN = romanised_code("ru")


@pytest.fixture(scope="module")
def found(russian):
    pytest.importorskip("anyascii", reason="the extra `romanise` is not installed")
    return {name: pd.DataFrame(rows) for name, rows in romanised(russian).items()}


def test_rows_are_translations_of_the_same_rows(russian):
    pytest.importorskip("anyascii", reason="the extra `romanise` is not installed")
    corpus = with_romanised(russian.test, "ru")
    rows = corpus.parallel()
    assert corpus.languages == (*russian.test.languages, LATIN)
    assert len(rows[LATIN]) == len(rows["ru"])
    cyrillic = re.compile("[\u0400-\u04ff]")
    assert not any(cyrillic.search(corpus.texts[row]) for row in rows[LATIN])
    assert all(cyrillic.search(corpus.texts[row]) for row in rows["ru"])


@pytest.mark.parametrize(("view", "layer"), [(LAST_RAW, None), (BEST_CENTRED, 4)])
def test_retrieval_is_that_of_the_embeddings_against_the_other_languages(found, russian, mini, view, layer):
    vectors = embed(mini, with_romanised(russian.test, "ru"), layer=layer, progress=False).parallel()
    space = {language: centre(own) for language, own in vectors.items()} if layer else vectors
    hits = {pair: float((ranks < 1).double().mean()) for pair, ranks in all_pair_ranks(space).items()}
    row = found["romanised"].set_index(["method", "view"]).loc[UNSTEERED, view]
    both = [hits[LATIN, "en"], hits[LATIN, "es"], hits["en", LATIN], hits["es", LATIN]]
    assert row["romanised"] == pytest.approx(np.mean(both))
    assert row["from_romanised"] == pytest.approx(np.mean(both[:2]))
    assert row["to_romanised"] == pytest.approx(np.mean(both[2:]))
    own = [hits["ru", "en"], hits["ru", "es"], hits["en", "ru"], hits["es", "ru"]]
    assert row["cyrillic"] == pytest.approx(np.mean(own))
    assert row["itself"] == pytest.approx((hits["ru", LATIN] + hits[LATIN, "ru"]) / 2)
    assert row["gain"] == pytest.approx(np.mean(both) - np.mean(own))


def test_experts_are_measured_on_either_script_against_the_other_languages(found, russian, mini):
    (row,) = found["romanised_experts"].to_dict("records")
    experts = russian.builder("ru").best("auroc", russian.config.silencing_count)
    assert row["neurons"] == experts.total == russian.config.silencing_count
    corpus = with_romanised(russian.test, "ru")
    responses = collect_responses(mini, corpus, progress=False)
    columns = [layer * mini.cfg.d_mlp + neuron for layer, neuron in zip(experts.layer, experts.neuron, strict=True)]
    labels = np.array(corpus.labels)
    for name, positive, left_out in (("cyrillic", "ru", LATIN), ("romanised", LATIN, "ru")):
        kept = labels != left_out
        values = responses.values[torch.from_numpy(kept)][:, columns].numpy()
        auroc = [roc_auc_score(labels[kept] == positive, column) for column in values.T]
        assert row[f"auroc_{name}"] == pytest.approx(np.mean(auroc), abs=1e-6)
        assert row[f"separate_{name}"] == pytest.approx(np.mean(np.array(auroc) >= 0.9))
    assert row["auroc_cyrillic"] > 0.9 > row["auroc_romanised"]  # script is what this model's experts see


def test_text_that_does_not_change_differs_in_nothing(russian, monkeypatch):
    monkeypatch.setattr(stage, "romanise", lambda text: text)
    tables = romanised(russian)
    for row in tables["romanised"]:
        assert row["gain"] == row["gain_low"] == row["gain_high"] == 0
        assert row["cyrillic"] == row["romanised"]
    (row,) = tables["romanised_experts"]
    assert row["auroc_cyrillic"] == row["auroc_romanised"]
