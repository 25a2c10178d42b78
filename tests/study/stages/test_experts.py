"""Experts against sentence length: scikit-learn's AUROC and pairs counted by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.study.tables import row
from tl_experts import (
    Batching,
    Reading,
    collect_responses,
)


def test_length_confound_is_scikit_learns_auroc(result, model, dev):
    lengths = [len(ids) for ids in model.tokenizer(list(dev.texts), add_special_tokens=False)["input_ids"]]
    auroc = roc_auc_score([label == "ja" for label in dev.labels], lengths)
    assert row(result["stability"], target="ja")["length_auroc"] == pytest.approx(max(auroc, 1 - auroc), abs=1e-6)


def test_experts_are_compared_among_sentences_of_similar_length(result, model, dev, experts):
    tokens = np.array([len(ids) for ids in model.tokenizer(list(dev.texts), add_special_tokens=False)["input_ids"]])
    responses = collect_responses(model, dev, reading=Reading(batching=Batching(truncate=True)), progress=False)
    mine = experts["ja"]
    values = responses.values[:, responses.neurons.columns_of(mine.layer, mine.neuron)].numpy()
    is_ja = np.array(dev.labels) == "ja"
    edges = np.unique(np.quantile(tokens, np.arange(1, 10) / 10))
    stratum = (tokens[:, None] >= edges).sum(axis=1)
    won, pairs = np.zeros(mine.total), 0
    for i in np.flatnonzero(is_ja):
        for j in np.flatnonzero(~is_ja & (stratum == stratum[i])):
            won += (values[i] > values[j]) + 0.5 * (values[i] == values[j])
            pairs += 1
    found = row(result["stability"], target="ja")
    assert found["auroc_length_matched"] == pytest.approx((won / pairs).mean(), abs=1e-6)
    lead = mine.statistics["auroc"] - 0.5
    assert found["tracks_length"] == pytest.approx(np.mean(won / pairs - 0.5 < 0.5 * lead))
