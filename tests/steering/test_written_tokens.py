"""Which tokens a number or ``"generated"`` steers, and the warnings where that cannot be."""

import warnings

import pytest
import torch

from tests.steering.activations import TOKENS
from tl_experts import find_experts, steer
from tl_experts.errors import TLExpertsWarning
from tl_experts.experts.experts import Experts
from tl_experts.models import attached, hook_name


@pytest.fixture(scope="module")
def experts(llama, corpus) -> Experts:
    return find_experts(llama, corpus, k=12, progress=False)


def test_generated_leaves_the_prompt_alone_and_steers_what_follows(llama, experts):
    layer, neuron = int(experts["de"].layer[0]), int(experts["de"].neuron[0])
    target = torch.tensor(experts["de"].statistics["mean"][0])
    seen = []
    with (
        steer(llama, experts["de"], positions="generated"),
        attached(llama, [(hook_name(layer, experts.site), lambda t, hook: seen.append(t[..., neuron].clone()))]),
    ):
        llama.generate(TOKENS[:1], max_new_tokens=3, do_sample=False, stop_at_eos=False, verbose=False)
    assert not (seen[0] == target).any()
    assert all((activation == target).all() for activation in seen[1:])
    assert len(seen) == 3


@pytest.mark.parametrize("tokens", [1, 2, 9])
def test_a_number_steers_until_so_many_tokens_are_written_in_every_text(llama, experts, tokens):
    layer, neuron = int(experts["de"].layer[0]), int(experts["de"].neuron[0])
    target = torch.tensor(experts["de"].statistics["mean"][0])
    seen = []
    with (
        steer(llama, experts["de"], positions=tokens),
        attached(llama, [(hook_name(layer, experts.site), lambda t, hook: seen.append(t[..., neuron].clone()))]),
    ):
        for _ in range(2):
            llama.generate(TOKENS[:1], max_new_tokens=4, do_sample=False, stop_at_eos=False, verbose=False)
    held = [bool((activation == target).all()) for activation in seen]
    assert held == [number < tokens for number in range(4)] * 2
    assert not any((activation == target).any() for activation, kept in zip(seen, held, strict=True) if not kept)


def test_generated_warns_when_nothing_was_generated_with_a_cache(llama, experts):
    with (
        pytest.warns(TLExpertsWarning, match="steered none of 1 passes"),
        steer(llama, experts["de"], positions="generated"),
        torch.inference_mode(),
    ):
        llama(TOKENS)


@pytest.mark.parametrize("tokens", [1, 3])
def test_a_number_warns_where_generation_without_a_cache_goes_beyond_it(llama, experts, tokens):
    options = {"do_sample": False, "stop_at_eos": False, "verbose": False, "use_past_kv_cache": False}
    with (
        pytest.warns(TLExpertsWarning, match=rf"positions={tokens} steered more tokens than that: 3 passes in a row"),
        steer(llama, experts["de"], positions=tokens),
    ):
        llama.generate(TOKENS[:1], max_new_tokens=4, **options)


@pytest.mark.parametrize(("tokens", "cached"), [(4, False), (1, True)])
def test_a_number_does_not_warn_where_steering_ends_as_asked(llama, experts, tokens, cached):
    options = {"do_sample": False, "stop_at_eos": False, "verbose": False, "use_past_kv_cache": cached}
    with warnings.catch_warnings():
        warnings.simplefilter("error", TLExpertsWarning)
        with steer(llama, experts["de"], positions=tokens), torch.inference_mode():
            llama.generate(TOKENS[:1], max_new_tokens=4, **options)
            for length in (3, 5, 4):
                llama(TOKENS[:, :length])
