"""Activations that fit are kept: quantiles are NumPy's, in any order; above the limit the sketch serves."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tl_experts import Batching, Reading, TokenStatistics, collect_statistics, store_responses
from tl_experts.models import hook_name, token_policy
from tl_experts.responses import exact
from tl_experts.responses.exact import TokenActivations, by_language, exact_quantile, joined
from tl_experts.responses.sketch import TokensOfLanguages

QUIET = {"progress": False}
ONE = Reading(batching=Batching(token_budget=1))
LEVELS = (0, 0.1, 0.5, 0.99, 1)


def activations_of(model, corpus):
    """``[token neuron]`` of each language, by run_with_cache."""
    policy = token_policy(model)
    lead = [] if policy.bos is None else [policy.bos]
    found = {language: [] for language in corpus.languages}
    for label, ids in zip(corpus.labels, policy.encode(corpus.texts), strict=True):
        _, cache = model.run_with_cache(torch.tensor([[*lead, *ids]]))
        names = [hook_name(layer, "mlp.hook_post") for layer in range(model.cfg.n_layers)]
        found[label].append(torch.cat([cache[name][0, len(lead) :] for name in names], dim=1))
    return {language: torch.cat(own).numpy() for language, own in found.items()}


@pytest.fixture(scope="module")
def repeated(corpus):
    """Two languages; one sentence is in both and twice in one."""
    small = corpus.only(["en", "de"]).take([0, 1, 2, 6, 7, 8])
    return replace(small, texts=(*small.texts[:2], small.texts[0], *small.texts[3:5], small.texts[0]))


@pytest.fixture(scope="module")
def statistics(model, repeated):
    return collect_statistics(model, repeated, reading=ONE, quantiles=True, **QUIET)


@pytest.mark.parametrize("q", LEVELS)
def test_quantiles_are_numpys_of_the_activations(q, statistics, model, repeated):
    activations = activations_of(model, repeated)
    assert statistics.exact
    assert repr(statistics).endswith(f"{sum(map(len, activations.values()))} tokens, exact quantiles)")
    for row, (language, own) in enumerate(activations.items()):
        others = np.concatenate([rows for other, rows in activations.items() if other != language])
        for found, values in ((statistics.quantile(q), own), (statistics.other_quantile(q), others)):
            np.testing.assert_allclose(found[row], np.quantile(values, q, axis=0), rtol=1e-5, atol=1e-6)


def test_the_kept_activations_are_those_of_the_pass_in_ascending_order(statistics, model, repeated):
    expected = [np.sort(own, axis=0).T for own in activations_of(model, repeated).values()]
    np.testing.assert_allclose(statistics.activations, np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-6)


def test_above_the_limit_quantiles_come_from_the_sketch(statistics, model, repeated, monkeypatch):
    monkeypatch.setattr(exact, "EXACT_BYTES", statistics.activations.nbytes)
    assert collect_statistics(model, repeated, reading=ONE, quantiles=True, **QUIET).exact
    monkeypatch.setattr(exact, "EXACT_BYTES", statistics.activations.nbytes - 1)
    sketched = collect_statistics(model, repeated, reading=ONE, quantiles=True, **QUIET)
    assert not sketched.exact
    assert repr(sketched).endswith("sketched quantiles)")
    np.testing.assert_array_equal(sketched.histogram, statistics.histogram)
    np.testing.assert_allclose(sketched.quantile(0.5), statistics.quantile(0.5), rtol=1 / 8, atol=0.05)
    assert not (sketched.quantile(0.5) == statistics.quantile(0.5)).any()
    assert not collect_statistics(model, repeated, reading=ONE, **QUIET).exact


@pytest.mark.usefixtures("small_parts")
def test_shards_and_merged_parts_keep_the_bits_of_the_whole(model, corpus, tmp_path, monkeypatch):
    small, options = corpus.take(range(0, len(corpus), 3)), {"reading": ONE, "quantiles": True, **QUIET}
    whole = collect_statistics(model, small, **options)
    store = store_responses(model, small, tmp_path / "a", **options)
    assert store.count == 2
    assert store.statistics(quantiles=True).activations.tobytes() == whole.activations.tobytes()
    assert not store.statistics().exact
    one, other = (collect_statistics(model, small.take(range(at, len(small), 2)), **options) for at in (0, 1))
    for merged in (one.merge(other), other.merge(one)):
        assert merged.activations.tobytes() == whole.activations.tobytes()
    monkeypatch.setattr(exact, "EXACT_BYTES", whole.activations.nbytes - 1)
    assert not one.merge(other).exact
    large = store_responses(model, small, tmp_path / "b", **options)
    assert not large.statistics(quantiles=True).exact  # though each shard would fit


def test_languages_that_only_one_part_has_are_joined_in_their_order():
    parts = [{"en": np.float32([[3, 1]]), "de": np.float32([[2]])}, {"de": np.float32([[-0.0, 0.0]])}]
    found = joined(["en", "de"], parts)
    assert found.tolist() == [[1, 3, 0, 0, 2]]
    assert not np.signbit(found).any()
    split = by_language(found, ["en", "de"], np.array([2, 3]))
    assert {language: own.tolist() for language, own in split.items()} == {"en": [[1, 3]], "de": [[0, 0, 2]]}


def test_padding_is_never_kept_and_repeated_sentences_are_kept_as_often_as_they_occur():
    pooled = torch.tensor([[False, True, True], [True, False, False]])
    weights = torch.tensor([[2.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    activation = torch.tensor([[[9.0, 9.0], [1.0, -1.0], [1.0, 2.0]], [[4.0, -4.0], [9.0, 9.0], [9.0, 9.0]]])
    room = TokenActivations(torch.tensor([4, 3]), 2)
    room.reader(TokensOfLanguages.of(pooled, weights))(activation.bfloat16(), slice(0, 2))
    assert room.ascending().tolist() == [[1, 1, 1, 1, 1, 1, 4], [-1, -1, 2, 2, -4, -1, 2]]


def test_blocks_of_neurons_give_the_quantiles_of_all(monkeypatch):
    generator = np.random.default_rng(0)
    parts = [generator.standard_normal((7, size)).astype(np.float32) for size in (5, 9)]
    expected = np.quantile(np.concatenate(parts, axis=1).astype(np.float64), 0.3, axis=1)
    for block in (1, 8 * 14 * 3, 2**26):
        monkeypatch.setattr(exact, "_BLOCK_BYTES", block)
        np.testing.assert_array_equal(exact_quantile(parts, 0.3), expected)


def test_they_are_saved_and_read_back(statistics, tmp_path):
    read = TokenStatistics.from_pretrained(statistics.save_pretrained(tmp_path / "s"))
    assert read.activations.tobytes() == statistics.activations.tobytes()
    np.testing.assert_array_equal(read.quantile(0.5), statistics.quantile(0.5))
