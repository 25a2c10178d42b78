"""Passes of several interventions over the same text: what lies below the first layer that is steered is computed once.

A branch with its first hook in layer 12 of 18 begins with the residual stream in front of that layer, which the
unsteered pass over the same batch left there: the same bits as a pass from the embedding, in a third of the time.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tl_experts.models.allocator import keep_freed_memory
from tl_experts.models.batches import Batch, count_tokens
from tl_experts.models.forward import ReadFinal, Start, final_read, forward_pass, stop_here
from tl_experts.models.hooks import Hook, Model, attached, require_hooks, require_model
from tl_experts.models.lens import is_bridge
from tl_experts.models.scope import Scope

_BLOCK = re.compile(r"blocks\.(\d+)\.")


@dataclass(frozen=True, eq=False)
class Branch:
    """One way to run the batches."""

    hooks: Sequence[Hook]
    """The intervention; none: the model as it is."""

    readers: Callable[[Batch], Sequence[Hook]]
    """For a batch, the hooks that read its activations; they change nothing."""

    read_final: ReadFinal | None = None
    """Given the last hidden state, after the final norm."""


def forward_branches(
    model: Model,
    batches: Sequence[Batch],
    branches: Sequence[Branch],
    *,
    last_layer: int | None = None,
    description: str = "forward",
    progress: bool = True,
) -> Iterator[Batch]:
    """Run every batch once per branch; yield it when all branches are done.

    Args:
        model: either class; a `TransformerBridge` runs each branch from the start.
        batches: from `make_batches`.
        branches: at least one.
        last_layer: stop after this block; None runs through the final norm.
        description: of the progress bar, which counts tokens, those of each branch.
        progress: show the bar.

    Raises:
        SiteError: a hook name that the model does not have.
    """
    from tqdm.auto import tqdm

    require_model(model)
    for branch in branches:
        require_hooks(model, branch.hooks)
    keep_freed_memory()
    firsts = [first_layer(model, branch.hooks) for branch in branches]
    top = int(model.cfg.n_layers) - 1 if last_layer is None else last_layer
    total = count_tokens(batches) * len(branches)
    with tqdm(total=total, desc=description, unit="tok", unit_scale=True, disable=not progress) as bar:
        for batch in batches:
            starts = _shared(model, batch, branches, firsts, last_layer)
            for branch, first in zip(branches, firsts, strict=True):
                if first <= top:
                    hooks = [*branch.hooks, *_reading(branch, batch, first, above=True)]
                    with attached(model, hooks), final_read(model, batch, branch.read_final):
                        _run(model, batch, last_layer, starts.get(first))
                bar.update(int(batch.attended.sum()))
            yield batch


def first_layer(model: Model, hooks: Sequence[Hook]) -> int:
    """The first block that hooks act in; the number of blocks where there is none, 0 where it is not told."""
    if is_bridge(model):
        return 0
    found = [_block(name) for name, _ in hooks]
    if any(block is None for block in found):
        return 0
    return min((block for block in found if block is not None), default=int(model.cfg.n_layers))


def _shared(
    model: Model, batch: Batch, branches: Sequence[Branch], firsts: Sequence[int], last_layer: int | None
) -> dict[int, Start]:
    """Run the layers below the branches; give the starts, and the readers of the layers on the way what they read."""
    top = int(model.cfg.n_layers) - 1 if last_layer is None else last_layer
    wanted = sorted({first for first in firsts if first > 0})
    if not wanted:
        return {}
    starts: dict[int, Start] = {}
    whole = [branch for branch, first in zip(branches, firsts, strict=True) if first > top]
    with contextlib.ExitStack() as stack:
        scope = stack.enter_context(Scope())
        for layer in (one for one in wanted if one <= top):
            keep = scope.only(_keeper(starts, layer, stop=not whole and layer == wanted[-1]))
            handle = model.blocks[layer].register_forward_pre_hook(keep, with_kwargs=True)
            stack.callback(handle.remove)
        reading = [
            hook
            for branch, first in zip(branches, firsts, strict=True)
            for hook in _reading(branch, batch, first, above=False)
        ]
        stack.enter_context(attached(model, reading))
        for branch in whole:
            stack.enter_context(final_read(model, batch, branch.read_final))
        _run(model, batch, last_layer, None)
    return starts


def _run(model: Model, batch: Batch, last_layer: int | None, start: Start | None) -> None:
    forward_pass(model, batch.tokens, attended=batch.needed_mask, last_layer=last_layer, start=start)


def _keeper(starts: dict[int, Start], layer: int, *, stop: bool) -> Callable[..., None]:
    def keep(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        others = {name: kwargs.get(name) for name in ("attention_mask", "shortformer_pos_embed")}
        starts[layer] = Start(layer, args[0], others)
        if stop:
            stop_here()

    return keep


def _reading(branch: Branch, batch: Batch, first: int, *, above: bool) -> list[Hook]:
    """The readers of the layers that a branch computes itself, or of those below."""
    return [hook for hook in branch.readers(batch) if ((_block(hook[0]) or 0) >= first) == above]


def _block(name: str) -> int | None:
    found = _BLOCK.match(name)
    return None if found is None else int(found[1])
