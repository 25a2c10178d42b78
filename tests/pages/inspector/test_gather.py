"""Activations at every token are those of a pass of the sentence alone."""

import numpy as np
import pytest
import torch

from tl_experts import Reading, collect_responses
from tl_experts.errors import SiteError
from tl_experts.models import hook_name, token_policy
from tl_experts.pages.inspector.gather import gather

NEURONS = [(1, 7), (0, 3), (1, 0)]
SITE = "mlp.hook_post"


@pytest.fixture(scope="module")
def found(llama, corpus):
    return gather(llama, corpus, NEURONS, SITE, progress=False)


def test_values_are_those_of_each_sentence_alone(llama, corpus, found):
    policy = token_policy(llama)
    lead = [] if policy.bos is None else [policy.bos]
    for sentence in (0, 2, len(corpus) - 1):
        ids = policy.encode([corpus.texts[sentence]])[0]
        with torch.inference_mode():
            _, cache = llama.run_with_cache(torch.tensor([[*lead, *ids]]))
        columns = [cache[hook_name(layer, SITE)][0, len(lead) :, neuron] for layer, neuron in NEURONS]
        np.testing.assert_allclose(found.of(sentence), torch.stack(columns, dim=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_pooled_values_are_the_collected_responses(pooling, llama, corpus, found):
    responses = collect_responses(llama, corpus, reading=Reading(pooling=pooling), progress=False)
    layers, neurons = (np.array(column) for column in zip(*NEURONS, strict=True))
    expected = responses.values[:, responses.neurons.columns_of(layers, neurons)].numpy()
    np.testing.assert_allclose(found.pooled(pooling), expected, rtol=1e-5, atol=1e-5)


def test_every_token_has_its_piece_of_the_sentence(corpus, found):
    for sentence, text in enumerate(corpus.texts):
        assert "".join(found.pieces[sentence]) == text
        assert len(found.pieces[sentence]) == len(found.of(sentence))
    assert found.starts[-1] == len(found.values)


def test_a_site_that_the_model_lacks_raises_an_error(llama, corpus):
    with pytest.raises(SiteError, match="layers 0 to 1"):
        gather(llama, corpus.head(1), [(2, 0)], SITE, progress=False)
