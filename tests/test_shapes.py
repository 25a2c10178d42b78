"""The checks of shapes in the test run: axes agree within a call, and what has no arrays is left alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from tests.shapes import checked, decorator

check = decorator(typechecker=checked)


@check
def product(left: Float[Tensor, "row inner"], right: Float[Tensor, "inner column"]) -> Float[Tensor, "row column"]:
    return left @ right if left.shape[0] != 5 else left


@check
@dataclass
class Pair:
    one: Float[Tensor, " n"]
    other: Float[Tensor, " n"]

    @classmethod
    @check
    def twice(cls, one: Float[Tensor, " n"]) -> "Pair":
        return cls(one, one)

    @property
    @check
    def total(self) -> Float[Tensor, " n"]:
        return (self.one + self.other)[None] if self.one[0] < 0 else self.one + self.other


def test_axes_of_arguments_and_result_agree():
    assert product(torch.zeros(2, 3), torch.zeros(3, 4)).shape == (2, 4)
    assert product(torch.zeros(3, 4), torch.zeros(4, 2)).shape == (3, 2)  # each call has sizes of its own
    for left, right in (((2, 3), (2, 4)), ((3,), (3, 4)), ((5, 5), (5, 4))):
        with pytest.raises(TypeError, match="product"):
            product(torch.zeros(left), torch.zeros(right))
    with pytest.raises(TypeError, match="product"):
        product(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(3, 4))


def test_a_call_inside_a_call_has_axes_of_its_own():
    @check
    def outer(left: Float[Tensor, "row inner"]) -> Float[Tensor, "row row"]:
        return product(left, left.T.contiguous())

    assert outer(torch.zeros(2, 3)).shape == (2, 2)


def test_fields_methods_and_properties_are_checked():
    assert Pair.twice(torch.ones(2)).total.tolist() == [2, 2]
    with pytest.raises(TypeError, match="other"):
        Pair(torch.ones(2), torch.ones(3))
    with pytest.raises(TypeError, match="twice"):
        Pair.twice(torch.ones(2, 2))
    with pytest.raises(TypeError, match="total"):
        _ = Pair.twice(-torch.ones(2)).total


def test_a_generator_is_checked_when_it_is_called():
    @check
    def rows(matrix: Float[Tensor, "row column"]) -> Iterator[Float[Tensor, " column"]]:
        yield from matrix

    assert [row.tolist() for row in rows(torch.ones(2, 1))] == [[1], [1]]
    with pytest.raises(TypeError, match="rows"):
        rows(torch.ones(2))


def test_a_function_without_arrays_is_left_alone():
    def plain(count: int) -> int:
        return count

    assert check(plain) is plain
    assert plain("text") == "text"  # the package's own messages are tested, not those of a type checker


def test_a_test_can_turn_the_checks_off(unchecked):
    with pytest.raises(RuntimeError, match="shape"):
        product(torch.zeros(2, 3), torch.zeros(2, 4))
