"""The border of `tl_experts.analysis`: NumPy arrays and PyTorch tensors come in, tensors go on to the measures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.errors import TLExpertsError

Array = Tensor | np.ndarray
"""What every function here accepts; results are tensors, or Python numbers."""


def as_tensor(values: Shaped[Array, "..."]) -> Tensor:
    """The same numbers as a floating-point tensor, without a copy where that is possible.

    Raises:
        TLExpertsError: neither a NumPy array of numbers nor a tensor.
    """
    if isinstance(values, Tensor):
        return values if values.is_floating_point() else values.double()
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        raise TLExpertsError(
            f"expected a PyTorch tensor or a NumPy array of numbers, got {_kind(values)}; convert with np.asarray"
        )
    # PyTorch shares only memory that is writable, contiguous and in the machine's byte order; else it is copied.
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    tensor = torch.from_numpy(np.require(native, requirements=["C", "W"]))
    return tensor if tensor.is_floating_point() else tensor.double()


def as_tensors(vectors: Mapping[str, Shaped[Array, "..."]]) -> dict[str, Tensor]:
    """`as_tensor` of every language.

    Raises:
        TLExpertsError: as there.
    """
    return {language: as_tensor(rows) for language, rows in vectors.items()}


def as_floats(values: Any) -> NDArray[np.float64]:
    """An array, tensor or list of numbers as a float64 NumPy array.

    Raises:
        TLExpertsError: not numbers.
    """
    if isinstance(values, Tensor):
        values = values.detach().double().cpu().numpy()
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TLExpertsError(f"expected numbers, got {_kind(values)} ({error})") from error


def _kind(values: Any) -> str:
    dtype = f" of dtype {values.dtype}" if isinstance(values, np.ndarray) else ""
    return f"{type(values).__name__}{dtype}"
