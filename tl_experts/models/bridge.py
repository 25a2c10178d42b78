"""`TransformerBridge` for the architectures that `HookedTransformer` does not convert (Cohere's Aya, for one)."""

from typing import Any

import torch
from torch import Tensor

from tl_experts.errors import ModelError
from tl_experts.models.lens import TransformerBridge
from tl_experts.models.quiet import quiet_lens


def boot_bridge(
    hf_model: Any, tokenizer: Any, name: str, location: str, device: torch.device | None, dtype: torch.dtype
) -> Any:
    """Wrap a Hugging Face model (which is changed by it: take reference logits before).

    Args:
        hf_model: the loaded model.
        tokenizer: its tokenizer.
        name: what to call it.
        location: its folder or hub name.
        device: where to put it; None: it is where it should be.
        dtype: of its weights.

    Raises:
        ModelError: transformer_lens cannot wrap it, or it has no MLP neurons.
    """
    try:
        with quiet_lens():
            model = TransformerBridge.boot_transformers(
                location,
                hf_model=hf_model if device is None else hf_model.to(device),
                tokenizer=tokenizer,
                device=None if device is None else str(device),
                dtype=dtype,
            )
    except Exception as error:
        raise ModelError(
            f"{name}: transformer_lens has neither a HookedTransformer nor a TransformerBridge for "
            f"{type(hf_model).__name__} ({first_line(error)})"
        ) from error
    if "blocks.0.mlp.hook_post" not in model.hook_dict:
        raise ModelError(f"{name} ({type(hf_model).__name__}) has no MLP neurons under blocks.0.mlp.hook_post")
    _repair_interleaved_rotary(model)
    model.cfg.model_name = name
    return model.eval()


def first_line(error: Exception) -> str:
    """The first line of an error's message, for quoting in another."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _repair_interleaved_rotary(model: Any) -> None:
    """Make transformer_lens 3 rotate Cohere's queries and keys as Cohere does.

    Cohere pairs neighbouring dimensions. The 3.x bridge rotates halves instead, so that every position but the first
    is wrong (4.x has `cfg.rotary_interleaved_cos_sin`). Its `rotary_adjacent_pairs` rotates neighbours, given cosines
    and sines in the usual layout, each frequency once per half: Cohere's come with each frequency twice in a row.
    """
    if not model.cfg.architecture.startswith("Cohere") or hasattr(model.cfg, "rotary_interleaved_cos_sin"):
        return

    def by_halves(_module: Any, _args: Any, output: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        return tuple(torch.cat([part[..., ::2], part[..., ::2]], dim=-1) for part in output)

    model.rotary_emb.original_component.register_forward_hook(by_halves)
    for config in {id(block.attn.config): block.attn.config for block in model.blocks}.values():
        config.rotary_adjacent_pairs = True
