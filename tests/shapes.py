"""The run-time check of the test run: every array annotation of the package, and nothing else.

Whole-signature checking would answer a wrong option or type before the package can, and its own messages are what
the tests are after. Shapes, axes and dtypes have no other guard.
"""

from collections.abc import Callable
from typing import Any

from beartype import beartype


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check the array annotations of a function in every call."""
    arrays = {name: hint for name, hint in function.__annotations__.items() if "jaxtyping" in repr(hint)}
    function.__annotations__ = arrays
    return beartype(function)
