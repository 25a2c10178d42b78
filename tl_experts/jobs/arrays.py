"""Arrays as ``.npy`` files: written whole, read by mapping them into memory, never unpickled."""

from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tl_experts.errors import ArtefactError
from tl_experts.jobs.files import checksum, not_readable, not_writable, written
from tl_experts.jobs.paths import user_path

# What NumPy raises for headers that are damaged, depending on the damage.
_DAMAGE = (ValueError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError, RecursionError, TokenError)


def write_array(path: str | Path, array: NDArray[Any]) -> str:
    """Write a ``.npy`` file.

    Returns:
        The SHA-256 of the file, hexadecimal.

    Raises:
        ArtefactError: the file cannot be written.
    """
    with written(user_path(path)) as temporary:
        with temporary.open("wb") as stream:
            np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
        return checksum(temporary)


def read_array(path: str | Path, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """A ``.npy`` file, mapped into memory: values are read when they are used.

    Raises:
        ArtefactError: the file is missing or damaged, or its array has another shape or dtype (checked before anything
            is mapped).
    """
    source = user_path(path)
    try:
        array: NDArray[Any] = np.load(source, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise not_readable(source, error) from error
    except _DAMAGE as error:
        raise ArtefactError(f"{source} is not a readable .npy file ({error}); create it again") from error
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise ArtefactError(f"{source} holds {array.dtype} {array.shape}; expected {dtype} {shape}; create it again")
    return array


def mapped_array(path: str | Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A float32 array of zeros in a new ``.npy`` file that is mapped into memory: for arrays larger than memory.

    Raises:
        ArtefactError: the file cannot be written.
    """
    target = user_path(path)
    try:
        return np.lib.format.open_memmap(target, mode="w+", dtype=np.float32, shape=shape)
    except OSError as error:
        raise not_writable(target, error) from error
