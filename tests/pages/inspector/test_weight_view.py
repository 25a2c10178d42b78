"""A neuron's tokens and readers are the extremes of its weights' scores."""

import pytest
import torch

from tl_experts.models import promoted_logits, read_scores, reading_cosines, written_directions
from tl_experts.pages.inspector.weight_view import WeightView, weight_views

NEURONS = [(1, 7), (0, 3)]


@pytest.fixture(scope="module")
def views(llama):
    return weight_views(llama, NEURONS, "mlp.hook_post", count=4)


def test_promoted_and_suppressed_tokens_are_the_extremes_of_the_logits(llama, views):
    for (layer, neuron), found in zip(NEURONS, views, strict=True):
        logits = promoted_logits(llama, written_directions(llama, layer, [neuron]))[0][: len(llama.tokenizer)]
        for scored, order in ((found.promoted, logits.argsort(descending=True)), (found.suppressed, logits.argsort())):
            assert [score for _, score in scored] == pytest.approx(logits[order[:4]].tolist())
            assert scored[0][0] == llama.tokenizer.decode([int(order[0])])


def test_read_tokens_excite_the_neuron_most(llama, views):
    for (layer, neuron), found in zip(NEURONS, views, strict=True):
        scores = read_scores(llama, layer, [neuron])[0][: len(llama.tokenizer)]
        assert [score for _, score in found.read] == pytest.approx(scores.sort(descending=True).values[:4].tolist())


def test_readers_are_the_later_neurons_of_the_largest_cosine_of_either_sign(llama, views):
    last, first = views
    assert last.readers == (), "no layer follows the last"
    cosines = reading_cosines(llama, 1, written_directions(llama, 0, [3]))[0]
    order = cosines.abs().argsort(descending=True)[:4]
    assert [(layer, neuron) for layer, neuron, _ in first.readers] == [(1, neuron) for neuron in order.tolist()]
    assert [cosine for *_, cosine in first.readers] == pytest.approx(cosines[order].tolist())
    assert cosines.min() < 0 < cosines.max()


@pytest.mark.parametrize("site", ["hook_resid_post", "attn.hook_z"])
def test_a_site_outside_the_mlp_has_no_weights_to_read(llama, site):
    assert weight_views(llama, NEURONS, site) == [WeightView(), WeightView()]


def test_at_most_count_tokens_are_listed_and_never_more_than_there_are(llama):
    size = len(llama.tokenizer)
    (found,) = weight_views(llama, [(0, 0)], "mlp.hook_post", count=10**6)
    assert len(found.promoted) == len(found.suppressed) == size
    assert torch.tensor([score for _, score in found.promoted]).diff().le(0).all()
