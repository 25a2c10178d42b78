"""What is steered: real tokens, the last of each text, what was generated, or all until some tokens are written."""

import pytest
import torch

from tl_experts.errors import InterventionError
from tl_experts.models import PassTracker
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
