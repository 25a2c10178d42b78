"""Sums, samples and digests of a tensor's bits: exact, so equal on any device and with any number of threads."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Shaped
from numpy.typing import NDArray
from torch import Tensor

_SAMPLE = 4096
_SPOT = 16
_CHUNK = {"cpu": 2**18}
"""Values at a time: on a CPU as many as its cache holds."""
_LARGE_CHUNK = 2**24
_WORD = 2**64
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}

Sums = tuple[int, int]
"""Sums of the values' bits and of their squares, modulo 2^64: the same in any order of the values."""


def add_sums(one: Sums, other: Sums) -> Sums:
    """The sums of the values of both."""
    return (one[0] + other[0]) % _WORD, (one[1] + other[1]) % _WORD


def _flat(tensor: Shaped[Tensor, "..."]) -> Shaped[Tensor, " value"]:
    """All values in their order in memory: no copy, also of a transposed matrix."""
    order = sorted(range(tensor.ndim), key=tensor.stride, reverse=True)
    return tensor.permute(order).reshape(-1)


def bit_sums(tensor: Shaped[Tensor, "..."], dtype: torch.dtype) -> Sums:
    """Sums over the bits of all values, converted to a dtype.

    Any change of one value changes the first sum. Integers wrap around, so no order or device rounds differently.
    """
    flat = _flat(tensor)
    total = torch.zeros(2, dtype=torch.int64, device=flat.device)
    for chunk in torch.split(flat, _CHUNK.get(flat.device.type, _LARGE_CHUNK)):
        bits = _as_bits(chunk, dtype).to(torch.int64)
        # Not in place: of float64 these are the parameter's own bits.
        total += torch.stack([bits.sum(), (bits * bits).sum()])
    first, second = (number % _WORD for number in total.tolist())
    return first, second


def spot_bytes(tensors: Sequence[Tensor]) -> bytes:
    """A few values of each parameter, fetched from each device at once: a change by ``.data`` bumps no counter."""
    spots: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for tensor in tensors:
        spots.setdefault((tensor.device, tensor.dtype), []).append(_spot(tensor))
    return b"".join(_bytes(torch.cat(group)) for group in spots.values())


def _spot(tensor: Tensor) -> Tensor:
    # Evenly through the memory that a dense parameter fills, whatever its layout: no copy, no index.
    end = tensor.storage_offset() + tensor.numel()
    if end * tensor.element_size() > tensor.untyped_storage().nbytes():
        return tensor.reshape(-1)[:_SPOT]
    step = max(1, tensor.numel() // _SPOT)
    return tensor.as_strided((min(_SPOT, tensor.numel()),), (step,))


def _as_bits(values: Tensor, dtype: torch.dtype) -> Tensor:
    rounded = values.to(dtype)
    return rounded.view(_BITS[rounded.element_size()])


def _bytes(values: Tensor) -> bytes:
    return bytes(_as_bits(values, values.dtype).cpu().numpy().tobytes())


def sample_bytes(tensor: Tensor, dtype: torch.dtype) -> bytes:
    """Values evenly over a tensor, in order."""
    places = tuple(torch.from_numpy(place).to(tensor.device) for place in _places(tuple(tensor.shape)))
    return repr(tuple(tensor.shape)).encode() + _bytes(tensor.detach()[places].to(dtype))


@lru_cache(maxsize=32)  # a model has a handful of shapes
def _places(shape: tuple[int, ...]) -> tuple[NDArray[np.int64], ...]:
    """Indices evenly over a tensor of some shape, as arrays: a tensor would keep the mode (inference or not)."""
    count = math.prod(shape)
    even = torch.linspace(0, count - 1, min(_SAMPLE, count), dtype=torch.float64).long()
    return tuple(place.numpy() for place in torch.unravel_index(even, shape))


def digest(parts: Iterable[bytes]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the parts."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:16]
