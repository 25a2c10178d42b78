"""Hook sites and names, and a context that adds hooks and removes just those.

Names are TransformerLens's own: layer i's MLP neurons are ``blocks.{i}.mlp.hook_post``. Both model classes know
them (the bridge as aliases).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from torch import Tensor

from tl_experts.errors import InterventionError, ModelError, SiteError, near, require_choice
from tl_experts.models.lens import is_model
from tl_experts.models.scope import Scope

Model = Any
"""A `HookedTransformer` or a `TransformerBridge` (transformer_lens ships no common type)."""

HookFunction = Callable[..., Tensor | None]
"""``fn(activation, hook)``: returns the new activation, or None to leave it."""

Hook = tuple[str, HookFunction]
"""A hook name and its function, as in TransformerLens's ``fwd_hooks``."""

SITES = {
    "mlp.hook_post": "MLP neurons after the activation (gated: activation x linear); the default",
    "mlp.hook_pre": "MLP neurons before the activation (gated: the gate's output)",
    "mlp.hook_pre_linear": "the linear (up) half of a gated MLP",
    "hook_mlp_out": "what the MLP writes to the residual stream",
    "attn.hook_z": "attention heads' outputs before their output matrix, heads side by side",
    "hook_resid_post": "the residual stream after the block",
}
"""The hook sites at which neurons can be read, with what each holds."""

RESIDUAL = "hook_resid_post"
"""The site of language vectors."""

_BLOCK = re.compile(r"blocks\.(\d+)\.")


def hook_name(layer: int, site: str) -> str:
    """The hook name of a site in a layer: ``blocks.3.mlp.hook_post``."""
    return f"blocks.{layer}.{site}"


def require_model(model: Model) -> None:
    """Refuse anything but a TransformerLens model.

    Raises:
        ModelError: it is something else (a Hugging Face model, a name...).
    """
    if not is_model(model):
        raise ModelError(
            f"expected a HookedTransformer or TransformerBridge, got {type(model).__name__}; "
            "load it with tl_experts.load_model(name, folder or Hugging Face model)"
        )


def require_site(model: Model, site: str) -> None:
    """Refuse a site that is unknown, or that this model's blocks do not have.

    Raises:
        SiteError: with near matches.
    """
    require_model(model)
    require_choice(site, SITES, "site", SiteError)
    missing = [layer for layer in range(model.cfg.n_layers) if hook_name(layer, site) not in model.hook_dict]
    if missing:
        there = [name for name in SITES if hook_name(missing[0], name) in model.hook_dict]
        raise SiteError(
            f"{model.cfg.model_name}: layer {missing[0]} has no {site!r}"
            + (" (its MLP is not gated)" if site == "mlp.hook_pre_linear" else "")
            + f"; it has {', '.join(there)}"
        )


def require_hooks(model: Model, hooks: Sequence[Hook]) -> None:
    """Refuse hook names that the model does not have: TransformerBridge would skip them silently.

    Raises:
        SiteError: with near matches.
    """
    for name, _ in hooks:
        if name not in model.hook_dict:
            block = _BLOCK.match(name)
            if block and int(block[1]) >= model.cfg.n_layers:
                raise SiteError(f"hook {name!r}: the model has layers 0 to {model.cfg.n_layers - 1}")
            raise SiteError(f"the model has no hook {name!r}; {near(name, list(model.hook_dict))}")


@contextmanager
def attached(model: Model, hooks: Sequence[Hook]) -> Iterator[None]:
    """Add hooks for a while; on leaving, also by an exception, remove these and no others.

    They act in the thread or asyncio task that entered the block; passes that others run meanwhile are not touched.

    TransformerLens's own ``model.hooks()`` is not used: the bridge's skips unknown names, and both strip hooks of
    an enclosing context from the points they touch. Hooks are added as permanent ones, so that the user's own
    ``run_with_hooks`` or ``reset_hooks`` inside the block leaves them alone.

    Raises:
        SiteError: an unknown name; then nothing was added.
    """
    require_hooks(model, hooks)
    added: list[tuple[Any, Any]] = []
    with Scope() as scope:
        try:
            for name, function in hooks:
                point = model.hook_dict[name]
                added.append((point, _add(point, scope.only(function), scope)))
            yield
        finally:
            for point, handle in reversed(added):
                _remove(point, handle)


def active_hooks(model: Model) -> list[str]:
    """The names of the points with hooks that act on a pass of the caller: the user's own, and those of its blocks.

    Those of other threads do not count, nor those that a deep copy kept of a block that has ended.
    """
    return [
        name
        for name, point in model.hook_dict.items()
        if any((scope := getattr(handle, "scope", None)) is None or scope.active for handle in list(point.fwd_hooks))
    ]


def require_no_hooks(model: Model, fix: str) -> None:
    """Check that a pass of the model is that of the model itself.

    Args:
        model: either class.
        fix: what to do instead of calling the function inside `steer`; part of the message.

    Raises:
        ModelError: it is not a model.
        InterventionError: a hook acts on it; the message names its point.
    """
    require_model(model)
    busy = active_hooks(model)
    if busy:
        raise InterventionError(
            f"the model has a hook at {busy[0]!r}, which the results cannot record. {fix}; model.reset_hooks() removes "
            "leftover hooks"
        )


_POINTS = Lock()
"""Held while a hook point's list changes: threads that share a model share its points."""


def _add(point: Any, function: HookFunction, scope: Scope) -> Any:
    with _POINTS:
        point.add_hook(function, is_permanent=True)
        handle = point.fwd_hooks[-1]
        handle.scope = scope
        return handle


def _remove(point: Any, handle: Any) -> None:
    with _POINTS:
        handle.hook.remove()
        point.fwd_hooks = [other for other in point.fwd_hooks if other is not handle]
