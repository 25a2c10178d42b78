"""The one forward loop: batches through the model up to the last layer that is read, never the unembedding."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tl_experts.models.allocator import keep_freed_memory
from tl_experts.models.batches import Batch, count_tokens
from tl_experts.models.evaluation import evaluating
from tl_experts.models.hooks import Hook, Model, attached, require_model
from tl_experts.models.lean import lean_passes
from tl_experts.models.lens import is_bridge
from tl_experts.models.scope import Scope


class _Enough(Exception):  # noqa: N818 (no fault)
    """Raised behind the last hook that reads, or in front of the unembedding, to leave the pass there."""


@dataclass(frozen=True, eq=False)
class Start:
    """Where a pass of a `HookedTransformer` begins: in front of a block, with what an earlier pass computed so far."""

    layer: int
    residual: Float[Tensor, "batch pos d_model"]
    arguments: dict[str, Any]
    """What the blocks get besides: the attention mask, shortformer's positions."""


def forward_pass(
    model: Model,
    tokens: Int[Tensor, "batch pos"],
    *,
    attended: Bool[Tensor, "batch pos"] | None = None,
    last_layer: int | None = None,
    start: Start | None = None,
) -> None:
    """Run the model for its hooks only: in evaluation mode, without gradients and without logits.

    Args:
        model: either class.
        tokens: token ids.
        attended: the attention mask; needed for left padding only (a causal model never looks right).
        last_layer: stop after this block; None runs the final norm too.
        start: begin there; None: with the embedding.
    """
    kwargs: dict[str, Any] = {"return_type": None, **_arguments(model, attended)}
    begin = tokens.to(_input_device(model))
    if start is not None:
        kwargs |= {"start_at_layer": start.layer, "tokens": begin, **start.arguments}
        begin = start.residual
    bridge = is_bridge(model)
    if last_layer is not None and not (bridge and last_layer + 1 == model.cfg.n_layers):
        kwargs["stop_at_layer"] = last_layer + 1
    # HookedTransformer leaves out the unembedding by itself; the bridge runs Hugging Face's whole forward.
    stop = before_unembedding(model, stop_here) if bridge else contextlib.nullcontext()
    with evaluating(model), lean_passes(model), stop, torch.inference_mode(), contextlib.suppress(_Enough):
        model(begin, **kwargs)


def forward_logits(
    model: Model, tokens: Int[Tensor, "batch pos"], *, attended: Bool[Tensor, "batch pos"] | None = None
) -> Float[Tensor, "batch pos d_vocab"]:
    """The logits of a pass in evaluation mode, without gradients; arguments as in `forward_pass`."""
    return _logits(model, tokens, attended)


def position_logits(
    model: Model,
    tokens: Int[Tensor, "batch pos"],
    positions: Bool[Tensor, "batch pos"],
    *,
    attended: Bool[Tensor, "batch pos"] | None = None,
) -> Float[Tensor, "chosen d_vocab"]:
    """The logits of some positions of `forward_logits`, row by row; the others are not unembedded.

    With a large vocabulary the unembedding is half of the pass, and its logits most of the memory.

    Args:
        model: either class.
        tokens: token ids.
        positions: True where logits are wanted.
        attended: as in `forward_pass`.
    """
    with before_unembedding(model, partial(_choose, positions)):
        return _logits(model, tokens, attended)[0]


def position_states(
    model: Model,
    tokens: Int[Tensor, "batch pos"],
    positions: Bool[Tensor, "batch pos"],
    *,
    attended: Bool[Tensor, "batch pos"] | None = None,
) -> Float[Tensor, "chosen d_model"]:
    """What `position_logits` unembeds, row by row; the pass ends there.

    Args:
        model: a `HookedTransformer`.
        tokens: token ids.
        positions: True where states are wanted.
        attended: as in `forward_pass`.
    """
    found: list[Tensor] = []

    def keep(_module: Any, args: tuple[Any, ...]) -> None:
        found.append(args[0][positions.to(args[0].device)])
        raise _Enough

    with before_unembedding(model, keep), contextlib.suppress(_Enough):
        _logits(model, tokens, attended)
    return found[0]


