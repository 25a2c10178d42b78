"""`load_model`: a name or folder in, a `HookedTransformer` (or, where that cannot be, a `TransformerBridge`) out."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tl_experts.errors import ModelError, near
from tl_experts.models.bridge import boot_bridge, first_line
from tl_experts.models.catalogue import ENTRIES
from tl_experts.models.conversion import convert
from tl_experts.models.dtypes import DTYPES, dtype_name
from tl_experts.models.hooks import Model
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
    name_or_path: str | Path,
    *,
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
        name_or_path: a model of `available_models` (no hub needed), a local Hugging Face folder, or a hub name.
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
            devices that are not there, or contradict each other.

    Examples:
        >>> model = load_model("polyglot-mini")
        >>> model.cfg.n_layers, model.cfg.d_mlp
        (8, 896)
    """
    kind = DTYPES[dtype_name(dtype, error=ModelError)]
    require_placement(None if device is None else _device(device), n_devices, device_map)
    place = _device(device)
    entry = ENTRIES.get(str(name_or_path))
    if entry is not None:
        log.info("%s: weights under %s", entry.name, entry.licence)
    location = model_folder(entry) if entry is not None else _location(name_or_path)
    if trust_remote_code:
        log.warning("trust_remote_code=True: code that comes with %s is run on this machine", location)
    remote = {"revision": revision, "trust_remote_code": trust_remote_code}
    config = _config(location, remote)
    _refuse_unsuited(config, str(name_or_path))
    hf_model, tokenizer = _weights(location, kind, remote)
    known_as = str(name_or_path) if entry is not None or isinstance(location, str) else None
    loaded = _Loaded(hf_model, tokenizer, str(name_or_path), location, known_as, kind, take_reference(hf_model))
    model = None
    if device_map is None:
        model = _hooked(loaded, place, n_devices, warn=entry is not None and HAS_HOOKED_TRANSFORMER)
    return _bridge(loaded, place, n_devices, device_map) if model is None else model


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


def _hooked(loaded: _Loaded, place: torch.device, n_devices: int, *, warn: bool) -> Any:
    """The `HookedTransformer`, or None where there is none."""
    try:
        model = convert(
            loaded.hf_model,
            loaded.tokenizer,
            loaded.name,
            place,
            loaded.dtype,
            known_as=loaded.known_as,
            n_devices=n_devices,
        )
        require_same(model, loaded.reference, loaded.dtype)
    except NotConvertible as reason:
        # For a model of the catalogue, which converts, something is wrong; for others it is how it is.
        level = logging.WARNING if warn else logging.INFO
        log.log(level, "%s loads as TransformerBridge: %s", loaded.name, reason)
        return None
    return model


def _bridge(loaded: _Loaded, place: torch.device, n_devices: int, device_map: DeviceMap | None) -> Any:
    spread = n_devices > 1 or device_map is not None
    hf_model = loaded.hf_model
    if spread:
        hf_model = dispatch(hf_model, n_devices, device_map, first=place.index or 0)
    device = None if spread else place
    model = boot_bridge(hf_model, loaded.tokenizer, loaded.name, str(loaded.location), device, loaded.dtype)
    try:
        require_same(model, loaded.reference, loaded.dtype)
    except NotConvertible as reason:
        raise ModelError(f"{loaded.name} cannot be used: transformer_lens gets it wrong; {reason}") from reason
    return model


def _location(name_or_path: str | Path) -> str | Path:
    path = Path(name_or_path).expanduser()
    if str(name_or_path) and path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(f"{path} has no config.json; expected a folder saved by Hugging Face's save_pretrained")
        return path.resolve()
    name = str(name_or_path)
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1 or not name:
        raise ModelError(
            f"{name!r} is no model folder; give an existing folder, a hub name, or one of {', '.join(ENTRIES)}"
        )
    return name


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"device {device!r} is not known; expected 'cpu', 'cuda', 'cuda:1', 'mps'...") from error
    if place.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"device {device!r}: this PyTorch sees no CUDA GPU; use device='cpu'")
    return place


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
