"""keep_norm keeps each token's norm, and touches nothing else."""

import pytest
import torch

from tests.steering.activations import PADDED, TOKENS, read, same_bits
from tl_experts import steer
from tl_experts.steering.norms import rescaled


@pytest.mark.parametrize("operation", ["set", "add", "scale", "damp", "raise", "toward", "zero"])
def test_the_layers_norm_is_kept_per_token(llama, experts, operation):
    before = read(llama)[0]
    with steer(llama, experts["de"], operation=operation, strength=0.5, keep_norm=True):
        after = read(llama)[0]
    with steer(llama, experts["de"], operation=operation, strength=0.5):
        free = read(llama)[0]
    torch.testing.assert_close(after.norm(dim=-1), before.norm(dim=-1), rtol=1e-5, atol=0)
    torch.testing.assert_close(
        after / after.norm(dim=-1, keepdim=True), free / free.norm(dim=-1, keepdim=True), rtol=1e-4, atol=1e-6
    )
    assert not torch.allclose(free.norm(dim=-1), before.norm(dim=-1), rtol=1e-5)


@pytest.mark.parametrize("positions", ["all", "last"])
def test_tokens_that_are_not_steered_keep_every_bit(llama, experts, positions):
    before = read(llama, PADDED)
    with steer(llama, experts["de"], positions=positions, keep_norm=True):
        after = read(llama, PADDED)
    changed = torch.tensor([[0, 0, 0, 0, 0, 1], [0, 0, 1, 0, 0, 0]]).bool() if positions == "last" else PADDED != 2
    assert torch.equal((after[0] != before[0]).any(-1), changed)
    assert same_bits(after[0][~changed], before[0][~changed])
    assert same_bits(read(llama, PADDED), before)


def test_the_norm_is_kept_in_16_bits(bfloat_llama, experts):
    before = read(bfloat_llama)[0]
    with steer(bfloat_llama, experts["de"], keep_norm=True, check=False):
        after = read(bfloat_llama)[0]
    assert after.dtype == torch.bfloat16
    torch.testing.assert_close(after.float().norm(dim=-1), before.float().norm(dim=-1), rtol=1e-2, atol=0)


def test_generation_agrees_with_and_without_the_cache(llama, experts):
    options = {"max_new_tokens": 4, "do_sample": False, "stop_at_eos": False, "verbose": False}
    with steer(llama, experts["de"], keep_norm=True):
        cached = llama.generate(TOKENS[:1], use_past_kv_cache=True, **options)
        assert torch.equal(cached, llama.generate(TOKENS[:1], use_past_kv_cache=False, **options))


def test_what_became_zero_stays_zero_and_large_16_bit_norms_do_not_overflow():
    before = torch.full((1, 2, 4), 3e4, dtype=torch.float16)
    after = torch.stack([torch.zeros(4), torch.full((4,), 1.0)])[None].half()
    assert same_bits(rescaled(after, before)[0, 0], after[0, 0])
    torch.testing.assert_close(rescaled(after, before)[0, 1], before[0, 1])
