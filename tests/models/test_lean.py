"""Lean passes: the bits of plain ones, off without a trace, and left at once where a hook needs more."""

import threading
from contextlib import nullcontext
from copy import deepcopy

import pytest
import torch

from tests.conftest import CONVERTED
from tests.copies import own_copy
from tl_experts import embed
from tl_experts.models import attached, lean, lean_passes
from tl_experts.models.forward import forward_logits, forward_pass
from tl_experts.models.lean import plain_passes
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER
from tl_experts.steering.generation import generate_texts

pytestmark = pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")

TOKENS = torch.randint(3, 300, (3, 40), generator=torch.Generator().manual_seed(0))
HIDDEN = (
    "blocks.1.ln1.hook_scale",
    "blocks.1.ln1.hook_normalized",
    "blocks.0.ln2.hook_scale",
    "ln_final.hook_scale",
    "blocks.0.attn.hook_q",
    "blocks.0.attn.hook_v",
    "blocks.1.attn.hook_rot_k",
    "blocks.1.attn.hook_attn_scores",
    "blocks.0.attn.hook_pattern",
)
"""Points that lean passes compute no activation for."""


@pytest.fixture
def lean_calls(monkeypatch):
    """Grows with every block that runs lean."""
    calls = []
    run = lean.run_block
    monkeypatch.setattr(lean, "run_block", lambda *args, **kwargs: calls.append(1) or run(*args, **kwargs))
    return calls


def plain_logits(model):
    with plain_passes():
        return forward_logits(model, TOKENS)


def seen_at(model, names, *, plain=False):
    """What hooks at some points see in a pass, and the logits."""
    found = {name: [] for name in names}
    hooks = [(name, lambda x, hook: found[hook.name].append(x.clone())) for name in names]
    with attached(model, hooks), plain_passes(plain):
        logits = forward_logits(model, TOKENS)
    return found, logits


@pytest.mark.parametrize("architecture", CONVERTED)
def test_logits_equal_hugging_face(architecture, model_of, hugging_face):
    found = forward_logits(model_of(architecture), TOKENS)
    with torch.inference_mode():
        expected = hugging_face(architecture)(TOKENS).logits
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max().clamp(min=1)
    assert torch.equal(found, plain_logits(model_of(architecture)))


@pytest.mark.parametrize("architecture", CONVERTED)
def test_logits_behind_padding_on_the_left_equal_hugging_face(architecture, model_of, hugging_face):
    attended = torch.ones_like(TOKENS, dtype=torch.bool)
    attended[1, :9] = attended[2, :17] = False
    found = forward_logits(model_of(architecture), TOKENS, attended=attended)[attended]
    with torch.inference_mode():
        expected = torch.cat(
            [hugging_face(architecture)(row[mask][None]).logits[0] for row, mask in zip(TOKENS, attended, strict=True)]
        )
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max().clamp(min=1)


@pytest.mark.parametrize("architecture", CONVERTED)
def test_every_other_hook_point_sees_what_it_saw(architecture, model_of):
    model = model_of(architecture)
    hidden = ("ln1.", "ln2.", "_post.", "ln_final.hook", "q_norm", "k_norm")
    points = ("_q", "_k", "_v", "_scores", "_pattern")
    names = [name for name in model.hook_dict if not name.endswith(points) and not any(part in name for part in hidden)]
    found, _ = seen_at(model, names)
    expected, _ = seen_at(model, names, plain=True)
    called = [name for name in names if expected[name]]
    assert len(called) >= 2 * 9
    for name in names:
        assert len(found[name]) == len(expected[name]), name
        for one, other in zip(found[name], expected[name], strict=True):
            assert torch.equal(one, other), name


