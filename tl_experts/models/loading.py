"""`load_model`: a name or folder in, a `HookedTransformer` (or, where that cannot be, a `TransformerBridge`) out."""

import logging
from pathlib import Path
from typing import Any

import torch

from tl_experts.errors import ModelError, near, require_choice
from tl_experts.models.bridge import boot_bridge, first_line
from tl_experts.models.catalogue import ENTRIES
from tl_experts.models.conversion import NotConvertible, convert, probe_logits, require_same_logits
from tl_experts.models.hooks import Model
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER
from tl_experts.models.quiet import quiet_transformers
from tl_experts.models.wheels import model_folder

log = logging.getLogger(__name__)

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
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
        revision: the hub revision.
        trust_remote_code: run code that comes with a hub model. Off unless you say so.

    Returns:
        A `HookedTransformer` for every architecture it converts faithfully, else a `TransformerBridge`; hook names
        are the same.

    Raises:
        ModelError: not found, not readable, or a vision, encoder, encoder-decoder or mixture-of-experts model.

    Examples:
        >>> model = load_model("polyglot-mini")
        >>> model.cfg.n_layers, model.cfg.d_mlp
        (8, 896)
    """
    kind = _dtype(dtype)
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
    name = str(name_or_path)
    reference = probe_logits(hf_model)
    try:
        # A folder's name says nothing: one called "gpt2" must not get the configuration of the hub's GPT-2.
        known_as = name if entry is not None or isinstance(location, str) else None
        model = convert(hf_model, tokenizer, name, place, kind, known_as=known_as)
        require_same_logits(model, reference, kind)
        return model
    except NotConvertible as reason:
        # For a model of the catalogue, which converts, something is wrong; for others it is how it is.
        level = logging.WARNING if entry is not None and HAS_HOOKED_TRANSFORMER else logging.INFO
        log.log(level, "%s loads as TransformerBridge: %s", name, reason)
    model = boot_bridge(hf_model, tokenizer, name, str(location), place, kind)
    try:
        require_same_logits(model, reference, kind)
    except NotConvertible as reason:
        raise ModelError(f"{name} cannot be used: transformer_lens gets it wrong; {reason}") from reason
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


def _dtype(dtype: str | torch.dtype) -> torch.dtype:
    if isinstance(dtype, torch.dtype) and dtype in _DTYPES.values():
        return dtype
    text = str(dtype).removeprefix("torch.")
    require_choice(text, _DTYPES, "dtype", ModelError)
    return _DTYPES[text]


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
        reason = "it is no causal language model (an encoder?); give a decoder-only model"
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
