"""Transport maps of a model's responses, fitted at once or layer by layer."""

import numpy as np
import pytest
import torch

from tests.steering.activations import TOKENS, read
from tl_experts import Reading, collect_responses, steer
from tl_experts.errors import InterventionError
from tl_experts.steering.maps import KINDS
from tl_experts.steering.transport import fit_transport, fit_transport_by_layer


@pytest.fixture(scope="module")
def responses(llama, corpus):
    return collect_responses(llama, corpus, progress=False)


@pytest.mark.parametrize("kind", KINDS)
def test_the_map_is_the_formula_of_the_two_languages_responses(responses, kind):
    labels = np.array(responses.corpus.labels)
    values = responses.values.double().numpy()
    for source, rows in [("en", labels == "en"), (None, labels != "de")]:
        found = fit_transport(responses, "de", source=source, kind=kind)
        slope, intercept = KINDS[kind](values[rows], values[labels == "de"])
        np.testing.assert_allclose(found.slope, slope, rtol=1e-6)
        np.testing.assert_allclose(found.intercept, intercept, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(found.lowest, values[rows].min(axis=0), rtol=1e-6)


def test_the_mapped_source_has_the_targets_mean(responses):
    labels = np.array(responses.corpus.labels)
    values = responses.values.numpy()
    found = fit_transport(responses, "ja", source="en")
    mapped = found.slope * values[labels == "en"] + found.intercept
    np.testing.assert_allclose(mapped.mean(axis=0), values[labels == "ja"].mean(axis=0), rtol=1e-4, atol=1e-5)


def test_layer_by_layer_the_first_layer_is_that_of_all_at_once_and_the_next_is_fitted_behind_it(
    llama, corpus, responses
):
    at_once = fit_transport(responses, "de", source="en", quantiles=None)
    by_layer = fit_transport_by_layer(llama, corpus, "de", source="en", quantiles=None, progress=False)
    assert by_layer.neurons == at_once.neurons
    np.testing.assert_allclose(by_layer.slope[:48], at_once.slope[:48], rtol=1e-4, atol=1e-5)
    assert not np.allclose(by_layer.slope[48:], at_once.slope[48:], rtol=1e-3)
    # What layer 1 was fitted on: English read by a model whose layer 0 is transported.
    with steer(llama, by_layer.only([0])):
        shifted = collect_responses(llama, corpus.only(["en"]), reading=Reading(layers=[1]), progress=False)
    german = collect_responses(llama, corpus.only(["de"]), reading=Reading(layers=[1]), progress=False)
    slope, intercept = KINDS["linear"](shifted.values.double().numpy(), german.values.double().numpy())
    np.testing.assert_allclose(by_layer.slope[48:], slope, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(by_layer.intercept[48:], intercept, rtol=1e-4, atol=1e-5)


def test_a_fitted_map_steers_and_leaves_no_trace(llama, responses):
    before = read(llama)
    with steer(llama, fit_transport(responses, "de", source="en", quantiles=None)):
        assert not torch.equal(read(llama), before)
    assert torch.equal(read(llama), before)
    assert TOKENS.shape == read(llama).shape[1:3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "fr"}, "target 'fr'"),
        ({"target": "de", "source": "fr"}, "source 'fr'"),
        ({"target": "de", "source": "de"}, "give two languages"),
        ({"target": "de", "kind": "cubic"}, "kind 'cubic'"),
        ({"target": "de", "quantiles": (1, 0)}, "quantiles is"),
    ],
)
def test_what_cannot_be_fitted_raises(responses, options, message):
    with pytest.raises(InterventionError, match=message):
        fit_transport(responses, **options)
