"""Runtime checks during the tests: every array annotation of the package, and nothing else.

A check of whole signatures would reject a wrong option or type before the package does, and the tests are about the
package's own messages. Only shapes, axes and dtypes have no other check.
"""

from collections.abc import Callable
from typing import Any

from beartype import beartype


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check the array annotations of a function at every call."""
    arrays = {name: hint for name, hint in function.__annotations__.items() if "jaxtyping" in repr(hint)}
    function.__annotations__ = arrays
    return beartype(function)
