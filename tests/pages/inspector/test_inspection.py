"""The inspection holds what the model computes: responses, scores and extreme sentences."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tl_experts import Corpus, collect_responses, find_experts
from tl_experts.errors import TLExpertsError
from tl_experts.pages.inspector import inspect


@pytest.fixture(scope="module")
def found(llama, corpus):
    experts = find_experts(llama, corpus, k=5, progress=False)
    return inspect(llama, experts, corpus, progress=False)


def test_responses_and_scores_are_those_of_the_whole_model(llama, corpus, found):
    responses = collect_responses(llama, corpus, progress=False)
    layers, neurons = (np.array(column) for column in zip(*found.neurons, strict=True))
    expected = responses.values[:, responses.neurons.columns_of(layers, neurons)].numpy()
    np.testing.assert_allclose(found.responses, expected, rtol=1e-5, atol=1e-5)
    labels = np.array(corpus.labels) == "ja"
    auroc = [roc_auc_score(labels, found.responses[:, column]) for column in range(len(found.neurons))]
    np.testing.assert_allclose(found.auroc[:, corpus.languages.index("ja")], auroc, atol=1e-6)


def test_sentences_are_the_extremes_of_their_language(corpus, found):
    top, bottom = found.sentences(0, "de", count=2)
    mine = [index for index, label in enumerate(corpus.labels) if label == "de"]
    order = sorted(mine, key=lambda index: -found.responses[index, 0])
    assert (top, bottom) == (order[:2], order[:-3:-1])


def test_one_language_is_refused(llama, corpus):
    experts = find_experts(llama, corpus, k=2, progress=False)
    with pytest.raises(TLExpertsError, match="only one language"):
        inspect(llama, experts, Corpus.from_texts({"en": ["One."]}), progress=False)
