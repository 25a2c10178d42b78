"""Sums and samples of a tensor's bits follow their definition, in any layout."""

import hashlib

import numpy as np
import pytest
import torch

from tl_experts.models.checksums import add_sums, bit_sums, digest, sample_bytes, spot_bytes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.float16])
def test_sums_of_bits_follow_their_definition_in_any_layout(dtype):
    values = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[values.element_size()]
    bits = values.contiguous().view(integer).flatten().tolist()
    expected = sum(bits) % 2**64, sum(bit * bit for bit in bits) % 2**64
    assert bit_sums(values, dtype) == bit_sums(values.T, dtype) == bit_sums(values.T.contiguous(), dtype) == expected
    assert add_sums(bit_sums(values[:3], dtype), bit_sums(values[3:], dtype)) == expected
    assert bit_sums(torch.zeros(4), dtype) == (0, 0)


def numbered(*shape: int) -> torch.Tensor:
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)


def test_a_small_tensor_is_sampled_completely_in_order():
    values = numbered(6, 5)
    expected = b"(6, 5)" + values.numpy().tobytes()
    assert sample_bytes(values, torch.float32) == expected
    assert sample_bytes(values.T.contiguous().T, torch.float32) == expected
    assert sample_bytes(values.reshape(5, 6), torch.float32) != expected


def test_a_large_tensor_is_sampled_evenly_from_its_first_to_its_last_value():
    values = numbered(100, 100)
    sample = np.frombuffer(sample_bytes(values, torch.float32).removeprefix(b"(100, 100)"), np.float32)
    assert len(sample) == 4096
    assert (sample[0], sample[-1]) == (0, 9_999)
    assert set(np.diff(sample).tolist()) == {2, 3}


@pytest.mark.parametrize("index", [0, -1])
def test_spots_see_a_change_that_bumps_no_counter(index):
    tensors = [numbered(3, 4), numbered(16).to(torch.float16)]
    before = spot_bytes(tensors)
    assert spot_bytes([tensor.clone() for tensor in tensors]) == before
    version = tensors[1]._version
    tensors[1].data[index] += 1
    assert tensors[1]._version == version
    assert spot_bytes(tensors) != before


def test_a_digest_is_the_beginning_of_the_sha256_of_its_parts():
    expected = hashlib.sha256(b"one, two").hexdigest()[:16]
    assert digest([b"one, two"]) == digest([b"one", b", ", b"two"]) == expected
    assert digest([b"one two"]) != expected
