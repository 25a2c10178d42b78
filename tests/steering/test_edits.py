"""The frame of hook functions: what is prepared once, which positions are edited, which passes are left alone."""

import pytest
import torch

from tests.steering.activations import same_bits
from tl_experts.models import PassTracker
from tl_experts.steering.edits import chosen, editing_hook, kept


def doubling(positions="all", passes=None):
    prepared = []

    def prepare(flat, hook):
        prepared.append((flat.shape, flat.dtype, hook))
        return (torch.tensor(2.0, dtype=flat.dtype),)

    def edited(flat, found, where):
        return chosen(flat * found[0], flat, where)

    return editing_hook(prepare, edited, positions, passes), prepared


def test_heads_lie_side_by_side_and_the_shape_is_kept():
    function, prepared = doubling()
    activation = torch.randn(2, 3, 4, 5)
    after = function(activation, hook="h")
    assert torch.equal(after, 2 * activation)
    assert prepared == [((2, 3, 20), torch.float32, "h")]


def test_each_dtype_is_prepared_once():
    function, prepared = doubling()
    for dtype in (torch.float32, torch.float32, torch.bfloat16, torch.float32):
        assert function(torch.ones(1, 2, 3, dtype=dtype), hook=None).dtype == dtype
    assert [dtype for _, dtype, _ in prepared] == [torch.float32, torch.bfloat16]


def test_padding_keeps_every_bit_and_last_is_the_last_of_the_text():
    activation = torch.randn(1, 3, 4)
    for positions, edited in (("all", [True, True, False]), ("last", [False, True, False])):
        passes = PassTracker()
        passes.begin(torch.tensor([[True, True, False]]), False)
        after = doubling(positions, passes)[0](activation, hook=None)
        for position, changed in enumerate(edited):
            assert same_bits(after[:, position], (2 if changed else 1) * activation[:, position])


def test_a_pass_that_generates_nothing_is_left_alone():
    passes = PassTracker()
    passes.begin(None, False)
    function, prepared = doubling("generated", passes)
    assert function(torch.ones(1, 2, 3), hook=None) is None
    assert not prepared


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_what_is_kept_in_inference_mode_can_be_saved_for_a_gradient(dtype):
    with torch.inference_mode():
        found = kept(torch.ones(3), torch.device("cpu"), dtype)
    assert found.dtype == (dtype or torch.float32)
    weight = torch.ones(3, dtype=found.dtype, requires_grad=True)
    (weight * found).sum().backward()
    assert torch.equal(weight.grad, found)
