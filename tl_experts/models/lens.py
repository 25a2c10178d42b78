"""The names taken from transformer_lens, whatever its version.

Line 3 has `HookedTransformer` and `TransformerBridge`; line 4 has only the latter.
"""

from importlib import metadata
from typing import Any

try:
    from transformer_lens import HookedTransformer
    from transformer_lens.cache.key_value_cache import TransformerLensKeyValueCache as KeyValueCache
    from transformer_lens.utilities import get_device_for_block_index as block_device
except ImportError:  # transformer-lens 4
    HookedTransformer = KeyValueCache = block_device = None
from transformer_lens.model_bridge import TransformerBridge

__all__ = [
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
