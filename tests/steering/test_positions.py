"""What is steered: real tokens, the last of each text, what was generated, or all until some tokens are written."""

import warnings

import pytest
import torch

from tests.steering.activations import TOKENS
from tl_experts import steer
from tl_experts.errors import InterventionError, TLExpertsWarning
from tl_experts.models import PassTracker, attached, hook_name
from tl_experts.steering.positions import require_followed, require_positions, skipped, steered_positions

ACTIVATION = torch.zeros(2, 4, 3)
REAL = torch.tensor([[True, True, True, True], [False, True, True, False]])


def tracker(real=None, continues=False) -> PassTracker:
    passes = PassTracker()
    passes.begin(real, continues)
    return passes


def after(continued: int) -> PassTracker:
    """In the last of so many passes that continued a prompt."""
    passes = tracker()
    for _ in range(continued):
        passes.begin(None, True)
    return passes


def test_without_padding_all_means_no_mask():
    assert steered_positions("all", None, ACTIVATION) is None
    assert steered_positions("all", tracker(torch.ones(2, 4, dtype=torch.bool)), ACTIVATION) is None


def test_padding_is_never_steered():
    assert torch.equal(steered_positions("all", tracker(REAL), ACTIVATION), REAL)
    assert torch.equal(steered_positions("generated", tracker(REAL, True), ACTIVATION), REAL)


def test_last_is_the_last_real_token_of_each_text():
    last = torch.tensor([[0, 0, 0, 1], [0, 0, 1, 0]]).bool()
    assert torch.equal(steered_positions("last", tracker(REAL), ACTIVATION), last)
    assert torch.equal(steered_positions("last", None, ACTIVATION), torch.tensor([[0, 0, 0, 1]] * 2).bool())


def test_the_mask_of_one_row_serves_a_batch():
    row = torch.tensor([[False, True, True, True]])
    assert torch.equal(steered_positions("all", tracker(row), ACTIVATION), row.expand(2, 4))


def test_only_generated_skips_a_pass_and_only_if_nothing_was_cached():
    assert skipped("generated", tracker(continues=False))
    assert not skipped("generated", tracker(continues=True))
    assert not skipped("all", tracker(continues=False))


def test_a_number_is_of_the_passes_that_choose_the_first_tokens():
    assert [skipped(2, after(continued)) for continued in range(4)] == [False, False, True, True]
    passes = after(3)
    passes.begin(None, False)  # another text begins
    assert not skipped(1, passes)
    assert steered_positions(2, tracker(), ACTIVATION) is None
    assert torch.equal(steered_positions(2, tracker(REAL), ACTIVATION), REAL)


@pytest.mark.parametrize("positions", [0, -3, True, 2.0, "2", None])
def test_what_is_neither_a_name_nor_a_number_of_tokens_raises(positions):
    with pytest.raises(InterventionError, match="positions"):
        require_positions(positions)


def test_what_cannot_be_raises():
    require_positions("last")
    require_positions(1)
    with pytest.raises(InterventionError, match="positions 'first'"):
        require_positions("first")
    require_followed("all", None)
    for followed in ("generated", 4):
        with pytest.raises(InterventionError, match=r"use steer\("):
            require_followed(followed, None)


# --- inside `steer` ------------------------------------------------------------------------------------------------


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
