"""The check on loading: a TransformerLens model computes what Hugging Face's does, at the neurons and at the logits.

The text that is compared is longer than every short window and rotary boundary that the configuration names. Beyond
`LONGEST` tokens a comparison would cost an 8B model minutes: longer windows are copied from the configuration
(`tl_experts.models.windows`) and not checked by a pass.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from tl_experts.errors import ModelError, not_finite
from tl_experts.models.hooks import HookFunction, attached, hook_name

log = logging.getLogger(__name__)

SHORTEST, SCALED, LONGEST = 8, 64, 160
"""Tokens: of a model without boundaries; with scaled rotary frequencies, which differ little at first; at most."""

_KEPT = 8
"""Positions, from the end, whose neurons are compared."""

_LOGITS = {torch.float32: 1e-3, torch.float16: 5e-2, torch.bfloat16: 2e-1}
_FIRST_NEURONS = {torch.float32: 3e-5, torch.float16: 5e-2, torch.bfloat16: 2e-1}
"""Tolerances relative to the largest logit, and to the root mean square of the first layer's neurons."""

_BOUNDARIES = ("sliding_window", "window_size", "attention_chunk_size")


class NotConvertible(Exception):  # noqa: N818 (a verdict, not a fault)
    """A TransformerLens class has no (faithful) conversion for the model; the message says why."""


@dataclass(frozen=True)
class Reference:
    """What Hugging Face's model computes."""

    tokens: Int[Tensor, "1 pos"]
    logits: Float[Tensor, "pos d_vocab"]
    neurons: tuple[Float[Tensor, "last neuron"], ...]
    """What enters each layer's last MLP matrix, at the last positions; empty where it was not found."""


def take_reference(hf_model: Any) -> Reference:
    """Run Hugging Face's model on the probe.

    Raises:
        ModelError: its logits are not finite: damaged weights, or a dtype that overflows.
    """
    tokens = probe_tokens(hf_model.config)
    seen: dict[int, Tensor] = {}

    def keep(layer: int) -> Any:
        def look(_module: Any, args: tuple[Any, ...]) -> None:
            # OPT flattens batch and position into one axis.
            seen[layer] = rearrange(args[0], "... width -> (...) width")[-_KEPT:].float().cpu()

        return look

    with ExitStack() as handles, torch.inference_mode():
        for layer, module in enumerate(_last_matrices(hf_model)):
            handles.callback(module.register_forward_pre_hook(keep(layer)).remove)
        logits = hf_model(tokens.to(_device(hf_model))).logits[0].float().cpu()
    if not bool(logits.isfinite().all()):
        raise ModelError(not_finite("a logit of Hugging Face's model") + ", or look for NaN in its weights")
    return Reference(tokens, logits, tuple(seen[layer] for layer in sorted(seen)))


def require_same(model: Any, reference: Reference, dtype: torch.dtype) -> None:
    """Refuse a model that is silently wrong: every later number would be.

    Raises:
        NotConvertible: the neurons or logits differ from the reference by more than the dtype explains.
    """
    seen: dict[int, Tensor] = {}

    def keep(layer: int) -> HookFunction:
        def look(activation: Tensor, hook: Any) -> None:  # noqa: ARG001 (TransformerLens's signature)
            seen[layer] = rearrange(activation, "1 pos neuron -> pos neuron")[-_KEPT:].float().cpu()

        return look

    names = [hook_name(layer, "mlp.hook_post") for layer in range(len(reference.neurons))]
    hooks = [(name, keep(layer)) for layer, name in enumerate(names) if name in model.hook_dict]
    with torch.inference_mode(), attached(model, hooks):
        logits = model(reference.tokens.to(_device(model)))[0].float().cpu()
    name = type(model).__name__
    pairs = [(seen[layer], expected) for layer, expected in enumerate(reference.neurons) if layer in seen]
    if pairs and pairs[0][0].shape == pairs[0][1].shape:
        found, expected = pairs[0]
        error = float((found - expected).square().mean().sqrt() / expected.square().mean().sqrt().clamp(min=1e-9))
        if not error <= _FIRST_NEURONS.get(dtype, 3e-5):
            raise NotConvertible(f"{name} computes other MLP neurons than Hugging Face ({error:.2g} relative, layer 0)")
    error = float((logits - reference.logits).abs().max() / reference.logits.abs().max().clamp(min=1e-9))
    if not error <= _LOGITS.get(dtype, 1e-3):
        raise NotConvertible(
            f"{name} computes other logits than Hugging Face ({error:.2g} relative, over {len(logits)} tokens)"
        )
    log.debug("%s: logits equal to %.1e", name, error)


def rotary_kinds(config: Any) -> set[str]:
    """The kinds of rotary frequencies that a configuration names, such as ``"default"`` or ``"longrope"``."""
    rotary = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    return {str(part.get("rope_type", part.get("type", "default"))) for part in _dicts(rotary)}


def probe_tokens(config: Any) -> Int[Tensor, "1 pos"]:
    """Tokens spread over the vocabulary, past every boundary below `LONGEST`."""
    rotary = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    values = [getattr(config, name, None) for name in _BOUNDARIES]
    values += [part.get("original_max_position_embeddings") for part in _dicts(rotary)]
    scaled = rotary_kinds(config) - {"default"}
    wanted = [value + _KEPT for value in values if isinstance(value, int) and value + _KEPT <= LONGEST]
    length = max([SHORTEST, SCALED if scaled else 0, *wanted])
    context = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or length
    first, last = min(3, config.vocab_size - 1), config.vocab_size - 1
    # bfloat16, which may be the default, would repeat tokens.
    ids = torch.linspace(first, last, min(length, context), dtype=torch.float32).long()
    return rearrange(ids, "pos -> 1 pos")


def _dicts(rotary: Any) -> Iterator[dict[str, Any]]:
    """A rotary configuration, and the one of each kind of layer inside it (Gemma 3)."""
    if isinstance(rotary, dict):
        yield rotary
        for part in rotary.values():
            yield from _dicts(part)


def _last_matrices(hf_model: Any) -> list[nn.Module]:
    """Each layer's last matrix outside of attention: what the MLP's neurons are multiplied by."""
    count = getattr(hf_model.config, "num_hidden_layers", None)
    lists = [module for module in hf_model.modules() if isinstance(module, nn.ModuleList) and len(module) == count]
    if not lists:
        return []
    found = []
    for block in lists[0]:
        matrices = [
            module
            for name, module in block.named_modules()
            if "att" not in name and getattr(getattr(module, "weight", None), "ndim", 0) == 2
        ]
        found += matrices[-1:]
    return found if len(found) == count else []


def _device(model: Any) -> torch.device:
    """Where the tokens go."""
    device: torch.device = next(model.parameters()).device
    return device
