"""The hook function of a layer edits its neurons in a copy, and refuses a layer that lacks them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.steering.activations import same_bits
from tl_experts.errors import InterventionError
from tl_experts.models import PassTracker
from tl_experts.steering.neurons import neuron_hook
from tl_experts.steering.operations import plan

NEURONS = np.array([4, 1])
VALUE, AUROC = np.array([9.0, -9.0], dtype=np.float32), np.array([0.9, 0.9], dtype=np.float32)


def function(operation="set", strength=1.0, passes=None):
    return neuron_hook(NEURONS, plan(operation, VALUE, AUROC, strength), "all", passes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("operation", "strength"), [("set", 1.0), ("set", 0.5), ("add", 1.0)])
def test_only_the_neurons_change_and_the_activation_itself_is_not_written(dtype, operation, strength):
    activation = torch.randn(2, 3, 6).to(dtype)
    copy = activation.clone()
    after = function(operation, strength)(activation, hook=None)
    assert same_bits(activation, copy)
    assert after.dtype == dtype
    others = [0, 2, 3, 5]
    assert same_bits(after[..., others], activation[..., others])
    expected = {("set", 1.0): VALUE, ("set", 0.5): None, ("add", 1.0): None}[operation, strength]
    if expected is not None:
        assert torch.equal(after[..., NEURONS.tolist()], torch.tensor(expected).to(dtype).expand(2, 3, 2))


def test_heads_lie_side_by_side():
    after = function()(torch.zeros(1, 1, 2, 3), hook=None)
    assert after.shape == (1, 1, 2, 3)
    assert after[0, 0, 1, 1] == 9
    assert after[0, 0, 0, 1] == -9


@pytest.mark.parametrize("operation", ["set", "add"])
def test_padding_keeps_every_bit(operation):
    passes = PassTracker()
    passes.begin(torch.tensor([[True, False]]), False)
    activation = torch.randn(1, 2, 6)
    after = function(operation, passes=passes)(activation, hook=None)
    assert same_bits(after[0, 1], activation[0, 1])
    assert not torch.equal(after[0, 0], activation[0, 0])


def test_set_at_strength_1_is_one_choice_over_the_layer():
    assert plan("set", VALUE, AUROC, 1.0).edit is None
    assert plan("zero", VALUE, AUROC, 1.0).edit is None
    assert plan("set", VALUE, AUROC, 0.5).edit is not None


@pytest.mark.parametrize("operation", ["set", "add"])
def test_a_layer_without_the_neuron_is_refused(operation):
    with pytest.raises(InterventionError, match=r"neuron 4 at blocks.0.*neurons 0 to 3"):
        function(operation)(torch.zeros(1, 1, 4), hook=SimpleNamespace(name="blocks.0"))
