"""The dtypes of models and of stored responses, by the names that users write."""

from typing import Any, Literal, cast

import torch

from tl_experts.errors import TLExpertsError, require_choice

DtypeName = Literal["float32", "bfloat16", "float16"]
DTYPES: dict[DtypeName, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def dtype_name(dtype: Any, *, what: str = "dtype", error: type[TLExpertsError] = TLExpertsError) -> DtypeName:
    """The name of a dtype, given as a name or as PyTorch's own.

    >>> dtype_name(torch.bfloat16), dtype_name("float32")
    ('bfloat16', 'float32')

    Raises:
        TLExpertsError: (or `error`) another dtype, or not a dtype.
    """
    name = str(dtype).removeprefix("torch.") if isinstance(dtype, str | torch.dtype) else dtype
    require_choice(name, DTYPES, what, error)
    return cast("DtypeName", name)
