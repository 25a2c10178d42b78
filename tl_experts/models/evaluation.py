"""Evaluation mode: a pass of ours never drops anything out, and puts the mode back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from tl_experts.models.hooks import Model
from tl_experts.models.lens import is_bridge


@dataclass
class _Users:
    """The modules that were in training mode, and how many blocks rely on evaluation mode now."""

    training: list[Any]
    count: int = 0


_USERS: WeakKeyDictionary[Any, _Users] = WeakKeyDictionary()
_LOCK = Lock()


@contextmanager
def evaluating(model: Model) -> Iterator[None]:
    """Run the block in evaluation mode; on leaving, each module has the mode it had.

    Threads may share the model: the mode is put back when the last of them leaves.
    """
    with _LOCK:
        users = _USERS.setdefault(model, _Users([]))
        if not users.count:
            users.training = [module for module in _modules(model) if module.training]
            for module in users.training:
                module.training = False
        users.count += 1
    try:
        yield
    finally:
        with _LOCK:
            users.count -= 1
            if not users.count:
                for module in users.training:
                    module.training = True


def _modules(model: Model) -> Iterator[Any]:
    yield from model.modules()
    if is_bridge(model):
        # Some modules of the wrapped model are not the bridge's own.
        yield from model.original_model.modules()
