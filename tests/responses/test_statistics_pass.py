"""Statistics of tokens equal what run_with_cache shows, sentence by sentence, whatever the batches."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import ARCHITECTURES
from tl_experts import (
    Batching,
    Reading,
    collect_both,
    collect_for_steering,
    collect_responses,
    collect_statistics,
)
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import ResponseError, SiteError
from tl_experts.models import attached, hook_name, token_policy
from tl_experts.responses.sketch import bins_of
from tl_experts.responses.token_statistics import ARRAYS
from tl_experts.responses.token_sums import gate_site

QUIET = {"progress": False}
COUNTS = ("tokens", "over_zero", "gate_over_zero")


def by_hand(model, corpus, site, gate, *, bos=None):
    """The definition: each sentence alone, through run_with_cache, no padding, BOS dropped."""
    policy = token_policy(model, prepend_bos=bos)
    found = {language: ([], []) for language in corpus.languages}
    for label, ids in zip(corpus.labels, policy.encode(corpus.texts), strict=True):
        lead = [] if policy.bos is None else [policy.bos]
        _, cache = model.run_with_cache(torch.tensor([[*lead, *ids]]))
        for kept, name in zip(found[label], (site, gate), strict=True):
            layers = [cache[hook_name(layer, name)][0, len(lead) :].flatten(1) for layer in range(model.cfg.n_layers)]
            kept.append(torch.cat(layers, dim=1).double())
    tokens = {language: (torch.cat(own).numpy(), torch.cat(gates).numpy()) for language, (own, gates) in found.items()}
    return {
        "tokens": np.array([len(own) for own, _ in tokens.values()]),
        "over_zero": np.stack([(own > 0).sum(axis=0) for own, _ in tokens.values()]),
        "gate_over_zero": np.stack([(gates > 0).sum(axis=0) for _, gates in tokens.values()]),
        "total": np.stack([own.sum(axis=0) for own, _ in tokens.values()]),
        "total_of_squares": np.stack([(own**2).sum(axis=0) for own, _ in tokens.values()]),
    }


def assert_equal(statistics, expected):
    for name in COUNTS:
        np.testing.assert_array_equal(getattr(statistics, name), expected[name], err_msg=name)
    for name in ("total", "total_of_squares"):
        np.testing.assert_allclose(getattr(statistics, name), expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


def arrays_of(statistics):
    return {name: getattr(statistics, name) for name in ARRAYS}


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_statistics_equal_the_definition(architecture, bos, model_of, corpus):
    model = model_of(architecture)
    reading = Reading(batching=Batching(prepend_bos=bos))
    statistics = collect_statistics(model, corpus, reading=reading, **QUIET)
    gated = architecture not in ("bloom", "gpt2")
    assert statistics.gate_site == ("mlp.hook_pre" if gated else "mlp.hook_post")
    assert_equal(statistics, by_hand(model, corpus, "mlp.hook_post", statistics.gate_site, bos=bos))
    assert np.array_equal(statistics.over_zero, statistics.gate_over_zero) != gated


def test_both_model_classes_count_the_same(llama, corpus):
    assert_equal(collect_statistics(llama, corpus, **QUIET), by_hand(llama, corpus, "mlp.hook_post", "mlp.hook_pre"))


def test_histograms_count_the_activations_and_the_gates_after_their_activation_function(llama, corpus):
    small = corpus.head(2)
    reading = Reading(batching=Batching(prepend_bos=True, token_budget=64))
    _, statistics = collect_both(llama, small, reading=reading, quantiles=True, **QUIET)
    assert_equal(statistics, by_hand(llama, small, "mlp.hook_post", "mlp.hook_pre", bos=True))
    expected = torch.zeros(2, *statistics.histogram.shape)
    policy = token_policy(llama, prepend_bos=True)
    for label, ids in zip(small.labels, policy.encode(small.texts), strict=True):
        _, cache = llama.run_with_cache(torch.tensor([[policy.bos, *ids]]))
        for kind, site in enumerate(("mlp.hook_post", "mlp.hook_pre")):
            values = torch.cat([cache[hook_name(at, site)][0, 1:] for at in range(llama.cfg.n_layers)], dim=1)
            bins = bins_of(values if kind == 0 else torch.nn.functional.silu(values))
            for token in bins:
                expected[kind, statistics.row(label), torch.arange(len(token)), token.long()] += 1
    # A value beside an edge may fall into the next bin where the batch is another.
    for found, exact in zip((statistics.histogram, statistics.gate_counts()), expected.numpy(), strict=True):
        assert np.abs(found - exact).sum() <= 2e-4 * exact.sum()
    plain = collect_statistics(llama, small, reading=reading, **QUIET)
    assert not plain.histogram.size
    assert_equal(plain, arrays_of(statistics))


@pytest.mark.parametrize("site", ["attn.hook_z", "mlp.hook_pre", "hook_resid_post"])
def test_other_sites_count_their_own_sign(site, llama, corpus):
    small = corpus.head(2)
    statistics = collect_statistics(llama, small, reading=Reading(site=site), **QUIET)
    assert statistics.gate_site == gate_site(llama, site) == site
    assert_equal(statistics, by_hand(llama, small, site, site))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("budget", [1, 7 * 30, 64 * 30])
@pytest.mark.parametrize("architecture", ["llama", "bloom"])
def test_batches_and_padding_do_not_matter(architecture, budget, side, model_of, corpus):
    model = model_of(architecture)
    batching = Batching(token_budget=budget, padding_side=side)
    expected = collect_statistics(model, corpus, reading=Reading(batching=Batching(token_budget=1)), **QUIET)
    assert_equal(collect_statistics(model, corpus, reading=Reading(batching=batching), **QUIET), arrays_of(expected))


def test_repeated_sentences_count_as_often_as_they_occur_in_each_language(llama):
    texts = ("The cat sleeps.", "She laughed.", "The cat sleeps.", "The cat sleeps.", "Sie lachte.")
    corpus = Corpus(texts=texts, labels=("en", "en", "en", "de", "de"))
    assert_equal(collect_statistics(llama, corpus, **QUIET), by_hand(llama, corpus, "mlp.hook_post", "mlp.hook_pre"))


def test_chosen_layers_are_the_columns_of_all_layers(llama, corpus):
    both = collect_statistics(llama, corpus, **QUIET)
    second = collect_statistics(llama, corpus, reading=Reading(layers=[1]), **QUIET)
    assert second.neurons.layers == (1,)
    for name in ARRAYS[1:]:
        np.testing.assert_array_equal(getattr(second, name), getattr(both, name)[:, 48:])


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_one_pass_gives_the_bits_of_both(pooling, llama, corpus):
    reading = Reading(pooling=pooling, dtype="bfloat16")
    repeated = replace(corpus, texts=(*corpus.texts[:-1], corpus.texts[0]))
    responses, statistics = collect_both(llama, repeated, reading=reading, **QUIET)
    assert torch.equal(responses.values, collect_responses(llama, repeated, reading=reading, **QUIET).values)
    alone = collect_statistics(llama, repeated, reading=reading, **QUIET)
    assert all(getattr(alone, name).tobytes() == array.tobytes() for name, array in arrays_of(statistics).items())
    assert statistics.corpora == (repeated.fingerprint,)
    assert statistics.fingerprint == responses.fingerprint


@pytest.mark.parametrize("layers", [None, [0]])
def test_one_pass_gives_the_bits_of_neurons_and_residual_stream(layers, llama, corpus):
    reading, residual = Reading(layers=layers), Reading(site="hook_resid_post", layers=layers)
    runs = []
    with attached(llama, [("hook_embed", lambda activation, hook: runs.append(activation.shape[0]))]):
        responses, *found = collect_for_steering(llama, corpus, reading=reading, quantiles=True, **QUIET)
    assert sum(runs) == len(corpus)
    assert torch.equal(responses.values, collect_responses(llama, corpus, reading=reading, **QUIET).values)
    alone = [
        collect_statistics(llama, corpus, reading=reading, quantiles=True, **QUIET),
        collect_statistics(llama, corpus, reading=residual, **QUIET),
    ]
    for one, other in zip(found, alone, strict=True):
        assert (one.site, one.gate_site, one.neurons) == (other.site, other.gate_site, other.neurons)
        assert all(getattr(one, name).tobytes() == array.tobytes() for name, array in arrays_of(other).items())
    with pytest.raises(SiteError, match=r"hook_resid_post.*read anyway"):
        collect_for_steering(llama, corpus, reading=residual, **QUIET)


def test_parts_of_a_corpus_are_merged_to_the_whole(llama, corpus):
    halves = [corpus.take(range(start, len(corpus), 2)) for start in (0, 1)]
    first, second = (collect_statistics(llama, half, **QUIET) for half in halves)
    assert_equal(first.merge(second), arrays_of(collect_statistics(llama, corpus, **QUIET)))


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_an_activation_that_is_not_finite_names_neuron_and_sentence(value, llama, corpus):
    def damage(activation, hook):
        activation[:, -1, 7] = value
        return activation

    one = Reading(batching=Batching(token_budget=1))
    with (
        attached(llama, [("blocks.1.mlp.hook_post", damage)]),
        pytest.raises(ResponseError, match=r"L1 N7 to sentence \d+ \('"),
    ):
        collect_statistics(llama, corpus, reading=one, **QUIET)
    with pytest.raises(SiteError, match="layers 0 to 1"):
        collect_statistics(llama, corpus, reading=Reading(layers=[2]), **QUIET)
    assert np.isfinite(collect_statistics(llama, corpus, reading=one, **QUIET).total).all()
