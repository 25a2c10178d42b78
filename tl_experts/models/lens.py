"""The names taken from transformer_lens, whatever its version.

Line 3 has `HookedTransformer` and `TransformerBridge`; line 4 has only the latter.
"""

from typing import Any

try:
    from transformer_lens import HookedTransformer
    from transformer_lens.utilities import get_device_for_block_index as block_device
except ImportError:  # transformer-lens 4
    HookedTransformer = block_device = None
from transformer_lens.model_bridge import TransformerBridge

__all__ = ["HAS_HOOKED_TRANSFORMER", "HookedTransformer", "TransformerBridge", "block_device", "is_bridge", "is_model"]

HAS_HOOKED_TRANSFORMER = HookedTransformer is not None


def is_bridge(model: Any) -> bool:
    """Whether the model is a `TransformerBridge` (and not a `HookedTransformer`)."""
    return isinstance(model, TransformerBridge)


def is_model(model: Any) -> bool:
    """Whether the model is of one of the two classes."""
    return is_bridge(model) or (HAS_HOOKED_TRANSFORMER and isinstance(model, HookedTransformer))
