"""Random token sequences: their lengths and ids, and statistics that are those of the sequences run one by one."""

import numpy as np
import pytest
import torch

from tl_experts import Batching, Corpus, Reading, collect_random_statistics
from tl_experts.errors import ModelError, ResponseError
from tl_experts.models import hook_name, token_policy
from tl_experts.responses.random_tokens import random_sequences

QUIET = {"progress": False}


def test_sequences_have_the_lengths_of_the_sentences_and_no_special_token(model_of, corpus):
    model = model_of("llama")
    sequences = random_sequences(model, corpus, seed=0)
    assert list(map(len, sequences)) == list(map(len, token_policy(model).encode(corpus.texts)))
    assert sequences == random_sequences(model, corpus, seed=0)
    assert sequences != random_sequences(model, corpus, seed=1)
    many = Corpus(corpus.texts * 20, corpus.labels * 20)
    drawn = np.concatenate([np.array(ids) for ids in random_sequences(model, many, seed=0)])
    counts = np.bincount(drawn, minlength=len(model.tokenizer))
    special = model.tokenizer.all_special_ids
    ordinary = np.setdiff1d(np.arange(len(model.tokenizer)), special)
    assert counts[special].sum() == 0
    share = len(drawn) / len(ordinary)
    assert np.abs(counts[ordinary] - share).max() < 5 * np.sqrt(share)  # uniform


def test_statistics_are_those_of_each_sequence_run_by_itself(llama, corpus):
    found = collect_random_statistics(
        llama, corpus, seed=3, reading=Reading(batching=Batching(token_budget=60)), **QUIET
    )
    sequences = random_sequences(llama, corpus, seed=3)
    assert found.languages == ("zxx",)
    assert found.tokens.tolist() == [sum(map(len, sequences))]
    bos = token_policy(llama).bos
    for name, expected in (("mlp.hook_post", found.total), ("mlp.hook_pre", None)):
        total, over = np.zeros(48), np.zeros(48, dtype=np.int64)
        for ids in sequences:
            _, cache = llama.run_with_cache(torch.tensor([[bos, *ids]]), names_filter=hook_name(1, name))
            values = cache[hook_name(1, name)][0, 1:].double().numpy()
            total, over = total + values.sum(axis=0), over + (values > 0).sum(axis=0)
        if expected is not None:
            np.testing.assert_allclose(expected[0, 48:], total, atol=1e-4)
        counts = found.over_zero if name == "mlp.hook_post" else found.gate_over_zero
        assert np.abs(counts[0, 48:] - over).max() <= 1  # a value within rounding of zero


def test_a_repeated_sequence_counts_each_time(model_of):
    # One token each, of few that are ordinary: many sequences are the same.
    corpus = Corpus.from_texts({"en": ["a"] * 600})
    assert collect_random_statistics(model_of("llama"), corpus, **QUIET).tokens.tolist() == [600]


@pytest.mark.parametrize(("seed", "message"), [(-1, "seed is -1"), (0.5, "seed is 0.5"), (None, "seed is None")])
def test_a_seed_that_is_not_a_whole_number_of_0_or_more_is_refused(seed, message, model_of, corpus):
    with pytest.raises(ResponseError, match=message):
        collect_random_statistics(model_of("llama"), corpus, seed=seed, **QUIET)


def test_a_sentence_longer_than_the_context_is_refused_or_cut(model_of):
    corpus = Corpus.from_texts({"en": ["word " * 600]})
    with pytest.raises(ModelError, match="the model reads 511"):
        random_sequences(model_of("llama"), corpus, seed=0)
    cut = random_sequences(model_of("llama"), corpus, seed=0, batching=Batching(truncate=True))
    assert list(map(len, cut)) == [511]