@pytest.mark.parametrize("name", HIDDEN)
def test_a_hook_inside_turns_the_plain_path_of_its_layer_on_at_once(name, model_of):
    model = model_of("llama")
    before = forward_logits(model, TOKENS)
    layers = [f"blocks.{layer}.{point}" for layer in (0, 1) for point in ("ln1.hook_scale", "attn.hook_pattern")]
    every = list(dict.fromkeys([name, *layers, "ln_final.hook_scale"]))
    found, logits = seen_at(model, every)
    expected, plain = seen_at(model, every, plain=True)
    assert torch.equal(logits, plain)
    for one in every:
        assert len(found[one]) == len(expected[one]) > 0
        assert all(torch.equal(*pair) for pair in zip(found[one], expected[one], strict=True))
    alone, _ = seen_at(model, [name])
    assert len(alone[name]) == len(expected[name])
    assert torch.equal(forward_logits(model, TOKENS), before)


def test_a_hook_that_changes_the_pattern_acts(model_of):
    model = model_of("llama")
    uniform = ("blocks.1.attn.hook_pattern", lambda pattern, hook: torch.full_like(pattern, 1 / pattern.shape[-1]))
    with attached(model, [uniform]):
        found = forward_logits(model, TOKENS)
        with plain_passes():
            expected = forward_logits(model, TOKENS)
    assert torch.equal(found, expected)
    assert (found - forward_logits(model, TOKENS)).abs().max() > 0.1


def test_pytorch_hooks_and_other_forwards_inside_are_respected(model_of):
    model = own_copy(model_of("llama"))
    calls = []
    for module in (model.blocks[0].ln1, model.blocks[0].attn, model.blocks[1].mlp, model.ln_final):
        handle = module.register_forward_hook(lambda *_: calls.append(1))
        forward_pass(model, TOKENS)
        handle.remove()
    assert len(calls) == 6  # the plain path normalises three times
    plain = model.blocks[1].mlp.forward
    model.blocks[1].mlp.forward = lambda x: 2 * plain(x)
    assert (forward_logits(model, TOKENS) - forward_logits(model_of("llama"), TOKENS)).abs().max() > 0.1


def test_the_users_own_passes_are_never_touched(model_of, lean_calls):
    model = model_of("llama")
    expected = plain_logits(model)
    with lean_passes(model):
        copied = deepcopy(model)
    with torch.inference_mode():
        assert torch.equal(model(TOKENS), expected)
        assert lean_calls == []
        seen = []
        with lean_passes(model):
            thread = threading.Thread(target=lambda: seen.append(model(TOKENS)))
            thread.start()
            thread.join()
            assert lean_calls == []
            assert torch.equal(model(TOKENS), expected)
            assert len(lean_calls) == 2
        assert torch.equal(seen[0], expected)
        assert torch.equal(model(TOKENS), expected)
    assert not any("forward" in module.__dict__ for module in model.modules())
    # A copy that was taken in the middle computes as any other model, with its own weights.
    assert torch.equal(forward_logits(copied, TOKENS), expected)
    assert not any("forward" in module.__dict__ for module in copied.modules())
    with torch.no_grad():
        copied.blocks[0].mlp.W_in.mul_(2)
        assert (copied(TOKENS) - expected).abs().max() > 0.1


def test_blocks_nest_and_end_with_an_exception(model_of):
    model = model_of("llama")
    with pytest.raises(KeyError), lean_passes(model), lean_passes(model):
        raise KeyError
    assert not any("forward" in module.__dict__ for module in model.modules())
    with lean_passes(model):
        with lean_passes(model):
            pass
        assert "forward" in model.blocks[0].__dict__


def test_gradients_flow_through_the_plain_path(model_of):
    model = model_of("llama")
    with lean_passes(model), torch.enable_grad():
        residual = model.embed(TOKENS).clone().requires_grad_()
        model(residual, start_at_layer=0).sum().backward()
    assert residual.grad.abs().max() > 0


def test_embeddings_and_texts_are_those_of_the_plain_path(model_of, corpus):
    model = model_of("gemma3")
    found = []
    for context in (nullcontext, plain_passes):
        with context():
            vectors = embed(model, corpus, progress=False).vectors
            found.append((vectors, generate_texts(model, 4, seed=0, max_new_tokens=8, progress=False)))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
