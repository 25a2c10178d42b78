"""Where a hook acts: in the thread or asyncio task that entered its block, and nowhere else.

A hook sits in the model, which threads may share. Without a scope, one thread's intervention would change the passes
of all the others.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

_ENTERED: ContextVar[frozenset["Scope"]] = ContextVar("tl_experts_entered", default=frozenset())


class Scope:
    """A `with` block. A new thread is outside of it, unless it runs in a copy of the block's context.

    Examples:
        >>> import threading
        >>> with Scope() as scope:
        ...     seen = [scope.active]
        ...     thread = threading.Thread(target=lambda: seen.append(scope.active))
        ...     thread.start()
        ...     thread.join()
        >>> seen
        [True, False]
    """

    def __enter__(self) -> "Scope":
        """Enter the block in this context."""
        _ENTERED.set(_ENTERED.get() | {self})
        return self

    def __deepcopy__(self, memo: Any) -> "Scope":
        """Itself: a copy of a model acts in the same block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it. A generator may be closed in another context than it was begun in, so no token is reset."""
        _ENTERED.set(_ENTERED.get() - {self})

    @property
    def active(self) -> bool:
        """Whether the caller is inside the block."""
        return self in _ENTERED.get()

    def only(self, function: Callable[..., Any], outside: Callable[[], None] | None = None) -> Callable[..., Any]:
        """The function inside the block; outside of it one that returns None.

        Args:
            function: a hook function.
            outside: called instead of it outside the block.
        """

        def scoped(*args: Any, **kwargs: Any) -> Any:
            # A hot path: once a hook and pass. The look-up takes a fraction of a microsecond.
            if self in _ENTERED.get():
                return function(*args, **kwargs)
            if outside is not None:
                outside()
            return None

        return scoped
