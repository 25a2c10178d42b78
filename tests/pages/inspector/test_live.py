"""Answers about any neuron, and a prompt continued before and after an intervention."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from tl_experts import steer
from tl_experts.errors import SelectionError, TLExpertsError
from tl_experts.pages.inspector.live import Live
from tl_experts.pages.inspector.weight_view import weight_views
from tl_experts.steering.generation import generate_texts

PROMPT = "The cat"


@pytest.fixture(scope="module")
def live(llama, experts, responses):
    return Live(llama, experts, responses)


def column(responses, layer, neuron):
    return responses.values[:, responses.neurons.span(layer).start + neuron].numpy()


def test_a_view_has_scikit_learns_scores_and_the_range_of_the_responses(live, responses, corpus):
    view = live.view(1, 9)
    values = column(responses, 1, 9)
    for language in corpus.languages:
        mine = np.array(corpus.labels) == language
        assert view.auroc[language] == pytest.approx(roc_auc_score(mine, values), abs=1e-6)
        assert view.ap[language] == pytest.approx(average_precision_score(mine, values), abs=1e-6)
    assert (view.low, view.high) == (values.min(), values.max())


def test_the_sentences_of_a_neuron_have_the_largest_responses_of_each_language(live, responses, corpus):
    values = column(responses, 0, 4)
    found = live.tokens(0, 4, count=2)
    assert [language for language, *_ in found] == [language for language in corpus.languages for _ in range(2)]
    for language in corpus.languages:
        mine = sorted(values[np.array(corpus.labels) == language], reverse=True)[:2]
        assert [response for there, response, *_ in found if there == language] == pytest.approx(mine)
    for _, response, activations, row in found:
        assert activations.of(row).max() == pytest.approx(response, rel=1e-4, abs=1e-5)


def test_the_view_of_a_neuron_is_that_of_its_weights(live, llama):
    assert live.weights(1, 2) == weight_views(llama, [(1, 2)], "mlp.hook_post")[0]


def test_a_comparison_is_one_prompt_without_and_with_the_experts(live, llama, experts):
    found = live.compare_experts(PROMPT, "ja", 3, seed=4, tokens=6)

    def text():
        return generate_texts(llama, 1, seed=4, prompt=PROMPT, max_new_tokens=6, progress=False)[0]

    def logits():
        with torch.inference_mode():
            return llama(torch.tensor([[llama.tokenizer.bos_token_id, *tokens]]))[0, -1]

    tokens = llama.tokenizer(PROMPT, add_special_tokens=False)["input_ids"]
    before, first = text(), logits()
    with steer(llama, experts["ja"].head(3)):
        after, then = text(), logits()
    assert (found.before, found.after) == (before, after)
    change = (then - first).sort(descending=True).values.tolist()
    assert [value for _, value in found.logits] == pytest.approx([*change[:8], *change[-8:]], abs=1e-4)
    for probabilities in (found.probability_before, found.probability_after):
        assert len(probabilities) == len(found.languages) == 4
        assert sum(probabilities) == pytest.approx(1)
    assert text() == before, "the intervention ends with the comparison"


def test_one_neuron_is_set_at_every_token_for_the_comparison_only(live, llama):
    unchanged = live.compare_neuron(PROMPT, 1, 3, 5.0, tokens=4)
    assert unchanged.before == live.compare_neuron(PROMPT, 1, 3, -5.0, tokens=4).before
    up, down = (dict(live.compare_neuron(PROMPT, 1, 3, value, tokens=4).logits) for value in (50.0, -50.0))
    assert max(map(abs, up.values())) > 0.1
    assert up != down


@pytest.mark.parametrize(("layer", "neuron"), [(2, 0), (-1, 0), (1, 48), (1, -1)])
def test_a_neuron_that_the_model_lacks_raises_an_error(live, layer, neuron):
    assert live.view(1, 47).neuron == 47
    message = rf"no neuron L{layer} N{neuron}: layers are 0 to 1"
    for question in (live.view, live.tokens, live.weights):
        with pytest.raises(SelectionError, match=message):
            question(layer, neuron)
    with pytest.raises(SelectionError, match=message):
        live.compare_neuron(PROMPT, layer, neuron, 1.0)


def test_a_comparison_needs_a_prompt_a_finite_value_and_enough_experts(live):
    with pytest.raises(TLExpertsError, match="prompt is empty"):
        live.compare_experts("", "ja", 3)
    with pytest.raises(TLExpertsError, match="value is nan"):
        live.compare_neuron(PROMPT, 0, 0, float("nan"))
    with pytest.raises(SelectionError, match=r"ja has 5 experts; give 1 to 5"):
        live.compare_experts(PROMPT, "ja", 6)
