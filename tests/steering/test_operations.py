"""Each operation follows its formula, leaves padding alone, and changes no bit at strength 0."""

import numpy as np
import pytest
import torch

from tests.steering.activations import PADDED, TOKENS, read, same_bits
from tl_experts import collect_responses, embed, intervention_hooks, score_responses, select_experts, steer
from tl_experts.errors import InterventionError
from tl_experts.steering.operations import OPERATIONS, operation_name, plan

VALUE = np.array([0.5, -2.0, 0.0, 3.0], dtype=np.float32)
AUROC = np.array([0.4, 0.5, 0.8, 1.0], dtype=np.float32)


def halve_the_gap(activation, value):
    return (activation + value) / 2


FORMULAS = {
    "set": lambda a, v, q, s: s * v + (1 - s) * a,
    "add": lambda a, v, q, s: a + s * v,
    "scale": lambda a, v, q, s: s * a + 0 * v,
    "damp": lambda a, v, q, s: s * a * (1 - (2 * q - 1).clip(0, 1)) + (1 - s) * a,
    "raise": lambda a, v, q, s: s * torch.maximum(a, v) + (1 - s) * a,
    "toward": lambda a, v, q, s: a + s * (v - a),
    "zero": lambda a, v, q, s: (1 - s) * a + 0 * v,
    halve_the_gap: lambda a, v, q, s: s * (a + v) / 2 + (1 - s) * a,
}


def apply(operation, activation, strength):
    planned = plan(operation, VALUE, AUROC, strength)
    amounts = torch.from_numpy(planned.amounts)
    return amounts.expand_as(activation) if planned.edit is None else planned.edit(activation, amounts)


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("operation", FORMULAS, ids=operation_name)
def test_an_operation_follows_its_formula(operation, strength):
    activation = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    expected = FORMULAS[operation](activation, torch.from_numpy(VALUE), torch.from_numpy(AUROC), strength)
    torch.testing.assert_close(apply(operation, activation, strength), expected, rtol=1e-6, atol=1e-6)


def test_every_registered_operation_has_a_formula_a_source_and_a_test():
    assert set(OPERATIONS) == {name for name in FORMULAS if isinstance(name, str)}
    assert all(rule.formula and rule.source for rule in OPERATIONS.values())


