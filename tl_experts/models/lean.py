"""Lean passes: the package's own through a `HookedTransformer`, which compute only what is needed, to the same bits.

Attention over 1,024 tokens or more (`lean_block.LONG`) is the exception: in blocks, to float tolerance.

A pass of ours swaps the forward of the blocks and of the final norm for those of `lean_block`, and puts them back.
Passes of the user, also those that other threads run through the same model meanwhile, are not touched.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

import torch

from tl_experts.models.hooks import Model
from tl_experts.models.lean_block import Plan, hooked_everywhere, inner_hooked, run_block, run_norm, runs_lean
from tl_experts.models.lens import COMPONENTS, is_bridge


@dataclass(eq=False)
class _Owner:
    """The lean blocks of one model: which forwards are swapped, and for how many passes."""

    swapped: list["_Forward"] = field(default_factory=list)
    passes: int = 0

    def __deepcopy__(self, memo: Any) -> "_Owner":
        """Itself: a copy of the model belongs to the user, and runs the plain forward."""
        return self


_OWNERS: WeakKeyDictionary[Any, _Owner] = WeakKeyDictionary()
_LOCK = Lock()
_NO_PLANS: Mapping[_Owner, Plan] = MappingProxyType({})
_PLANS: ContextVar[Mapping[_Owner, Plan]] = ContextVar("tl_experts_plans", default=_NO_PLANS)
_PLAIN: ContextVar[bool] = ContextVar("tl_experts_plain", default=False)


@contextmanager
def lean_passes(model: Model) -> Iterator[None]:
    """Run the passes of this block lean where the model allows it: the same bits, faster.

    Attention over 1,024 tokens or more is computed in blocks, whose sums differ in their last bits.
    The package's own passes do so; others may. It acts in this thread or task. A hook on what is not computed then
    (attention scores and patterns, queries, keys, values, scales of norms) turns the plain path of its layer on at
    once, and so do gradients. A `TransformerBridge` is left as it is.

    Examples:
        >>> from tl_experts import load_model
        >>> model = load_model("polyglot-mini")
        >>> with lean_passes(model):
        ...     text = model.generate("To open a file,", max_new_tokens=5, verbose=False)
    """
    if COMPONENTS is None or is_bridge(model) or _PLAIN.get() or hooked_everywhere():
        yield
        return
    with _LOCK:
        owner = _OWNERS.setdefault(model, _Owner())
        if not owner.passes:
            owner.swapped = _swap(model, owner)
        owner.passes += 1
    token = _PLANS.set({**_PLANS.get(), owner: Plan()})
    try:
        yield
    finally:
        _PLANS.reset(token)
        with _LOCK:
            owner.passes -= 1
            if not owner.passes:
                for forward in owner.swapped:
                    del forward.module.__dict__["forward"]
                owner.swapped = []


@contextmanager
def plain_passes(on: bool = True) -> Iterator[None]:
    """Run the package's passes of this block by TransformerLens's own code.

    Args:
        on: False leaves lean passes on.
    """
    token = _PLAIN.set(on)
    try:
        yield
    finally:
        _PLAIN.reset(token)


class _Forward:
    """The forward of a module while a pass of ours runs: lean for that pass, plain for all others."""

    def __init__(self, module: Any, owner: _Owner) -> None:
        self.module = module
        self.owner = owner

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        plan = _PLANS.get().get(self.owner)
        if plan is None or _PLAIN.get():
            return type(self.module).forward(self.module, *args, **kwargs)
        return self.run(plan, *args, **kwargs)

    def run(self, plan: Plan, *args: Any, **kwargs: Any) -> Any:
        """The lean forward."""
        raise NotImplementedError


class _BlockForward(_Forward):
    def run(self, plan: Plan, *args: Any, **kwargs: Any) -> Any:
        if not runs_lean(self.module, args[0] if args else kwargs["resid_pre"]):
            return type(self.module).forward(self.module, *args, **kwargs)
        return run_block(self.module, plan, *args, **kwargs)


class _NormForward(_Forward):
    def run(self, plan: Plan, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 (a norm sees no mask)
        # A hook on the module itself, as our reader of the last hidden state, runs whatever its forward is.
        if torch.is_grad_enabled() or inner_hooked(self.module):
            return type(self.module).forward(self.module, *args, **kwargs)
        return run_norm(self.module, *args, **kwargs)


def _swap(model: Model, owner: _Owner) -> list[_Forward]:
    forwards: list[_Forward] = [
        _BlockForward(block, owner) for block in model.blocks if type(block) is COMPONENTS.block
    ]
    final = getattr(model, "ln_final", None)
    if type(final) in COMPONENTS.norms:
        forwards.append(_NormForward(final, owner))
    # Somebody else's forward stays; one of ours is of a pass during which the model was copied.
    ours = [one for one in forwards if isinstance(one.module.__dict__.get("forward", one), _Forward)]
    for forward in ours:
        forward.module.__dict__["forward"] = forward
    return ours
