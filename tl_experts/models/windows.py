"""Sliding windows of attention: those of a Hugging Face configuration, given to a `HookedTransformer`'s.

transformer_lens's conversions of Qwen2 and Qwen3 leave them out: every token beyond the window would be wrong.
"""

from typing import Any

Windows = list[int | None]
"""Per layer, how many of the last tokens attention sees; None: all."""


def stated_windows(hf_config: Any) -> Windows:
    """The window of each layer by a Hugging Face configuration."""
    count = int(hf_config.num_hidden_layers)
    local = getattr(hf_config, "attention_layers", None)  # GPT-Neo
    if local is not None:
        return [int(hf_config.window_size) if kind == "local" else None for kind in local]
    window = getattr(hf_config, "sliding_window", None)
    if not window or not getattr(hf_config, "use_sliding_window", True):
        return [None] * count
    kinds = getattr(hf_config, "layer_types", None) or ["sliding_attention"] * count
    return [int(window) if kind == "sliding_attention" else None for kind in kinds]


def converted_windows(cfg: Any) -> Windows:
    """The window of each layer by a `HookedTransformerConfig`."""
    kinds = cfg.attn_types if cfg.use_local_attn and cfg.attn_types else ["global"] * cfg.n_layers
    return [int(cfg.window_size) if kind == "local" else None for kind in kinds[: cfg.n_layers]]


def set_windows(cfg: Any, hf_config: Any) -> None:
    """Give a configuration the windows that Hugging Face's states, where it has others."""
    stated = stated_windows(hf_config)
    if stated == converted_windows(cfg):
        return
    sizes = {window for window in stated if window is not None}
    cfg.use_local_attn = bool(sizes)
    cfg.window_size = next(iter(sizes), None)
    cfg.attn_types = ["global" if window is None else "local" for window in stated] if sizes else None
