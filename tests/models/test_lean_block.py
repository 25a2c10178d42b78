"""The lean block computes the bits of TransformerLens's block, in every form of attention, norm and MLP."""

import pytest
import torch

from tl_experts.models import lean_block
from tl_experts.models.conversion import lay_out
from tl_experts.models.decoding import Decoder
from tl_experts.models.forward import forward_logits
from tl_experts.models.lean import plain_passes
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER

pytestmark = pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")

TOKENS = torch.randint(3, 50, (3, 12), generator=torch.Generator().manual_seed(0))
LEFT = torch.ones(3, 12, dtype=torch.bool)
LEFT[1, :3] = LEFT[2, :7] = False
RIGHT = LEFT.flip(1)

SIZES = {"n_layers": 2, "d_model": 32, "n_ctx": 64, "d_head": 8, "n_heads": 4, "d_vocab": 50, "d_mlp": 48, "seed": 1}
ROTARY = {"positional_embedding_type": "rotary", "rotary_dim": 8, "rotary_base": 100}
FORMS = {
    "layer norm, GELU by tanh, learnt positions": {"normalization_type": "LN", "act_fn": "gelu_new"},
    "layer norm without weights, ReLU": {"normalization_type": "LNPre", "act_fn": "relu"},
    "RMS norm, gated, rotary, grouped queries": {
        **ROTARY,
        "normalization_type": "RMS",
        "act_fn": "silu",
        "gated_mlp": True,
        "n_key_value_heads": 2,
    },
    "one head of keys": {**ROTARY, "normalization_type": "RMS", "act_fn": "gelu", "n_key_value_heads": 1},
    "RMS norm without weights, norms of queries and keys": {
        **ROTARY,
        "normalization_type": "RMSPre",
        "act_fn": "gelu",
        "gated_mlp": True,
        "use_qk_norm": True,
    },
    "ALiBi": {"positional_embedding_type": "alibi", "normalization_type": "LN", "act_fn": "gelu_fast"},
    "parallel, part of the head rotated in adjacent pairs": {
        **ROTARY,
        "rotary_dim": 4,
        "rotary_adjacent_pairs": True,
        "normalization_type": "LN",
        "act_fn": "gelu",
        "parallel_attn_mlp": True,
    },
    "sliding windows, norms before and after, own scale": {
        **ROTARY,
        "normalization_type": "RMS",
        "act_fn": "gelu_pytorch_tanh",
        "gated_mlp": True,
        "use_local_attn": True,
        "attn_types": ["local", "global"],
        "window_size": 4,
        "use_normalization_before_and_after": True,
        "attn_scale": 3.0,
    },
    "no scale": {"normalization_type": "LN", "act_fn": "gelu", "use_attn_scale": False},
    "scale by layer": {"normalization_type": "LN", "act_fn": "gelu", "scale_attn_by_inverse_layer_idx": True},
    "soft cap": {**ROTARY, "normalization_type": "RMS", "act_fn": "gelu", "attn_scores_soft_cap": 2.0},
    "clipped queries": {**ROTARY, "normalization_type": "RMS", "act_fn": "gelu", "clip_qkv": 0.5},
}
OWN_ATTENTION = ("clipped queries",)
"""Forms whose attention stays TransformerLens's own."""


def build(form, **changes):
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    model = HookedTransformer(HookedTransformerConfig(**SIZES | FORMS[form] | changes))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name, parameter in model.named_parameters():
            # Zero biases, as most architectures have, and others; each norm with weights of its own.
            if ".b" in name and "0." in name:
                continue
            parameter.data = 0.3 * torch.randn_like(parameter) + (".w" in name)
    return model.requires_grad_(False).eval()


@pytest.fixture(scope="module", params=FORMS)
def form(request):
    return request.param


@pytest.fixture(scope="module")
def model(form):
    return build(form)


@pytest.fixture
def lean_attention(monkeypatch):
    """Counts the calls of the lean attention."""
    calls = []
    weighted_values = lean_block._weighted_values
    monkeypatch.setattr(lean_block, "_weighted_values", lambda *args: calls.append(1) or weighted_values(*args))
    return calls


@pytest.mark.parametrize("attended", [None, LEFT, RIGHT], ids=["full", "left", "right"])
def test_logits_are_those_of_the_plain_blocks(form, model, attended, lean_attention):
    found = forward_logits(model, TOKENS, attended=attended)
    assert len(lean_attention) == (0 if form in OWN_ATTENTION else 2)
    with plain_passes():
        assert torch.equal(found, forward_logits(model, TOKENS, attended=attended))
    assert len(lean_attention) == (0 if form in OWN_ATTENTION else 2)
    assert found.isfinite().all()
    assert found.std() > 0.1


@pytest.mark.parametrize("attended", [None, LEFT], ids=["full", "left"])
def test_passes_with_a_key_value_cache_are_the_plain_ones(model, attended):
    logits = []
    for plain in (False, True):
        for block in model.blocks:
            block.attn.alibi = None  # transformer_lens keeps the longest biases; their last bits depend on that
        decoder = Decoder(model)
        with plain_passes(plain):
            steps = [decoder.next_logits(TOKENS, attended)]
            steps += [decoder.next_logits(TOKENS[:, [at]]) for at in range(6)]
            steps.append(decoder.next_logits(TOKENS[:, :3]))  # several at once
        logits.append(torch.stack(steps))
    assert torch.equal(*logits)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bits_are_those_of_the_plain_blocks(form, dtype):
    model = build(form, dtype=dtype)
    found = forward_logits(model, TOKENS, attended=LEFT)
    with plain_passes():
        assert torch.equal(found, forward_logits(model, TOKENS, attended=LEFT))
    assert found.dtype == dtype


def test_weights_in_another_order_in_memory_give_the_same_bits():
    """`load_model` lays weights out as they are read; a model that was built otherwise is not."""
    for form in list(FORMS)[:3]:
        model = build(form, d_vocab=70)
        found = forward_logits(model, TOKENS)
        lay_out(model)
        assert torch.equal(found, forward_logits(model, TOKENS))


@pytest.mark.parametrize("attended", [None, LEFT], ids=["full", "left"])
def test_attention_over_long_texts_is_computed_in_blocks(form, model, attended, monkeypatch):
    decoder, whole = Decoder(model), Decoder(model)
    monkeypatch.setattr(lean_block, "LONG", 5)
    monkeypatch.setattr(lean_block, "_ROWS", 4)
    found = forward_logits(model, TOKENS, attended=attended)
    steps = [decoder.next_logits(TOKENS, attended), decoder.next_logits(TOKENS[:, :7])]
    with plain_passes():
        wanted = forward_logits(model, TOKENS, attended=attended)
        plain = [whole.next_logits(TOKENS, attended), whole.next_logits(TOKENS[:, :7])]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.stack(steps), torch.stack(plain), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("queries", "keys", "window"), [(2000, 2000, 2000), (1300, 1500, 1500), (3000, 3000, 512)])
def test_a_block_has_the_keys_that_its_queries_see_and_few_others(queries, keys, window):
    blocks = list(lean_block._blocks(queries, keys, window))
    assert [row for rows, _ in blocks for row in range(rows.start, rows.stop)] == list(range(queries))
    past = keys - queries
    for rows, seen in blocks:
        first = max(0, past + rows.start + 1 - window)
        assert (seen.start, seen.stop) == (first, past + rows.stop)
    work = sum((rows.stop - rows.start) * (seen.stop - seen.start) for rows, seen in blocks)
    assert work < 0.75 * queries * keys
    assert window == keys or work < 2.5 * queries * window
