"""The measures of the page are those of the scorings, on the inspected neurons alone."""

import numpy as np
import pytest

from tl_experts import collect_both, score_responses
from tl_experts.experts.differences import mean_difference, token_mean_difference
from tl_experts.experts.evidence import Evidence
from tl_experts.pages.inspector.gather import gather
from tl_experts.pages.inspector.measured import MEASURES, sentence_measures, token_measures

NEURONS = [(0, 3), (1, 7)]


@pytest.fixture(scope="module")
def evidence(llama, corpus):
    responses, tokens = collect_both(llama, corpus, progress=False)
    return Evidence(score_responses(responses, progress=False), responses, tokens)


def columns(evidence):
    return evidence.expertise.neurons.columns_of(*np.array(NEURONS).T)


def labels_of(corpus):
    return np.array([corpus.languages.index(label) for label in corpus.labels])


def test_measures_of_sentences_are_those_of_the_scorings(evidence, corpus):
    chosen = columns(evidence)
    found = sentence_measures(evidence.responses.values[:, chosen].numpy(), labels_of(corpus), 4)
    np.testing.assert_allclose(found["auroc"], evidence.expertise.auroc[chosen], atol=1e-6)
    np.testing.assert_allclose(found["ap"], evidence.expertise.ap[chosen], atol=1e-6)
    np.testing.assert_allclose(found["mean"], evidence.expertise.mean[chosen], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["d"], mean_difference(evidence)[chosen], rtol=1e-3, atol=1e-4)


def test_measures_of_tokens_are_those_of_the_token_statistics(evidence, llama, corpus):
    chosen = columns(evidence)
    activations = gather(llama, corpus, NEURONS, "mlp.hook_post", progress=False)
    labels = np.repeat(labels_of(corpus), np.diff(activations.starts))
    found = token_measures(activations.values, labels, 4)
    np.testing.assert_allclose(found["token_mean"], evidence.tokens.mean.T[chosen], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found["token_share"], evidence.tokens.share_over_zero.T[chosen], atol=0.02)
    np.testing.assert_allclose(found["token_d"], token_mean_difference(evidence)[chosen], rtol=1e-2, atol=1e-3)
    assert {*found, "auroc", "ap", "d", "mean"} == set(MEASURES)
