"""Responses are pooled over a sentence's own tokens, whatever the batches, and equal what run_with_cache holds."""

import pytest
import torch

from tests.conftest import ARCHITECTURES, CONVERTED
from tl_experts import (
    Batching,
    Reading,
    collect_responses,
    find_experts,
    responses_from_cache,
)
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import ModelError, ResponseError, SiteError
from tl_experts.models import SITES, fingerprint_difference, hook_name, text_batches, token_policy
from tl_experts.responses.collect import Responses
from tl_experts.responses.neurons import NeuronTable

QUIET = {"progress": False}


def one_by_one(model, corpus, site, pooling):
    """The definition: each sentence alone, through run_with_cache, no padding, BOS dropped."""
    policy = token_policy(model)
    rows = []
    for ids in policy.encode(corpus.texts):
        lead = [] if policy.bos is None else [policy.bos]
        _, cache = model.run_with_cache(torch.tensor([[*lead, *ids]]))
        layers = [cache[hook_name(layer, site)][0, len(lead) :].flatten(1) for layer in range(model.cfg.n_layers)]
        rows.append(torch.cat([layer.amax(0) if pooling == "max" else layer.mean(0) for layer in layers]))
    return torch.stack(rows)


@pytest.mark.parametrize("pooling", ["max", "mean"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_responses_equal_the_definition(architecture, pooling, model_of, corpus):
    model = model_of(architecture)
    responses = collect_responses(model, corpus, reading=Reading(pooling=pooling), **QUIET)
    torch.testing.assert_close(
        responses.values, one_by_one(model, corpus, "mlp.hook_post", pooling), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("site", SITES)
def test_every_site_equals_the_definition(site, llama, corpus):
    small = corpus.head(2)
    values = collect_responses(llama, small, reading=Reading(site=site), **QUIET).values
    torch.testing.assert_close(values, one_by_one(llama, small, site, "max"), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("budget", [1, 7 * 30, 64 * 30])
@pytest.mark.parametrize("architecture", ["llama", "bloom", "gpt2", "gemma3"])
def test_batches_and_padding_do_not_matter(architecture, budget, side, model_of, corpus):
    model = model_of(architecture)
    expected = collect_responses(model, corpus, reading=Reading(batching=Batching(token_budget=1)), **QUIET).values
    actual = collect_responses(
        model, corpus, reading=Reading(batching=Batching(token_budget=budget, padding_side=side)), **QUIET
    ).values
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_batches_and_padding_do_not_matter_to_the_bridge(side, bridge_of, corpus):
    for architecture in ("llama", "bloom", "gpt2", "cohere"):
        expected = collect_responses(
            bridge_of(architecture), corpus, reading=Reading(batching=Batching(token_budget=1)), **QUIET
        ).values
        actual = collect_responses(
            bridge_of(architecture), corpus, reading=Reading(batching=Batching(padding_side=side)), **QUIET
        ).values
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_the_order_of_sentences_does_not_matter(llama, corpus):
    shuffled = torch.randperm(len(corpus), generator=torch.Generator().manual_seed(1)).tolist()
    expected = collect_responses(llama, corpus, **QUIET).values[shuffled]
    torch.testing.assert_close(
        collect_responses(llama, corpus.take(shuffled), **QUIET).values, expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("architecture", CONVERTED)
def test_both_model_classes_respond_alike(architecture, model_of, bridge_of, corpus):
    hooked = collect_responses(model_of(architecture), corpus, **QUIET)
    bridge = collect_responses(bridge_of(architecture), corpus, **QUIET)
    torch.testing.assert_close(hooked.values, bridge.values, rtol=1e-4, atol=1e-4)
    assert fingerprint_difference(hooked.fingerprint, bridge.fingerprint) is None


@pytest.mark.parametrize("architecture", CONVERTED)
def test_both_model_classes_have_the_same_experts(architecture, model_of, bridge_of, corpus):
    hooked = find_experts(model_of(architecture), corpus, k=10, progress=False)
    bridge = find_experts(bridge_of(architecture), corpus, k=10, progress=False)
    for language in corpus.languages:
        assert hooked.neurons_of(language) == bridge.neurons_of(language)
    for name, column in hooked.statistics.items():
        torch.testing.assert_close(torch.tensor(column), torch.tensor(bridge.statistics[name]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_responses_from_a_cache_equal_the_collected_ones(pooling, llama, corpus):
    collected = collect_responses(llama, corpus, reading=Reading(pooling=pooling), **QUIET)
    for batch in text_batches(llama, corpus.texts):
        _, cache = llama.run_with_cache(batch.tokens, names_filter=lambda name: name.endswith("hook_post"))
        own = corpus.take(batch.indices.tolist())
        ours = responses_from_cache(llama, cache, own, batch.pooled, reading=Reading(pooling=pooling))
        torch.testing.assert_close(ours.values, collected.values[batch.indices], rtol=1e-5, atol=1e-5)
        assert ours.neurons == collected.neurons


def test_a_cache_without_the_site_or_with_other_rows_is_refused(llama, corpus):
    tokens = torch.tensor([[0, 5, 6]])
    _, cache = llama.run_with_cache(tokens, names_filter=lambda name: name.startswith("blocks.0."))
    one = corpus.take([0])
    mask = torch.tensor([[False, True, True]])
    with pytest.raises(SiteError, match=r"lacks 'blocks\.1\.mlp\.hook_post'.*names_filter"):
        responses_from_cache(llama, cache, one, mask)
    assert responses_from_cache(llama, cache, one, mask, reading=Reading(layers=[0])).values.shape == (1, 48)
    with pytest.raises(ResponseError, match="1 rows for 24 sentences"):
        responses_from_cache(llama, cache, corpus, mask, reading=Reading(layers=[0]))
    with pytest.raises(ResponseError, match="at least one True"):
        responses_from_cache(llama, cache, one, torch.zeros_like(mask), reading=Reading(layers=[0]))


def test_chosen_layers_are_the_columns_of_all_layers(llama, corpus):
    both = collect_responses(llama, corpus, **QUIET)
    second = collect_responses(llama, corpus, reading=Reading(layers=[1]), **QUIET)
    assert torch.equal(second.values, both.values[:, 48:])
    assert second.neurons == NeuronTable((1,), (48,))
    assert second.neurons.describe(5) == both.neurons.describe(53) == "L1 N5"


def test_bos_is_read_but_never_pooled(model_of, corpus):
    model = model_of("llama")
    with_bos = collect_responses(model, corpus, reading=Reading(batching=Batching(prepend_bos=True)), **QUIET).values
    without = collect_responses(model, corpus, reading=Reading(batching=Batching(prepend_bos=False)), **QUIET).values
    assert not torch.allclose(with_bos, without, atol=1e-3)
    policy = token_policy(model, prepend_bos=True)
    _, cache = model.run_with_cache(torch.tensor([[policy.bos, *policy.encode(corpus.texts[:1])[0]]]))
    expected = cache["blocks.0.mlp.hook_post"][0, 1:].amax(0)
    torch.testing.assert_close(with_bos[0, :48], expected, rtol=1e-5, atol=1e-5)


def test_unknown_pooling_layer_and_site_are_refused(llama, corpus):
    with pytest.raises(ResponseError, match="pooling 'maximum'"):
        collect_responses(llama, corpus, reading=Reading(pooling="maximum"))
    with pytest.raises(SiteError, match="layers 0 to 1"):
        collect_responses(llama, corpus, reading=Reading(layers=[2]))
    with pytest.raises(SiteError, match="layers is \\[\\]"):
        Reading(layers=[])
    with pytest.raises(SiteError, match="site 'mlp'"):
        collect_responses(llama, corpus, reading=Reading(site="mlp"))


def test_a_sentence_beyond_the_context_is_refused_or_cut(llama):
    long = Corpus.from_texts({"en": ["word " * 600]})
    with pytest.raises(ModelError, match="truncate=True"):
        collect_responses(llama, long, **QUIET)
    assert (
        collect_responses(llama, long, reading=Reading(batching=Batching(truncate=True)), **QUIET)
        .values.isfinite()
        .all()
    )


def test_shapes_that_do_not_fit_are_refused(corpus):
    with pytest.raises(ResponseError, match=r"\(3, 4\).*expected \(24, 96\)"):
        Responses(torch.zeros(3, 4), corpus, NeuronTable((0, 1), (48, 48)), "mlp.hook_post", "max", {})


def test_overflow_of_16_bits_is_detected(model, corpus):
    from tl_experts.models import attached

    def large(activation, hook):
        activation[:, :, 7] = 1e5
        return activation

    with attached(model, [("blocks.0.mlp.hook_post", large)]):
        with pytest.raises(ResponseError, match=r"L0 N7 .* is inf as float16; .* use float32"):
            collect_responses(model, corpus, reading=Reading(dtype=torch.float16), **QUIET)
        assert collect_responses(model, corpus, reading=Reading(dtype=torch.bfloat16), **QUIET).values.isfinite().all()
