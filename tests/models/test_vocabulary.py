"""Losses without logits are those of the logits in double precision, and hooks on the unembedding are respected."""

import pytest
import torch

from tests.copies import own_copy
from tl_experts.models import vocabulary
from tl_experts.models.forward import forward_logits, position_states
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER
from tl_experts.models.losses import token_losses
from tl_experts.models.vocabulary import losses_by_piece, unembeds_plainly

pytestmark = pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")

TOKENS = torch.randint(3, 300, (4, 20), generator=torch.Generator().manual_seed(0))
WANTED = torch.rand(4, 19, generator=torch.Generator().manual_seed(1)) < 0.7


@pytest.fixture
def model(model_of):
    """A copy of a tiny Llama that a test may change."""
    return own_copy(model_of("llama"))


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of few tokens and of a width that does not divide the vocabulary."""
    monkeypatch.setattr(vocabulary, "_ROWS", 10)
    monkeypatch.setattr(vocabulary, "_NUMBERS", 10 * 37)


def wanted_losses(model):
    logits = forward_logits(model, TOKENS)[:, :-1].double().log_softmax(-1)
    return -logits.gather(-1, TOKENS[:, 1:, None])[..., 0][WANTED]


@pytest.mark.parametrize("cap", [0.0, 2.0])
@pytest.mark.parametrize("biased", [False, True])
def test_losses_are_those_of_the_logits(model, small_pieces, cap, biased):
    model.cfg.output_logits_soft_cap = cap
    if biased:
        model.unembed.b_U.data.normal_(generator=torch.Generator().manual_seed(2))
    assert unembeds_plainly(model)
    found = token_losses(model, TOKENS, WANTED)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), wanted_losses(model), rtol=1e-6, atol=1e-6)


def test_the_logits_are_never_computed(model, monkeypatch):
    def fail(*_):
        raise AssertionError("the whole vocabulary was unembedded")

    monkeypatch.setattr(type(model.unembed), "forward", fail)
    assert token_losses(model, TOKENS, WANTED).shape == (int(WANTED.sum()),)
    with pytest.raises(AssertionError, match="the whole vocabulary"):
        forward_logits(model, TOKENS)


def test_half_precision_is_summed_in_single(model):
    model.to(torch.bfloat16)
    states = position_states(model, TOKENS, torch.ones_like(TOKENS, dtype=torch.bool))
    logits = (states @ model.unembed.W_U).float()
    own = TOKENS.flatten()
    wanted = logits.logsumexp(-1) - logits.gather(-1, own[:, None])[:, 0]
    torch.testing.assert_close(losses_by_piece(model, states, own), wanted, rtol=1e-5, atol=1e-5)


def test_a_large_vocabulary_has_the_losses_of_double_precision(model):
    """PyTorch's log_softmax in single precision is off by up to 2e-5 here."""
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(20, 32, generator=generator)
    model.unembed.W_U.data = torch.randn(32, 262_144, generator=generator)
    model.unembed.b_U.data = torch.zeros(262_144)
    own = torch.arange(20) * 13_107
    logits = states.double() @ model.unembed.W_U.double()
    wanted = logits.logsumexp(-1) - logits.gather(-1, own[:, None])[:, 0]
    torch.testing.assert_close(losses_by_piece(model, states, own).double(), wanted, rtol=0, atol=5e-6)


def test_no_state_gives_no_loss(model):
    none = torch.zeros(4, 19, dtype=torch.bool)
    assert token_losses(model, TOKENS, none).shape == (0,)


def doubled(module, args, output):
    return 2 * output


CHANGES = {
    "a hook on the logits": lambda model: model.unembed.hook_out.add_hook(lambda x, hook: 2 * x),
    "a hook in front": lambda model: model.unembed.hook_in.add_hook(lambda x, hook: 2 * x),
    "a hook of PyTorch": lambda model: model.unembed.register_forward_hook(doubled),
    "a hook of PyTorch on the model": lambda model: model.register_forward_hook(doubled),
    "another forward": lambda model: model.unembed.__dict__.update(forward=lambda x: 2 * x @ model.W_U),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_somebody_changes_at_the_unembedding_counts(model, change):
    plain = token_losses(model, TOKENS, WANTED)
    change(model)
    assert not unembeds_plainly(model)
    found = token_losses(model, TOKENS, WANTED)
    torch.testing.assert_close(found.double(), wanted_losses(model), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(found, plain, rtol=1e-3)


def test_a_bridge_keeps_its_own_unembedding(bridge_of):
    assert not unembeds_plainly(bridge_of("llama"))
