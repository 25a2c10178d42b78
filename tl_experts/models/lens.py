"""The names taken from transformer_lens, whatever its version.

Line 3 has `HookedTransformer` and `TransformerBridge`; line 4 has only the latter.
"""

from dataclasses import dataclass
from importlib import metadata
from typing import Any

try:
    from transformer_lens import HookedTransformer, components
    from transformer_lens.cache.key_value_cache import TransformerLensKeyValueCache as KeyValueCache
    from transformer_lens.utilities import get_device_for_block_index as block_device
    from transformer_lens.utilities.architectures import POST_NORM_ARCHITECTURES
except ImportError:  # transformer-lens 4
    HookedTransformer = KeyValueCache = block_device = components = None
from transformer_lens.model_bridge import TransformerBridge

__all__ = [
    "COMPONENTS",
    "HAS_HOOKED_TRANSFORMER",
    "HookedTransformer",
    "KeyValueCache",
    "TransformerBridge",
    "block_device",
    "class_line",
    "is_bridge",
    "is_model",
]

HAS_HOOKED_TRANSFORMER = HookedTransformer is not None


@dataclass(frozen=True)
class Components:
    """The parts of a `HookedTransformer` that lean passes know."""

    block: type
    attentions: tuple[type, type]
    """With as many keys as queries, and grouped-query attention."""
    mlps: tuple[type, type]
    """Ungated and gated."""
    norms: tuple[type, ...]
    layer_norms: tuple[type, ...]
    """Those of the norms that subtract the mean."""
    post_norm: tuple[str, ...]
    """Architectures whose norms follow attention and MLP."""
    wide_qk_norm: tuple[str, ...]
    """Architectures that normalise queries and keys of all heads together."""
    unembed: type


def _components() -> Components:
    layer_norms = (components.LayerNorm, components.LayerNormPre)
    return Components(
        block=components.TransformerBlock,
        attentions=(components.Attention, components.GroupedQueryAttention),
        mlps=(components.MLP, components.GatedMLP),
        norms=(*layer_norms, components.RMSNorm, components.RMSNormPre),
        layer_norms=layer_norms,
        post_norm=tuple(POST_NORM_ARCHITECTURES),
        wide_qk_norm=("OlmoeForCausalLM", "Olmo2ForCausalLM", "Olmo3ForCausalLM"),
        unembed=components.Unembed,
    )


COMPONENTS: Any = None if components is None else _components()


def is_bridge(model: Any) -> bool:
    """Whether the model is a `TransformerBridge` (and not a `HookedTransformer`)."""
    return isinstance(model, TransformerBridge)


def is_model(model: Any) -> bool:
    """Whether the model is of one of the two classes."""
    return is_bridge(model) or (HAS_HOOKED_TRANSFORMER and isinstance(model, HookedTransformer))


def class_line() -> str:
    """Which class models load as, and why: a line for people.

    Examples:
        >>> "TransformerBridge" in class_line()
        True
    """
    version = metadata.version("transformer-lens")
    if HAS_HOOKED_TRANSFORMER:
        return (
            f"transformer-lens {version}: models load as HookedTransformer, or as TransformerBridge where there is no "
            "conversion that computes what Hugging Face's model does."
        )
    return (
        f"transformer-lens {version}: models load as TransformerBridge, since HookedTransformer ended with 3.x "
        '(pip install "transformer-lens<4" to get it).'
    )
