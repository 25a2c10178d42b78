"""Batches hold every sentence once, within the budget, and know what is text."""

import math
from itertools import combinations, pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import train_tokenizer
from tl_experts import Batching
from tl_experts.errors import ModelError
from tl_experts.models.batches import BATCH_PRICE, TokenPolicy, cheapest_cuts, count_tokens, make_batches

ENCODED = st.lists(st.lists(st.integers(3, 50), min_size=1, max_size=30), min_size=1, max_size=40)


def policy(bos: int | None = 0, context: int = 64) -> TokenPolicy:
    return TokenPolicy(train_tokenizer(), bos=bos, pad=2, context=context)


@given(ENCODED, st.integers(1, 200), st.sampled_from(["left", "right"]), st.sampled_from([None, 0]))
def test_every_sentence_comes_back_whole_exactly_once(encoded, budget, side, bos):
    seen = {}
    for batch in make_batches(encoded, policy(bos), Batching(token_budget=budget, padding_side=side)):
        rows = zip(batch.indices.tolist(), batch.tokens, batch.pooled, batch.attended, strict=True)
        for index, tokens, pooled, attended in rows:
            assert index not in seen
            seen[index] = tokens[pooled].tolist()
            assert tokens[attended].tolist() == ([] if bos is None else [bos]) + encoded[index]
            assert (tokens[~attended] == 2).all()
    assert [seen[index] for index in range(len(encoded))] == encoded


@given(ENCODED, st.integers(1, 200))
def test_a_batch_exceeds_the_budget_only_with_a_single_sentence(encoded, budget):
    for batch in make_batches(encoded, policy(), Batching(token_budget=budget)):
        assert batch.tokens.numel() <= budget or len(batch.tokens) == 1


def test_like_lengths_go_together_so_that_little_is_padded():
    encoded = [[5] * (3 + 29 * (i % 2)) for i in range(64)]
    slots = sum(batch.tokens.numel() for batch in make_batches(encoded, policy(), Batching(token_budget=256)))
    real = count_tokens(make_batches(encoded, policy(), Batching(token_budget=256)))
    assert real == sum(map(len, encoded)) + 64
    assert real / slots > 0.9  # all padded together: 0.56


def price(widths, cuts, budget):
    """Slots and the price of each batch; infinite where a batch of several sentences is over the budget."""
    batches = [(end - start, widths[start]) for start, end in pairwise(cuts)]
    fits = all(count == 1 or count * width <= budget for count, width in batches)
    return sum(count * width + BATCH_PRICE for count, width in batches) if fits else math.inf


@given(st.lists(st.integers(1, 300), min_size=1, max_size=8), st.integers(1, 1_000))
def test_no_other_cuts_cost_less(widths, budget):
    widths.sort(reverse=True)
    inner = range(1, len(widths))
    every = [[0, *cut, len(widths)] for size in range(len(widths)) for cut in combinations(inner, size)]
    found = price(widths, cheapest_cuts(widths, budget), budget)
    assert found == min(price(widths, cuts, budget) for cuts in every) < math.inf


def test_sentences_of_one_length_fill_the_budget():
    assert cheapest_cuts([10] * 25, budget=100) == [0, 5, 15, 25]
    assert cheapest_cuts([], budget=100) == [0]


def test_each_part_is_batched_alike_whatever_else_is():
    encoded = [[5] * (3 + 7 * i % 41) for i in range(30)]
    whole = [batch.indices.tolist() for batch in make_batches(encoded, policy(), part=10)]
    order = [index for batch in whole for index in batch]
    for begin in range(0, 30, 10):
        part = order[begin : begin + 10]
        own = [batch.indices.tolist() for batch in make_batches(encoded, policy(), only=part)]
        assert own == [batch for batch in whole if batch[0] in part]


def test_the_longest_come_first():
    batches = make_batches([[5], [5] * 9, [5] * 4], policy(), Batching(token_budget=1))
    assert [batch.indices.item() for batch in batches] == [1, 2, 0]


def test_encoding_adds_no_special_token():
    tokenizer = train_tokenizer()
    assert policy().encode(["Hello there."]) == [tokenizer("Hello there.", add_special_tokens=False)["input_ids"]]
    assert 0 not in policy().encode(["Hello there."])[0]


def test_a_sentence_longer_than_the_context_is_refused_or_cut():
    short = policy(context=5)
    with pytest.raises(ModelError, match=r"the model reads 4.*truncate=True"):
        short.encode(["a b c d e f g h"])
    assert len(short.encode(["a b c d e f g h"], truncate=True)[0]) == 4
    assert len(policy(bos=None, context=5).encode(["a b c d e f g h"], truncate=True)[0]) == 5


def test_a_text_without_a_token_is_refused():
    with pytest.raises(ModelError, match=r"sentence 1.*has no token"):
        policy().encode(["fine", ""])


@pytest.mark.parametrize(
    ("options", "message"), [({"token_budget": 0}, "at least 1"), ({"padding_side": "both"}, "'left'")]
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ModelError, match=message):
        Batching(**options)
    assert torch.equal(make_batches([[5]], policy())[0].tokens, torch.tensor([[0, 5]]))