@contextlib.contextmanager
def before_unembedding(model: Model, act: Callable[..., Any]) -> Iterator[None]:
    """Let a function see, replace or stop what passes of the block unembed.

    Args:
        model: either class.
        act: a forward pre-hook of PyTorch.
    """
    with Scope() as scope:
        handle = model.unembed.register_forward_pre_hook(scope.only(act))
        try:
            yield
        finally:
            handle.remove()


def _logits(model: Model, tokens: Tensor, attended: Tensor | None) -> Tensor:
    with evaluating(model), lean_passes(model), torch.inference_mode():
        logits: Tensor = model(tokens.to(_input_device(model)), return_type="logits", **_arguments(model, attended))
    return logits


def _choose(positions: Bool[Tensor, "batch pos"], _module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return (args[0][positions.to(args[0].device)][None], *args[1:])


def forward_batches(
    model: Model,
    batches: Sequence[Batch],
    readers: Callable[[Batch], Sequence[Hook]],
    *,
    last_layer: int | None = None,
    last_hook: str | None = None,
    read_final: Callable[[Batch, Float[Tensor, "batch pos d_model"]], None] | None = None,
    hooks: Sequence[Hook] = (),
    description: str = "forward",
    progress: bool = True,
) -> Iterator[Batch]:
    """Run every batch, with hooks that read it; yield each batch when it is done.

    Args:
        model: either class.
        batches: from `make_batches`.
        readers: for a batch, the hooks that read its activations.
        last_layer: stop after this block; None runs through the final norm.
        last_hook: stop at this hook, behind the readers: what its block does afterwards is not computed.
        read_final: given the last hidden state, after the final norm (Hugging Face's ``last_hidden_state``).
        hooks: interventions, added before the readers, so that these see what was set.
        description: of the progress bar, which counts tokens.
        progress: show the bar.
    """
    from tqdm.auto import tqdm

    require_model(model)
    keep_freed_memory()
    with (
        tqdm(total=count_tokens(batches), desc=description, unit="tok", unit_scale=True, disable=not progress) as bar,
        attached(model, hooks),
    ):
        for batch in batches:
            reading = [*readers(batch), *([(last_hook, stop_here)] if last_hook is not None else [])]
            with attached(model, reading), final_read(model, batch, read_final):
                forward_pass(
                    model,
                    batch.tokens,
                    attended=batch.needed_mask,
                    last_layer=last_layer,
                )
            bar.update(int(batch.attended.sum()))
            yield batch


ReadFinal = Callable[[Batch, Float[Tensor, "batch pos d_model"]], None]
"""Takes the last hidden state of a batch."""


@contextlib.contextmanager
def final_read(model: Model, batch: Batch, read_final: ReadFinal | None) -> Iterator[None]:
    """Give the last hidden states of the passes in the block to a function; None: to nobody."""
    if read_final is None:
        yield
        return

    def read(_module: Any, _args: Any, output: Tensor) -> None:
        read_final(batch, output)

    with Scope() as scope:
        norm = getattr(model, "ln_final", None)
        if norm is not None and final_width(model) == model.cfg.d_model:
            handle = norm.register_forward_hook(scope.only(read))
        else:
            # OPT-350m's layout, no norm or a projection behind it: what is unembedded is the last hidden state.
            unembedded = scope.only(lambda module, args: read(module, args, args[0]))
            handle = model.unembed.register_forward_pre_hook(unembedded)
        try:
            yield
        finally:
            handle.remove()


def final_width(model: Model) -> int:
    """Dimensions of the last hidden state: those of the layers, but for OPT-350m's layout, which projects it."""
    unembedding = model.original_model.get_output_embeddings() if is_bridge(model) else None
    return int(model.cfg.d_model) if unembedding is None else int(unembedding.weight.shape[-1])


def _arguments(model: Model, attended: Tensor | None) -> dict[str, Any]:
    """What every pass is called with."""
    arguments: dict[str, Any] = {}
    if attended is not None:
        arguments["attention_mask"] = attended.long().to(_input_device(model))
    if is_bridge(model):
        arguments["use_cache"] = False
    return arguments


def stop_here(*_: Any, **__: Any) -> None:
    """A hook that ends the pass of `forward_pass` there."""
    raise _Enough


def _input_device(model: Model) -> torch.device:
    device: torch.device = next(iter(model.embed.parameters())).device
    return device
