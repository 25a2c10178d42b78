"""`Reading`: what is read from a model, and how, as a value."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from tl_experts.errors import ResponseError, SiteError, require_choice
from tl_experts.models.batches import DEFAULT_BATCHING, Batching
from tl_experts.models.dtypes import DTYPES, dtype_name
from tl_experts.models.hooks import SITES
from tl_experts.models.pooling import POOLINGS, Pooling

DEFAULT_SITE = "mlp.hook_post"


@dataclass(frozen=True)
class Reading:
    """What is read from a model: which neurons, how a sentence's tokens become one response, how text is batched.

    Raises:
        SiteError: an unknown site, or layers that are not numbers.
        ResponseError: an unknown pooling or dtype.

    Examples:
        >>> Reading(pooling="mean", layers=range(3)).layers
        (0, 1, 2)
    """

    site: str = DEFAULT_SITE
    """One of `tl_experts.models.SITES`; attention heads lie side by side."""

    pooling: Pooling = "max"
    """``"max"`` or ``"mean"`` over the sentence's tokens; BOS and padding never count."""

    layers: Iterable[int] | None = None
    """Only these, kept as an ascending tuple; None: all."""

    dtype: str | torch.dtype = "float32"
    """Dtype of the responses that are kept, stored by its name; a 16-bit one halves the memory."""

    batching: Batching = DEFAULT_BATCHING

    def __post_init__(self) -> None:
        """Check every option and bring it to its one form."""
        require_choice(self.site, SITES, "site", SiteError)
        require_choice(self.pooling, POOLINGS, "pooling", ResponseError)
        object.__setattr__(self, "dtype", dtype_name(self.dtype, what="response dtype", error=ResponseError))
        if self.layers is not None:
            object.__setattr__(self, "layers", _layers(self.layers))
        if not isinstance(self.batching, Batching):
            raise ResponseError(f"batching is {self.batching!r}; expected Batching(...)")

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype as PyTorch's own."""
        return DTYPES[dtype_name(self.dtype)]


DEFAULT_READING = Reading()


def _layers(layers: Any) -> tuple[int, ...]:
    try:
        numbers = tuple(sorted({int(layer) for layer in layers if layer == int(layer)}))
        whole = len(numbers) == len(set(layers))
    except (TypeError, ValueError, OverflowError):
        numbers, whole = (), False
    if not whole or not numbers:
        raise SiteError(f"layers is {layers!r}; expected whole numbers, such as [0, 1, 2], or None for all")
    return numbers
