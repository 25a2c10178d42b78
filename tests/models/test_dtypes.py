"""A dtype has one name, however it is given."""

import pytest
import torch

from tl_experts.errors import ModelError, TLExpertsError
from tl_experts.models.dtypes import DTYPES, dtype_name


@pytest.mark.parametrize("name", DTYPES)
def test_a_name_and_pytorchs_dtype_are_the_same(name):
    assert DTYPES[name] is getattr(torch, name)
    assert dtype_name(name) == dtype_name(DTYPES[name]) == dtype_name(f"torch.{name}") == name


@pytest.mark.parametrize("dtype", ["int8", "float23", "", torch.int8, torch.float64, None, 32, float, ["float32"]])
def test_another_dtype_raises_an_error_that_names_it(dtype):
    shown = str(dtype).removeprefix("torch.") if isinstance(dtype, torch.dtype) else dtype
    with pytest.raises(TLExpertsError) as refused:
        dtype_name(dtype)
    assert str(refused.value).startswith(f"dtype {shown!r}")


def test_the_caller_chooses_the_name_and_the_class_of_the_error():
    with pytest.raises(ModelError, match="response dtype 'int8'"):
        dtype_name("int8", what="response dtype", error=ModelError)
