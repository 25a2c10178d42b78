"""Sampling: hand-made distributions, Hugging Face's processors, and laws of the draws."""

import numpy as np
import pytest
import torch

from tl_experts.steering import sampling
from tl_experts.steering.sampling import draws, next_tokens, penalised, sampled_tokens

PROBABILITIES = torch.tensor([[0.1, 0.5, 0.25, 0.15]])


@pytest.mark.parametrize(
    ("number", "top_p", "token"),
    [
        (0.0, None, 1),
        (0.49, None, 1),
        (0.51, None, 2),
        (0.76, None, 3),
        (0.95, None, 0),
        # 0.5 + 0.25 reaches 0.7: two tokens, of two thirds and one third.
        (0.66, 0.7, 1),
        (0.67, 0.7, 2),
        (0.9999, 0.7, 2),
        (0.9999, 0.5, 1),
    ],
)
def test_a_number_picks_a_token_by_cumulative_probability(number, top_p, token):
    found = next_tokens(PROBABILITIES.log(), np.array([number]), temperature=1.0, top_p=top_p)
    assert found.tolist() == [token]


def test_temperature_0_is_the_likeliest_and_a_low_one_sharpens():
    logits = PROBABILITIES.log()
    assert next_tokens(logits, np.array([0.99]), temperature=0, top_p=None).tolist() == [1]
    # At temperature 0.5 probabilities are squared: 0.25 of 0.345.
    assert next_tokens(logits, np.array([0.72]), temperature=0.5, top_p=None).tolist() == [1]
    assert next_tokens(logits, np.array([0.73]), temperature=0.5, top_p=None).tolist() == [2]


def test_a_large_vocabulary_gives_what_a_full_sort_gives(monkeypatch):
    logits = torch.randn(40, 300, generator=torch.Generator().manual_seed(0))
    numbers = np.random.default_rng(0).random(40)
    whole = next_tokens(logits, numbers, temperature=1.0, top_p=0.95)
    monkeypatch.setattr(sampling, "_LIKELIEST", 4)  # too few to reach 0.95
    assert torch.equal(next_tokens(logits, numbers, temperature=1.0, top_p=0.95), whole)


def test_the_nucleus_is_hugging_faces():
    from transformers import TopPLogitsWarper

    logits = torch.randn(30, 50, generator=torch.Generator().manual_seed(1))
    kept = TopPLogitsWarper(0.8)(None, logits).isfinite()
    for number in (0.0, 0.5, 0.999999):
        found = next_tokens(logits, np.full(30, number), temperature=1.0, top_p=0.8)
        assert kept.gather(1, found[:, None]).all()
    # The last number picks the least likely token that is kept.
    assert torch.equal(found, logits.masked_fill(~kept, torch.inf).argmin(dim=1))


def test_the_penalty_is_hugging_faces():
    from transformers import RepetitionPenaltyLogitsProcessor

    logits = torch.randn(2, 20, generator=torch.Generator().manual_seed(2))
    seen = [[3, 5, 3], [0, 1, 19]]
    expected = RepetitionPenaltyLogitsProcessor(1.3)(torch.tensor(seen), logits.clone())
    torch.testing.assert_close(penalised(logits, seen, 1.3), expected)
    assert penalised(logits, seen, 1.0) is logits


def test_draws_depend_on_prompt_and_seed():
    assert np.array_equal(draws("a", 0, 5), draws("a", 0, 9)[:5])
    assert not np.array_equal(draws("a", 0, 5), draws("a", 1, 5))
    assert not np.array_equal(draws("a", 0, 5), draws("b", 0, 5))
    assert draws("", 0, 5).shape == (5,)


@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0], ids=["flat", "wide", "narrow"])
@pytest.mark.parametrize("temperature", [0.7, 1.0])
@pytest.mark.parametrize("top_p", [None, 0.3, 0.9, 1.0])
def test_the_generator_draws_what_transformer_lens_draws(spread, temperature, top_p):
    from transformer_lens.utilities.logits_utils import sample_logits

    # More tokens than are sorted at first: of a flat distribution all are sorted.
    logits = spread * torch.randn(50, 5000, generator=torch.Generator().manual_seed(0))
    logits += torch.linspace(0, 1e-3, 5000)
    torch.manual_seed(1)
    wanted = sample_logits(logits, temperature=temperature, top_p=top_p)
    torch.manual_seed(1)
    assert torch.equal(sampled_tokens(logits, temperature=temperature, top_p=top_p), wanted)
    assert len(set(wanted.tolist())) > 1
