"""A Hugging Face model that is in memory already (fine-tuned, say): a copy that may be converted and wrapped."""

import copy
from typing import Any

import torch

from tl_experts.errors import ModelError


def standalone_copy(hf_model: Any, dtype: torch.dtype) -> Any:
    """A frozen copy on the CPU, with the attention that hooks need; the caller's model is not changed.

    Args:
        hf_model: a Hugging Face causal language model.
        dtype: of the copy.

    Raises:
        ModelError: not a Hugging Face model, one with adapters, quantised, or without its weights.
    """
    _require_plain(hf_model)
    copied = copy.deepcopy(hf_model).to("cpu", dtype).eval().requires_grad_(False)
    copied.set_attn_implementation("eager")
    # Missing in a model made by `from_config`; a conversion is chosen by it.
    copied.config.architectures = [type(hf_model).__name__]
    return copied


def _require_plain(hf_model: Any) -> None:
    from transformers import PreTrainedModel

    name = type(hf_model).__name__
    if hasattr(hf_model, "peft_config"):
        raise ModelError(f"{name} has adapters beside its weights; give model.merge_and_unload() instead")
    if not isinstance(hf_model, PreTrainedModel):
        raise ModelError(
            f"expected a name, a folder or a Hugging Face model, got {name}; a TransformerLens model is used as it is"
        )
    if getattr(hf_model, "is_quantized", False):
        method = getattr(getattr(hf_model.config, "quantization_config", None), "quant_method", "an unknown method")
        raise ModelError(f"{name} is quantised ({method}); give model.dequantize() instead, or load it unquantised")
    if any(parameter.is_meta for parameter in hf_model.parameters()):
        raise ModelError(f"{name} has parameters without values (on the meta device or offloaded); load it whole")
