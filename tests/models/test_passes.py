"""Passes are counted; continuations are distinguished from first passes, and padding from text."""

import pytest
import torch

from tl_experts.models import track_passes
from tl_experts.models.passes import real_positions

TOKENS = torch.tensor([[0, 11, 12, 13, 14, 15], [0, 21, 22, 23, 24, 25]])


@pytest.mark.parametrize(
    ("tokens", "pad", "bos", "expected"),
    [
        ([0, 5, 6, 2, 2], 2, 0, [1, 1, 1, 0, 0]),
        ([2, 2, 0, 5, 6], 2, 0, [0, 0, 1, 1, 1]),
        ([0, 5, 2, 6, 2], 2, 0, [1, 1, 1, 1, 0]),  # padding's id inside the text is text
        ([9, 9, 9, 5, 6], 9, 9, [0, 0, 1, 1, 1]),  # BOS has padding's id: the last one before the text
        ([2, 2, 2, 2, 2], 2, 0, [1, 1, 1, 1, 1]),
        ([0, 5, 6, 2, 2], None, 0, None),
    ],
)
def test_padding_is_recognised_by_its_place(tokens, pad, bos, expected):
    found = real_positions(torch.tensor([tokens]), pad, bos)
    assert (found is None and expected is None) or found.int().tolist() == [expected]


def test_the_tracker_counts_passes_and_tells_continuations(llama):
    with track_passes(llama) as passes:
        llama.generate(TOKENS[:1], max_new_tokens=3, do_sample=False, stop_at_eos=False, verbose=False)
    assert (passes.passes, passes.continued) == (3, 2)
    with torch.inference_mode():
        llama(TOKENS)
    assert passes.passes == 3


def test_the_tracker_tells_generation_without_a_cache_from_other_passes(llama):
    options = {"do_sample": False, "stop_at_eos": False, "verbose": False}
    with track_passes(llama) as passes, torch.inference_mode():
        llama.generate(TOKENS[:1], max_new_tokens=4, use_past_kv_cache=True, **options)
        for length in (3, 4, 6):
            llama(TOKENS[:, :length].flip(1))  # one longer, but other tokens
        assert passes.regrown == 0
        llama(TOKENS[:, :4])
        llama(TOKENS[:, :5])
        llama(TOKENS[:1, :6])  # another number of texts
        assert passes.regrown == 1
        llama.generate(TOKENS[:1], max_new_tokens=4, use_past_kv_cache=False, **options)
        assert passes.regrown == 3
