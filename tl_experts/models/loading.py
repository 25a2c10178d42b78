"""`load_model`: a name, folder or Hugging Face model in, a `HookedTransformer` or a `TransformerBridge` out."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tl_experts.errors import ModelError, near
from tl_experts.models.bridge import boot_bridge, first_line
from tl_experts.models.catalogue import ENTRIES, model_location
from tl_experts.models.conversion import convert, neutral_folder
from tl_experts.models.dtypes import DTYPES, dtype_name
from tl_experts.models.hooks import Model
from tl_experts.models.in_memory import standalone_copy, standalone_tokenizer
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER
from tl_experts.models.placement import DeviceMap, dispatch, require_placement
from tl_experts.models.probe import NotConvertible, Reference, require_same, take_reference
from tl_experts.models.quiet import quiet_transformers
from tl_experts.models.wheels import model_folder

log = logging.getLogger(__name__)

_EXPERT_COUNTS = (
    "num_experts",
    "num_local_experts",
    "n_routed_experts",
    "moe_num_experts",
    "num_moe_experts",
)
_DECODERS = ("ForCausalLM", "LMHeadModel", "LMHeadCustomModel")


def load_model(
    model: str | Path | Any,
    *,
    tokenizer: Any = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype = torch.float32,
    n_devices: int = 1,
    device_map: DeviceMap | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Model:
    """Load a language model with TransformerLens hooks and unprocessed weights.

    Processing (folding the norm, centring) would change the residual stream and so every embedding; logits equal
    Hugging Face's, which is checked on loading.

    Args:
        model: a model of `available_models` (no hub needed), a local Hugging Face folder, a hub name, or a Hugging Face
            model in memory (fine-tuned, say), which is copied and not changed.
        tokenizer: of a model in memory.
        device: default: CUDA where there is one, else the CPU.
        dtype: ``"float32"`` (default), ``"bfloat16"`` or ``"float16"``.
        n_devices: spread the model over so many GPUs, beginning with `device`: a part of the blocks on each.
        device_map: Hugging Face's placement instead, for a `TransformerBridge` of any architecture: ``"auto"``,
            ``"balanced"``, ``"sequential"`` over all GPUs, or the device of each module by its Hugging Face name.
        revision: the hub revision.
        trust_remote_code: run code that comes with a hub model. Off unless you say so.

    Returns:
        A `HookedTransformer` for every architecture it converts faithfully, else a `TransformerBridge`; hook names
        are the same.

    Raises:
        ModelError: not found, not readable, or a vision, encoder, encoder-decoder or mixture-of-experts model; or
            devices that are not there, or contradict each other. Of a model in memory: without a tokenizer, with
            adapters, or quantised.

    Examples:
        >>> model = load_model("polyglot-mini")
        >>> model.cfg.n_layers, model.cfg.d_mlp
        (8, 896)
    """
    kind = DTYPES[dtype_name(dtype, error=ModelError)]
    require_placement(None if device is None else _device(device), n_devices, device_map)
    placement = _Placement(_device(device), n_devices, device_map)
    remote = {"revision": revision, "trust_remote_code": trust_remote_code}
    if isinstance(model, str | Path):
        if tokenizer is not None:
            raise ModelError(f"{str(model)!r} brings its own tokenizer; tokenizer= is for a model in memory")
        return _load_named(model, kind, placement, remote)
    if revision is not None or trust_remote_code:
        raise ModelError("revision and trust_remote_code are for a name; this model is in memory already")
    return _load_in_memory(model, tokenizer, kind, placement)


@dataclass(frozen=True)
class _Placement:
    """Where a model goes: see `load_model`."""

    first: torch.device
    n_devices: int
    device_map: DeviceMap | None


def _load_named(name_or_path: str | Path, dtype: torch.dtype, placement: _Placement, remote: dict[str, Any]) -> Model:
    entry = ENTRIES.get(str(name_or_path))
    if entry is not None:
        log.info("%s: weights under %s", entry.name, entry.licence)
    location = model_folder(entry) if entry is not None else model_location(name_or_path)
    if remote["trust_remote_code"]:
        log.warning("trust_remote_code=True: code that comes with %s is run on this machine", location)
    config = _config(location, remote)
    _refuse_unsuited(config, str(name_or_path))
    hf_model, tokenizer = _weights(location, dtype, remote)
    known_as = str(name_or_path) if entry is not None or isinstance(location, str) else None
    loaded = _Loaded(hf_model, tokenizer, str(name_or_path), location, known_as, dtype, take_reference(hf_model))
    return _wrapped(loaded, placement, warn=entry is not None and HAS_HOOKED_TRANSFORMER)


def _load_in_memory(hf_model: Any, tokenizer: Any, dtype: torch.dtype, placement: _Placement) -> Model:
    copied = standalone_copy(hf_model, dtype)
    name = str(copied.config.name_or_path or type(hf_model).__name__)
    if tokenizer is None:
        raise ModelError(f"{name} is in memory, so its tokenizer must be given: load_model(model, tokenizer=...)")
    _refuse_unsuited(copied.config, name)
    with neutral_folder() as folder:
        # transformer_lens reads the configuration from a folder, also where it is given the model.
        copied.config.save_pretrained(folder)
        loaded = _Loaded(
            copied, standalone_tokenizer(tokenizer, folder), name, folder, None, dtype, take_reference(copied)
        )
        return _wrapped(loaded, placement, warn=False)


def _wrapped(loaded: "_Loaded", placement: _Placement, *, warn: bool) -> Model:
    """The `HookedTransformer` of a Hugging Face model, or its `TransformerBridge` where there is none."""
    model = None if placement.device_map is not None else _hooked(loaded, placement, warn=warn)
    return _bridge(loaded, placement) if model is None else model


@dataclass(frozen=True)
class _Loaded:
    """A Hugging Face model on the CPU, and what is known of it."""

    hf_model: Any
    tokenizer: Any
    name: str
    location: str | Path
    known_as: str | None
    """The hub name. A folder's says nothing: one called "gpt2" must not get the configuration of the hub's GPT-2."""

    dtype: torch.dtype
    reference: Reference
    """What it computes, for comparison."""


def _hooked(loaded: _Loaded, placement: _Placement, *, warn: bool) -> Any:
    """The `HookedTransformer`, or None where there is none."""
    try:
        model = convert(
            loaded.hf_model,
            loaded.tokenizer,
            loaded.name,
            placement.first,
            loaded.dtype,
            known_as=loaded.known_as,
            n_devices=placement.n_devices,
        )
        require_same(model, loaded.reference, loaded.dtype)
    except NotConvertible as reason:
        # For a model of the catalogue, which converts, something is wrong; for others it is how it is.
        level = logging.WARNING if warn else logging.INFO
        log.log(level, "%s loads as TransformerBridge: %s", loaded.name, reason)
        return None
    log.info("%s loads as HookedTransformer: it computes what Hugging Face's model does", loaded.name)
    return model


def _bridge(loaded: _Loaded, placement: _Placement) -> Any:
    spread = placement.n_devices > 1 or placement.device_map is not None
    hf_model = loaded.hf_model
    if spread:
        hf_model = dispatch(hf_model, placement.n_devices, placement.device_map, first=placement.first.index or 0)
    device = None if spread else placement.first
    model = boot_bridge(hf_model, loaded.tokenizer, loaded.name, str(loaded.location), device, loaded.dtype)
    try:
        require_same(model, loaded.reference, loaded.dtype)
    except NotConvertible as reason:
        raise ModelError(f"{loaded.name} cannot be used: transformer_lens gets it wrong; {reason}") from reason
    return model


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"device {device!r} is not known; expected 'cpu', 'cuda', 'cuda:1', 'mps'...") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"device {device!r}: this PyTorch sees no CUDA GPU; use device='cpu'")
    return found


def _config(location: str | Path, remote: dict[str, Any]) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(location, **remote)
    except Exception as error:  # OSError, ValueError, hub errors...
        if isinstance(location, str) and "/" not in location:
            hint = near(location, list(ENTRIES))
        else:
            hint = "check the name, the network and, for a gated model, your access; or give a local folder"
        raise ModelError(f"{location}: no model configuration could be read ({first_line(error)}); {hint}") from error


def _refuse_unsuited(config: Any, name: str) -> None:
    architecture = (getattr(config, "architectures", None) or [type(config).__name__])[0]
    text = getattr(config, "text_config", config)
    reason = None
    if getattr(config, "vision_config", None) is not None or getattr(config, "audio_config", None) is not None:
        reason = "it reads images or sound as well as text; give its text-only model"
    elif getattr(config, "is_encoder_decoder", False):
        reason = "it is an encoder-decoder; language experts are defined on decoder-only language models"
    elif any((getattr(text, count, None) or 0) > 1 for count in _EXPERT_COUNTS):
        reason = (
            "it is a mixture of experts: TransformerLens's mlp.hook_post there is the block's output, not neurons; "
            "give a dense model"
        )
    elif not architecture.endswith(_DECODERS):
        reason = "it is not a causal language model (an encoder?); give a decoder-only model"
    elif not getattr(text, "do_layer_norm_before", True) and text.word_embed_proj_dim == text.hidden_size:
        reason = "do_layer_norm_before=False leaves it without a final norm, which transformer_lens cannot load"
    if reason:
        raise ModelError(f"{name} ({architecture}) cannot be used: {reason}")


def _weights(location: str | Path, dtype: torch.dtype, remote: dict[str, Any]) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(location, **remote)
            # eager: the attention that TransformerBridge hooks into
            model = AutoModelForCausalLM.from_pretrained(location, dtype=dtype, attn_implementation="eager", **remote)
    except Exception as error:
        raise ModelError(f"{location}: the model or its tokenizer cannot be read ({first_line(error)})") from error
    return model.eval().requires_grad_(False), tokenizer
