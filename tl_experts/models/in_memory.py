"""A Hugging Face model that is in memory already (fine-tuned, say): a copy that may be converted and wrapped."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tl_experts.errors import ModelError

_FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


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


def standalone_tokenizer(tokenizer: Any, folder: Path) -> Any:
    """A copy whose name is a folder that holds it; the caller's tokenizer is not changed.

    transformer_lens reads a tokenizer again from the address in its name, with BOS switched on. That address may be
    out of reach, and lacks tokens that were added in memory.

    Args:
        tokenizer: a Hugging Face tokenizer.
        folder: where it is saved; needed until the model is wrapped.

    Raises:
        ModelError: not a Hugging Face tokenizer.
    """
    from transformers import PreTrainedTokenizerBase

    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise ModelError(
            f"tokenizer: expected a Hugging Face tokenizer, got {type(tokenizer).__name__}; "
            "give AutoTokenizer.from_pretrained(...)"
        )
    copied = copy.deepcopy(tokenizer)
    copied.save_pretrained(folder)
    copied.init_kwargs["name_or_path"] = str(folder)
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
    if any(parameter.is_meta for parameter in hf_model.parameters()):
        raise ModelError(f"{name} has parameters without values (on the meta device or offloaded); load it whole")
    quantised = _quantised(hf_model)
    if quantised is not None:
        raise ModelError(
            f"{name} is quantised ({quantised}), so its weights cannot be copied. Give the folder or hub name of the "
            "quantised checkpoint, which can load as a TransformerBridge, or model.dequantize()"
        )


def _quantised(hf_model: Any) -> str | None:
    """What says that a model is quantised: its own record, or, where a library left none, the weights."""
    if getattr(hf_model, "is_quantized", False):
        method = getattr(getattr(hf_model.config, "quantization_config", None), "quant_method", "an unknown method")
        return str(getattr(method, "value", method))
    for name, parameter in hf_model.named_parameters():
        kind = type(parameter.data)
        if kind is not Tensor or parameter.dtype not in _FLOATS:
            return f"{name} is a {kind.__name__} of {parameter.dtype}"
    for name, module in hf_model.named_modules():
        # PyTorch's own packs weights where named_parameters does not find them.
        if type(module).__module__.startswith("torch.ao.nn.quantized"):
            return f"{name} is a {type(module).__module__}.{type(module).__name__}"
    return None
