"""Steering sets just the experts, just where asked, and leaves no trace."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from tests.copies import own_copy
from tests.steering.activations import TOKENS, read
from tl_experts import Batching, Reading, embed, find_experts, intervention_hooks, steer
from tl_experts.errors import ArtefactError, InterventionError
from tl_experts.experts.experts import Experts
from tl_experts.models import attached, hook_name


def mask_of(experts: Experts, shape) -> torch.Tensor:
    """True at the experts, per layer and neuron."""
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[torch.tensor(experts.layer), torch.tensor(experts.neuron)] = True
    return mask


def values_of(experts: Experts, shape, column="mean") -> torch.Tensor:
    values = torch.full(shape, float("nan"))
    places = torch.tensor(experts.layer), torch.tensor(experts.neuron)
    values[places] = torch.tensor(experts.statistics[column])
    return values


@pytest.mark.parametrize("value", ["mean", "median", "p90", "zero"])
def test_every_expert_is_set_at_every_position_and_the_rest_of_its_layer_is_what_enters(llama, experts, value):
    mine = experts["de"]
    with steer(llama, mine, value=value):
        steered = read(llama)
    mask = mask_of(mine, (2, 48))
    wanted = torch.zeros(2, 48) if value == "zero" else values_of(mine, (2, 48), value)
    assert torch.equal(steered.permute(0, 3, 1, 2)[mask], wanted[mask][:, None, None].expand(-1, *TOKENS.shape))
    before = read(llama)
    assert torch.equal(steered[0][..., ~mask[0]], before[0][..., ~mask[0]])


@pytest.mark.parametrize(
    ("operation", "strength", "expected"),
    [
        ("add", 2.0, lambda a, row: a + 2.0 * row["mean"]),
        ("scale", -1.5, lambda a, row: -1.5 * a),
        ("damp", 1.0, lambda a, row: a * np.clip(2 - 2 * row["auroc"], 0, 1)),
    ],
)
def test_operations_follow_their_formulas(llama, experts, operation, strength, expected):
    first = experts["ja"].to_pandas().query("layer == 0").iloc[0]
    before = read(llama)[0][..., int(first["neuron"])]
    with steer(llama, experts["ja"], operation=operation, strength=strength):
        after = read(llama)[0][..., int(first["neuron"])]
    torch.testing.assert_close(after, expected(before, first).to(after.dtype), rtol=1e-5, atol=1e-6)


def test_leaving_restores_the_logits_bit_for_bit_also_nested_and_after_an_exception(llama, experts):
    with torch.inference_mode():
        before = llama(TOKENS)
        with steer(llama, experts["de"]):
            outer = llama(TOKENS)
            with steer(llama, experts["ja"]):
                assert not torch.equal(llama(TOKENS), outer)
            assert torch.equal(llama(TOKENS), outer)
            with pytest.raises(KeyError), steer(llama, experts["ru"]):
                raise KeyError
            assert torch.equal(llama(TOKENS), outer)
        assert not torch.equal(outer, before)
        assert torch.equal(llama(TOKENS), before)
    assert all(not point.fwd_hooks for point in llama.hook_dict.values())


def test_the_inner_of_two_nested_languages_wins_where_they_share_a_neuron(llama, experts):
    shared = experts["de"]
    with steer(llama, shared), steer(llama, shared, value="zero"):
        inner = read(llama)
    assert (inner.permute(0, 3, 1, 2)[mask_of(shared, (2, 48))] == 0).all()


def test_the_users_own_hooks_and_resets_inside_leave_the_steering_on(llama, experts):
    with torch.inference_mode(), steer(llama, experts["de"]):
        steered = llama(TOKENS)
        seen = []
        llama.run_with_hooks(TOKENS, fwd_hooks=[("blocks.0.mlp.hook_post", lambda t, hook: seen.append(t))])
        assert len(seen) == 1
        with llama.hooks(fwd_hooks=[("blocks.0.mlp.hook_post", lambda t, hook: t * 0)]):
            assert not torch.equal(llama(TOKENS), steered)
        llama.reset_hooks()
        assert torch.equal(llama(TOKENS), steered)


def test_the_users_own_hooks_outside_survive_the_steering(llama, experts):
    with torch.inference_mode(), llama.hooks(fwd_hooks=[("blocks.0.mlp.hook_post", lambda t, hook: t * 2)]):
        doubled = llama(TOKENS)
        with steer(llama, experts["de"]):
            pass
        assert torch.equal(llama(TOKENS), doubled)


def test_hook_functions_are_values_for_run_with_hooks_and_never_write_in_place(llama, experts):
    hooks = intervention_hooks(experts["de"])
    assert [name for name, _ in hooks] == [hook_name(i, "mlp.hook_post") for i in sorted(set(experts["de"].layer))]
    with torch.inference_mode():
        by_hooks = llama.run_with_hooks(TOKENS, fwd_hooks=hooks)
        with steer(llama, experts["de"]):
            assert torch.equal(llama(TOKENS), by_hooks)
    activation = torch.randn(1, 3, 48)
    copy = activation.clone()
    assert hooks[0][1](activation, hook=None) is not activation
    assert torch.equal(activation, copy)


def test_last_steers_only_the_last_position(llama, experts):
    with steer(llama, experts["de"], positions="last"):
        steered = read(llama)
    assert torch.equal(steered[0][:, :-1], read(llama)[0][:, :-1])
    assert not torch.equal(steered[0][:, -1], read(llama)[0][:, -1])


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("positions", ["all", "last"])
def test_padding_is_left_alone(llama, experts, side, positions):
    pad = llama.tokenizer.pad_token_id
    long, short = [0, 11, 12, 13, 14, 15], [0, 21, 22]
    filling = [pad] * 3
    rows = [long, filling + short if side == "left" else short + filling]
    tokens = torch.tensor(rows)
    attended = tokens != pad
    options = {"attention_mask": attended.long()} if side == "left" else {}
    before = read(llama, tokens, **options)[0]
    with steer(llama, experts["de"], positions=positions):
        after = read(llama, tokens, **options)[0]
    changed = (after != before).any(-1)
    last = torch.zeros_like(attended)
    last[0, -1] = True
    last[1, -1 if side == "left" else 2] = True
    assert torch.equal(changed, attended if positions == "all" else last)


@pytest.mark.parametrize("use_cache", [True, False])
def test_generation_steers_every_new_token(llama, experts, use_cache):
    prompt = TOKENS[:1, :3]
    options = {"max_new_tokens": 4, "do_sample": False, "stop_at_eos": False, "verbose": False}
    layer = int(experts["de"].layer[0])
    neuron = int(experts["de"].neuron[0])
    target = torch.tensor(experts["de"].statistics["mean"][0])
    seen = []
    with steer(llama, experts["de"]):
        watch = [(hook_name(layer, experts.site), lambda t, hook: seen.append(t[..., neuron].clone()))]
        with attached(llama, watch):
            tokens = llama.generate(prompt, use_past_kv_cache=use_cache, **options)
    assert tokens.shape == (1, 7)
    lengths = [activation.shape[1] for activation in seen]
    assert lengths == ([3, 1, 1, 1] if use_cache else [3, 4, 5, 6])
    assert all((activation == target).all() for activation in seen)


def test_generation_with_and_without_the_cache_agrees_under_steering(llama, experts):
    options = {"max_new_tokens": 6, "do_sample": False, "stop_at_eos": False, "verbose": False}
    with steer(llama, experts["de"]):
        cached = llama.generate(TOKENS[:1], use_past_kv_cache=True, **options)
        plain = llama.generate(TOKENS[:1], use_past_kv_cache=False, **options)
    assert torch.equal(cached, plain)


def test_steering_changes_the_embeddings_made_inside(llama, experts, corpus):
    before = embed(llama, corpus, progress=False).vectors
    with steer(llama, experts["de"]):
        inside = embed(llama, corpus, progress=False).vectors
    by_hooks = embed(llama, corpus, hooks=intervention_hooks(experts["de"]), progress=False).vectors
    assert (inside - before).abs().max() > 1e-2
    torch.testing.assert_close(inside, by_hooks, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_steered_embeddings_depend_neither_on_batches_nor_on_padding(llama, experts, corpus, side):
    with steer(llama, experts["de"]):
        alone = embed(llama, corpus, batching=Batching(token_budget=1), progress=False).vectors
        together = embed(llama, corpus, batching=Batching(padding_side=side), progress=False).vectors
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("site", ["mlp.hook_pre", "hook_mlp_out", "attn.hook_z", "hook_resid_post"])
def test_every_site_can_be_steered(llama, corpus, site):
    mine = find_experts(llama, corpus, k=5, reading=Reading(site=site), progress=False)["ja"]
    with steer(llama, mine):
        steered = read(llama, site=site).flatten(3)
    width = steered.shape[-1]
    mask = mask_of(mine, (2, width))
    wanted = values_of(mine, (2, width))[mask][:, None, None].expand(-1, *TOKENS.shape)
    assert torch.equal(steered.permute(0, 3, 1, 2)[mask], wanted)


def test_random_controls_steer_with_the_experts_values(llama, experts):
    control = experts["de"].random_control(seed=3)
    with steer(llama, control):
        steered = read(llama)
    mask = mask_of(control, (2, 48))
    assert torch.equal(steered.permute(0, 3, 1, 2)[mask][:, 0, 0], values_of(control, (2, 48))[mask])
    with pytest.raises(InterventionError, match="needs the neurons' AUROC"):
        intervention_hooks(control, operation="damp")


def test_experts_of_another_model_are_refused_unless_asked_for(llama, experts, model_of):
    other = model_of("qwen3")
    with pytest.raises(ArtefactError, match="weights differ"), steer(other, experts["de"]):
        pass
    with steer(other, experts["de"], check=False), torch.inference_mode():
        assert other(TOKENS).isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operation": "replace"}, "operation 'replace'"),
        ({"value": "max"}, "value 'max'"),
        ({"positions": "first"}, "positions 'first'"),
        ({"strength": 2.0}, "operation 'set' takes a number from 0 to 1"),
        ({"operation": "add", "strength": float("nan")}, "finite"),
        ({"positions": "generated"}, r"use steer\("),
        ({"positions": 4}, r"use steer\("),
        ({"positions": 0}, "positions is 0; expected 'all'"),
    ],
)
def test_wrong_options_are_refused(experts, options, message):
    with pytest.raises(InterventionError, match=message):
        intervention_hooks(experts["de"], **options)
    assert intervention_hooks(experts["de"], operation="add", strength=2.0)


def test_experts_of_several_languages_are_refused(experts):
    with pytest.raises(InterventionError, match=r"4 languages.*experts\['en'\]"):
        intervention_hooks(experts)


def test_what_are_no_experts_is_refused(llama, experts):
    with (
        pytest.raises(InterventionError, match=r"expected Experts or a Steering, got str.*find_experts"),
        steer(llama, "de"),
    ):
        pass
    with pytest.raises(InterventionError, match="4 languages"), steer(llama, experts):
        pass


def test_a_pass_from_a_residual_stream_is_not_masked_by_earlier_tokens(model_of, corpus):
    model = model_of("llama")
    if not hasattr(model, "input_to_embed"):
        pytest.skip("only HookedTransformer starts from a residual stream")
    mine = find_experts(model, corpus, k=12, progress=False)["de"]
    pad = model.tokenizer.pad_token_id
    with torch.inference_mode(), steer(model, mine):
        model(torch.tensor([[0, 5, 6, pad, pad]]))
        residual = model.embed(torch.tensor([[0, 5, 6, 7, 8]]))
        model(torch.tensor([[0, 5, 6, pad, pad]]))
        from_residual = model(residual, start_at_layer=0)
        assert torch.equal(from_residual, model(torch.tensor([[0, 5, 6, 7, 8]])))


# --- gradients and copies ----------------------------------------------------------------------------------------


def loss_of(model) -> torch.Tensor:
    return model(TOKENS).float().log_softmax(-1)[..., 7].sum()


@pytest.mark.parametrize("operation", ["set", "add", "damp"])
@pytest.mark.parametrize("first", ["nothing", "embed", "inference"])
def test_gradients_flow_through_an_intervention_also_after_a_pass_in_inference_mode(
    llama, experts, corpus, operation, first
):
    mine, seen = experts["de"], {}

    def watch(activation, hook):
        seen["activation"] = activation.detach().requires_grad_()
        return seen["activation"]

    with torch.inference_mode(first == "inference"):
        steering = steer(llama, mine, operation=operation)
        steering.__enter__()
    try:
        if first == "embed":
            embed(llama, corpus, progress=False)
        with attached(llama, [("blocks.0.hook_resid_pre", watch)]):
            loss_of(llama).backward()
    finally:
        steering.__exit__(None, None, None)
    found = seen["activation"].grad
    assert found.isfinite().all()
    assert found.abs().max() > 0
    by_hand = intervention_hooks(mine, operation=operation)
    with attached(llama, [*by_hand, ("blocks.0.hook_resid_pre", watch)]):
        loss_of(llama).backward()
    torch.testing.assert_close(found, seen["activation"].grad, rtol=1e-5, atol=1e-7)


def test_no_gradient_passes_a_neuron_that_is_set(llama, experts):
    mine = experts["de"]
    layer = int(mine.layer[0])
    mask, before, after = mask_of(mine, (2, 48))[layer], {}, {}

    def enter(activation, hook):
        before["activation"] = activation.detach().requires_grad_()
        return before["activation"]

    def leave(activation, hook):
        activation.retain_grad()
        after["activation"] = activation

    name = hook_name(layer, mine.site)
    with attached(llama, [(name, enter)]), steer(llama, mine), attached(llama, [(name, leave)]):
        loss_of(llama).backward()
    assert (before["activation"].grad[..., mask] == 0).all()
    assert after["activation"].grad[..., mask].abs().max() > 0
    torch.testing.assert_close(before["activation"].grad[..., ~mask], after["activation"].grad[..., ~mask])


def test_parameters_are_frozen_until_they_are_asked_for(llama, experts):
    model = own_copy(llama)
    with steer(model, experts["de"]), pytest.raises(RuntimeError, match="does not require grad"):
        loss_of(model.requires_grad_(False)).backward()
    model.requires_grad_(True)
    with steer(model, experts["de"]):
        loss_of(model).backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert sum(float(gradient.abs().sum()) for gradient in gradients) > 0


def test_a_copy_of_a_steered_model_is_steered_inside_the_block_only(llama, experts):
    with torch.inference_mode():
        before = llama(TOKENS)
    with steer(llama, experts["de"]), torch.inference_mode(False):
        copied = deepcopy(llama)
        with torch.inference_mode():
            inside, expected = copied(TOKENS), llama(TOKENS)
            assert torch.equal(inside, expected)
    with torch.inference_mode():
        assert torch.equal(copied(TOKENS), before)
        assert torch.equal(llama(TOKENS), before)
        with steer(copied, experts["de"]):
            assert torch.equal(copied(TOKENS), expected)


def test_neurons_beyond_the_width_are_refused_without_the_check_too(llama, corpus, model_of):
    wider = find_experts(model_of("gpt2"), corpus, k=60, progress=False)["de"]
    assert wider.neuron.max() >= 48
    for operation in ("set", "damp"):
        with (
            pytest.raises(InterventionError, match=r"neuron \d+ at blocks\.\d\.mlp.*neurons 0 to 47"),
            steer(llama, wider, operation=operation, check=False),
            torch.inference_mode(),
        ):
            llama(TOKENS)
