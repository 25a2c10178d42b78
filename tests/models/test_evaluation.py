"""Passes run in evaluation mode and put the mode back."""

import pytest
import torch

from tests.copies import own_copy
from tl_experts import collect_responses, embed
from tl_experts.models import site_widths
from tl_experts.models.evaluation import evaluating
from tl_experts.steering.generation import generate_texts, text_perplexity


@pytest.fixture
def training(bridge_of):
    """GPT-2 has dropout of 0.1 wherever it can be."""
    return own_copy(bridge_of("gpt2")).train()


def modes(model) -> list[bool]:
    return [module.training for module in [*model.modules(), *model.original_model.modules()]]


@pytest.mark.parametrize(
    "measure",
    [
        lambda model, corpus: collect_responses(model, corpus, progress=False).values,
        lambda model, corpus: embed(model, corpus, progress=False).vectors,
        lambda model, corpus: text_perplexity(model, "The cat sleeps on the roof.", progress=False).nats,
        lambda model, corpus: generate_texts(model, 2, seed=0, max_new_tokens=5, progress=False),
        lambda model, corpus: site_widths(model, "mlp.hook_post"),
    ],
    ids=["responses", "embeddings", "perplexity", "generation", "widths"],
)
def test_a_model_in_training_mode_measures_as_in_evaluation_mode(measure, training, bridge_of, corpus):
    expected = measure(bridge_of("gpt2"), corpus)
    before = modes(training)
    found = measure(training, corpus)
    assert torch.equal(found, expected) if isinstance(found, torch.Tensor) else found == expected
    assert modes(training) == before
    assert all(before)


def test_a_plain_pass_of_this_model_does_drop_out(training):
    tokens = torch.arange(3, 23)[None]
    with torch.inference_mode():
        assert not torch.equal(training(tokens), training(tokens))


def test_each_module_gets_its_own_mode_back_also_nested_and_after_an_exception(training):
    training.blocks[0].eval()
    before = modes(training)
    assert len(set(before)) == 2
    with evaluating(training):
        with pytest.raises(KeyError), evaluating(training):
            raise KeyError
        assert not any(modes(training))
    assert modes(training) == before
