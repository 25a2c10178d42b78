"""Embeddings of several interventions equal those of one `steer` block each, bit by bit."""

from contextlib import nullcontext

import pytest
import torch

from tl_experts import Batching, Steering, experts_from_list, find_experts, load_sentences, steer
from tl_experts.embeddings import embed_conditions, embed_layers
from tl_experts.errors import ArtefactError, InterventionError, SiteError


@pytest.fixture(scope="module")
def sentences():
    return load_sentences("bundled", split="dev").head(6).only(["en", "de", "ja"])


@pytest.fixture(scope="module")
def conditions(mini, sentences):
    experts = find_experts(mini, sentences, k=40, progress=False)
    upper = experts_from_list(mini, {"de": [(5, 3, 2.0), (7, 8, 1.0), (5, 100, -3.0)]})["de"]
    kept = Steering(upper, operation="add", value="mean", strength=0.5, keep_norm=True)
    return [None, experts["de"], upper, kept, [upper, Steering(experts["ja"], operation="zero")]]


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_bits_are_those_of_one_steer_block_each(mini, sentences, conditions, side):
    batching = Batching(padding_side=side, token_budget=512)
    options = {"layers": [-1, 2, None], "batching": batching, "progress": False}
    found = embed_conditions(mini, sentences, conditions, **options)
    for condition, layers in zip(conditions, found, strict=True):
        with nullcontext() if condition is None else steer(mini, condition):
            expected = embed_layers(mini, sentences, **options)
        assert list(layers) == list(expected)
        for layer, embeddings in layers.items():
            assert torch.equal(embeddings.vectors, expected[layer].vectors), (condition, layer)
            assert embeddings.layer == layer


def test_what_is_no_condition_is_refused(mini, sentences, conditions, model_of):
    for wrong, message in (([], "at least one"), (["es"], "expected Experts or a Steering"), ([[]], "at least one")):
        with pytest.raises(InterventionError, match=message):
            embed_conditions(mini, sentences, wrong, progress=False)
    with pytest.raises(ArtefactError, match="another model"):
        embed_conditions(model_of("gpt2"), sentences, conditions, progress=False)
    with pytest.raises(SiteError, match="layers 0 to 7"):
        embed_conditions(mini, sentences, conditions, layers=[8], progress=False)
