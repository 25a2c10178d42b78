"""Runtime checks during the tests: every array annotation of the package, and nothing else.

A check of whole signatures would reject a wrong option or type before the package does, and the tests are about the
package's own messages. Only shapes, axes and dtypes have no other check.

jaxtyping's import hook puts its decorator on every function. That binds the arguments of every call to the signature,
also where nothing is an array: a third of the time of the tests of responses. `decorator`, in its place, leaves
functions without arrays as they are.
"""

import dataclasses
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype

_axes_of_a_call = jaxtyping.jaxtyped  # as a context: what it binds to the names of axes holds inside
_beartype = beartype(conf=BeartypeConf(violation_type=TypeError))


def decorator(*, typechecker: Callable[..., Any]) -> Callable[[Any], Any]:
    """In place of `jaxtyping.jaxtyped`: for every function, below its other decorators; for every class, above them."""

    def decorate(target: Any) -> Any:
        if not inspect.isclass(target):
            return typechecker(target)
        if dataclasses.is_dataclass(target) and "__init__" in vars(target):
            target.__init__ = typechecker(target.__init__)
        return target

    return decorate


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check the array annotations of a function at every call: TypeError."""
    arrays = {name: hint for name, hint in function.__annotations__.items() if "jaxtyping" in repr(hint)}
    if not arrays:
        return function

    @wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:  # never a generator, which would be checked only when it begins
        return function(*args, **kwargs)

    plain.__annotations__ = arrays
    strict = _beartype(plain)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if jaxtyping.config.jaxtyping_disable:
            return function(*args, **kwargs)
        with _axes_of_a_call("context"):
            return strict(*args, **kwargs)

    return call