def test_add_scale_and_toward_take_any_strength():
    activation = torch.randn(2, 3, 4)
    for operation, strength in [("add", -2.0), ("scale", 3.0), ("toward", 2.0)]:
        expected = FORMULAS[operation](activation, torch.from_numpy(VALUE), torch.from_numpy(AUROC), strength)
        torch.testing.assert_close(apply(operation, activation, strength), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_raise_never_lowers(strength):
    activation = torch.randn(2, 3, 4)
    assert (apply("raise", activation, strength) >= activation).all()
    assert (apply("raise", activation, 1.0) >= torch.from_numpy(VALUE)).all()


@pytest.mark.parametrize("operation", [name for name in FORMULAS if name != "scale"], ids=operation_name)
def test_strength_0_changes_no_bit(llama, experts, operation):
    before = read(llama)
    with steer(llama, experts["de"], operation=operation, strength=0):
        assert same_bits(read(llama), before)
    with steer(llama, experts["de"], operation=operation):
        assert not torch.equal(read(llama), before)


@pytest.mark.parametrize("operation", FORMULAS, ids=operation_name)
def test_the_model_is_steered_by_the_formula_and_only_at_the_experts(llama, experts, operation):
    mine = experts["ja"]
    rows = np.flatnonzero(mine.layer == 0)
    chosen = torch.tensor(mine.neuron[rows])
    value, auroc = (torch.from_numpy(mine.statistics[name][rows]) for name in ("mean", "auroc"))
    before = read(llama)[0]
    with steer(llama, mine, operation=operation, strength=0.5):
        after = read(llama)[0]
    expected = FORMULAS[operation](before[..., chosen], value, auroc, 0.5)
    torch.testing.assert_close(after[..., chosen], expected, rtol=1e-5, atol=1e-6)
    others = torch.ones(48, dtype=torch.bool)
    others[chosen] = False
    assert same_bits(after[..., others], before[..., others])


@pytest.mark.parametrize("operation", FORMULAS, ids=operation_name)
def test_padding_is_left_alone_and_leaving_restores_every_bit(llama, experts, operation):
    before = read(llama, PADDED)
    with steer(llama, experts["de"], operation=operation, strength=0.5):
        after = read(llama, PADDED)
    real = PADDED != 2
    # At layer 1 padding differs by what the attention reads of steered tokens: layer 0 shows what was edited.
    assert torch.equal((after[0] != before[0]).any(-1), real)
    assert same_bits(read(llama, PADDED), before)


@pytest.mark.parametrize("operation", FORMULAS, ids=operation_name)
def test_an_operation_works_with_embed_generate_and_run_with_cache(llama, experts, corpus, operation):
    few = corpus.only(["en"])
    before = embed(llama, few, progress=False).vectors
    with torch.inference_mode(), steer(llama, experts["de"], operation=operation, strength=0.5):
        inside = embed(llama, few, progress=False).vectors
        _, cache = llama.run_with_cache(TOKENS)
        cached = llama.generate(TOKENS[:1], max_new_tokens=3, do_sample=False, stop_at_eos=False, verbose=False)
        plain = llama.generate(
            TOKENS[:1],
            max_new_tokens=3,
            do_sample=False,
            stop_at_eos=False,
            verbose=False,
            use_past_kv_cache=False,
        )
        assert torch.equal(cache["blocks.0.mlp.hook_post"], read(llama)[0])
    assert not torch.equal(inside, before)
    assert torch.equal(cached, plain)


@pytest.mark.parametrize("operation", FORMULAS, ids=operation_name)
def test_an_operation_works_in_16_bits(bfloat_llama, experts, operation):
    before = read(bfloat_llama)
    with steer(bfloat_llama, experts["de"], operation=operation, strength=0.5, check=False):
        after = read(bfloat_llama)
    assert after.dtype == torch.bfloat16
    assert not torch.equal(after, before)
    assert same_bits(read(bfloat_llama), before)


def test_aura_damps_every_neuron_of_auroc_above_one_half(llama, corpus):
    expertise = score_responses(collect_responses(llama, corpus, progress=False), progress=False)
    aura = select_experts(expertise, threshold=0.5)["de"]
    auroc = torch.from_numpy(expertise.auroc[:, expertise.languages.index("de")])[:48]
    before = read(llama)[0]
    with steer(llama, aura, operation="damp"):
        after = read(llama)[0]
    alpha = torch.where(auroc > 0.5, 1 - 2 * (auroc - 0.5), torch.ones(48))
    assert (alpha < 1).sum() > 12
    torch.testing.assert_close(after, before * alpha, rtol=1e-6, atol=1e-7)


def test_a_users_function_may_write_in_place(llama, experts):
    def in_place(activation, value):
        value += 1
        return activation.copy_(value.expand_as(activation))

    before = read(llama, PADDED)
    with steer(llama, experts["de"], operation=in_place):
        first, second = read(llama, PADDED), read(llama, PADDED)
    assert torch.equal(first, second)
    assert same_bits(first[0][PADDED == 2], before[0][PADDED == 2])


def test_values_may_be_given_one_per_expert(llama, experts):
    mine = experts["de"]
    own = np.linspace(-1, 1, mine.total)
    with steer(llama, mine, value=own):
        steered = read(llama)
    seen = steered[torch.tensor(mine.layer), 0, 2, torch.tensor(mine.neuron)]
    assert torch.equal(seen, torch.from_numpy(own.astype(np.float32)))


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda a, v: None, "NoneType"),
        (lambda a, v: a[..., :1], r"\(2, 6, 1\)"),
        (lambda a, v: a.double(), "float64"),
    ],
)
def test_a_users_function_must_return_what_fits(llama, experts, function, given):
    with steer(llama, experts["de"], operation=function), pytest.raises(InterventionError, match=given):
        llama(TOKENS)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan"), "1", None, True])
@pytest.mark.parametrize("operation", ["set", "damp", "raise", "zero", halve_the_gap], ids=operation_name)
def test_a_share_lies_between_0_and_1(experts, operation, strength):
    with pytest.raises(InterventionError, match=r"strength is .* takes a number from 0 to 1"):
        intervention_hooks(experts["de"], operation=operation, strength=strength)
    assert intervention_hooks(experts["de"], operation=operation, strength=0.5)


@pytest.mark.parametrize("value", [[1.0, 2.0], np.full(12, np.nan), np.ones((12, 1)), 1.0, None, {"a": 1}])
def test_values_that_do_not_fit_the_experts_raise(experts, value):
    with pytest.raises(InterventionError, match="12 finite numbers, one per expert"):
        intervention_hooks(experts["de"], value=value)
