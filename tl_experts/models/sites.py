"""How many neurons a site has in every layer: seen, not guessed from the configuration."""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from einops import rearrange
from torch import Tensor

from tl_experts.models.forward import forward_pass
from tl_experts.models.hooks import HookFunction, Model, attached, hook_name, require_site

_SEEN: WeakKeyDictionary[Any, dict[str, tuple[int, ...]]] = WeakKeyDictionary()


def site_widths(model: Model, site: str) -> tuple[int, ...]:
    """The number of neurons of a site in every layer, seen in a pass over one token, once for each model.

    Raises:
        SiteError: the model has not the site, or it carries no neurons there.
    """
    require_site(model, site)
    seen = _SEEN.setdefault(model, {})
    if site not in seen:
        seen[site] = _look(model, site)
    return seen[site]


def _look(model: Model, site: str) -> tuple[int, ...]:
    widths: dict[int, int] = {}

    def note(layer: int) -> HookFunction:
        def look(activation: Tensor, hook: Any) -> None:  # noqa: ARG001 (TransformerLens's signature)
            widths[layer] = rearrange(activation, "batch pos ... -> batch pos (...)").shape[-1]

        return look

    layers = range(model.cfg.n_layers)
    with attached(model, [(hook_name(layer, site), note(layer)) for layer in layers]):
        forward_pass(model, torch.zeros(1, 1, dtype=torch.long), last_layer=model.cfg.n_layers - 1)
    return tuple(widths[layer] for layer in layers)
