"""Hugging Face weights into a `HookedTransformer`, no processing, and the check that both compute the same.

TransformerLens chooses a configuration by the model's name. For a hub name it knows, that is used. For a local
folder the configuration is derived from ``config.json``: through TransformerLens's own conversion where that goes by
the architecture, and from its entry for a sibling where it goes by the name only (the Gemma family).
"""

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from tl_experts.errors import ModelError
from tl_experts.models.lens import HookedTransformer
from tl_experts.models.placement import spread_blocks
from tl_experts.models.probe import NotConvertible, rotary_kinds
from tl_experts.models.quiet import quiet_lens
from tl_experts.models.shared_weights import share_weights
from tl_experts.models.windows import set_windows

# transformer_lens reads the architecture off these words if they occur anywhere in a path.
_TELLING_WORDS = ("llama", "gemma", "bert", "t5", "wav2vec2", "hubert", "olmo")
_TRIES = 100
# Converted by name in transformer_lens: a sibling's entry, whose sizes are replaced by those of config.json.
_SIBLINGS = {
    "GemmaForCausalLM": "google/gemma-2b",
    "Gemma2ForCausalLM": "google/gemma-2-2b",
    "Gemma3ForCausalLM": "google/gemma-3-270m",
}


def convert(
    hf_model: Any,
    tokenizer: Any,
    name: str,
    device: torch.device,
    dtype: torch.dtype,
    *,
    known_as: str | None,
    n_devices: int = 1,
) -> Any:
    """Build the `HookedTransformer` of a Hugging Face model.

    Args:
        hf_model: the loaded model.
        tokenizer: its tokenizer.
        name: what to call it.
        device: where to put it.
        dtype: of the weights.
        known_as: the hub name under which transformer_lens may know the configuration; None for a local folder.
        n_devices: spread over that many devices, `device` being the first.

    Raises:
        NotConvertible: TransformerLens has no conversion for it.
        ModelError: fewer blocks than devices.
    """
    if HookedTransformer is None:
        raise NotConvertible("this transformer-lens has no HookedTransformer")
    if "longrope" in rotary_kinds(hf_model.config):
        # The second set serves texts beyond the original context, which may be longer than any probe.
        raise NotConvertible("HookedTransformer has one set of rotary frequencies, longrope has two")
    from transformer_lens import loading_from_pretrained as lens

    try:
        # Not in a caller's inference mode: parameters of which only some are of that kind make a pass fail.
        with torch.inference_mode(False), quiet_lens(), neutral_folder() as scratch:
            cfg, key = _configuration(lens, hf_model.config, known_as, scratch, dtype)
            set_windows(cfg, hf_model.config)
            set_activation(cfg, hf_model.config)
            cfg.model_name = name
            cfg.tokenizer_name = name
            cfg.device = str(device)
            state = lens.get_pretrained_state_dict(key, cfg, hf_model, dtype=dtype)
            model = HookedTransformer(cfg, tokenizer, move_to_device=False)
            share_weights(model, state)
            if n_devices > 1:
                spread_blocks(model, n_devices)
            else:
                model.to(device)
            model.requires_grad_(False).eval()
            lay_out(model)
    except (NotConvertible, ModelError):
        raise
    except Exception as error:  # the conversion fails in as many ways as there are architectures
        raise NotConvertible(f"{type(error).__name__}: {error}") from error
    return model


@contextlib.contextmanager
def neutral_folder() -> Iterator[Path]:
    """A temporary folder in whose name transformer_lens, which reads architectures off paths, finds none.

    The eight random characters of such a name hold a word as short as "t5" once in two hundred folders.
    """
    for _ in range(_TRIES):
        with tempfile.TemporaryDirectory(prefix="model-") as name:
            folder = Path(name).resolve()
            if not _telling(folder.name):
                yield folder
                return
    raise NotConvertible(f"no temporary folder of a neutral name in {_TRIES} tries")


def _telling(path: str) -> bool:
    return any(word in path.lower() for word in _TELLING_WORDS)


_LAYOUT = {"W_U": (1, 0), "W_Q": (0, 2, 1), "W_K": (0, 2, 1), "W_V": (0, 2, 1), "W_O": (2, 0, 1)}
_GATED_LAYOUT = {"W_gate": (1, 0), "W_in": (1, 0), "W_out": (1, 0)}


def lay_out(model: Any) -> None:
    """Put weights into the order in memory in which a pass reads them; shapes and values stay the same.

    HookedTransformer multiplies by ``W.T.contiguous()`` and the like, which copies every matrix in every pass: for
    Gemma-3-270M's unembedding 670 MB a token. Where the transpose is contiguous already, nothing is copied. It is so
    for most weights as Hugging Face stores them, which therefore stay where they are.
    """
    for module in model.modules():
        parameters = dict(module.named_parameters(recurse=False))
        layout = _LAYOUT | (_GATED_LAYOUT if "W_gate" in parameters else {})
        for name, parameter in parameters.items():
            order = layout.get(name.removeprefix("_"))  # "_W_K": a matrix that several heads share
            if order is None or parameter.ndim != len(order):
                order = tuple(range(parameter.ndim))
            back = sorted(range(len(order)), key=order.__getitem__)
            parameter.data = parameter.data.permute(order).contiguous().permute(back)


def set_activation(cfg: Any, hf_config: Any) -> None:
    """Give Gemma's configuration the activation function Hugging Face computes.

    transformer_lens gives Gemma 1 the exact GELU, where Hugging Face has the approximation by tanh.
    """
    if str((hf_config.architectures or [""])[0]).startswith("Gemma"):
        cfg.act_fn = getattr(hf_config, "hidden_activation", None) or hf_config.hidden_act


def _configuration(
    lens: Any, hf_config: Any, known_as: str | None, scratch: Path, dtype: torch.dtype
) -> tuple[Any, str]:
    """The configuration, and the name or path under which transformer_lens converts the weights."""
    official = _official_name(lens, known_as)
    if official is not None:
        cfg = lens.get_pretrained_model_config(official, hf_cfg=hf_config.to_dict(), dtype=dtype, device="cpu")
        return cfg, official
    architecture = hf_config.architectures[0]
    if architecture in _SIBLINGS:
        cfg = lens.get_pretrained_model_config(_SIBLINGS[architecture], dtype=dtype, device="cpu")
        return _with_sizes(cfg, hf_config), _SIBLINGS[architecture]
    path = str(scratch)
    if _telling(path):
        raise NotConvertible(f"transformer_lens would misread the temporary folder's name {path}; set TMPDIR")
    if architecture == "GPT2LMHeadModel":
        hf_config.n_ctx = hf_config.n_positions  # dropped by transformers 5, still read by transformer_lens
    hf_config.save_pretrained(scratch)
    return lens.get_pretrained_model_config(path, hf_cfg=hf_config.to_dict(), dtype=dtype, device="cpu"), path


def _official_name(lens: Any, name: str | None) -> str | None:
    try:
        return str(lens.get_official_model_name(name)) if name is not None else None
    except ValueError:
        return None


def _with_sizes(cfg: Any, hf_config: Any) -> Any:
    """The Gemma sibling's configuration with this model's sizes."""
    heads = hf_config.num_attention_heads
    changes: dict[str, Any] = {
        "d_model": hf_config.hidden_size,
        "d_head": hf_config.head_dim,
        "n_heads": heads,
        "n_key_value_heads": hf_config.num_key_value_heads,
        "d_mlp": hf_config.intermediate_size,
        "n_layers": hf_config.num_hidden_layers,
        "n_ctx": min(cfg.n_ctx, hf_config.max_position_embeddings),
        "eps": hf_config.rms_norm_eps,
        "d_vocab": hf_config.vocab_size,
        "d_vocab_out": hf_config.vocab_size,
        "rotary_dim": hf_config.head_dim,
        "attn_scale": float(getattr(hf_config, "query_pre_attn_scalar", hf_config.head_dim)) ** 0.5,
    }
    if getattr(hf_config, "layer_types", None):
        changes["attn_types"] = ["local" if kind == "sliding_attention" else "global" for kind in hf_config.layer_types]
        changes["window_size"] = hf_config.sliding_window
    if hasattr(hf_config, "final_logit_softcapping"):
        changes["output_logits_soft_cap"] = hf_config.final_logit_softcapping or -1.0
        changes["attn_scores_soft_cap"] = hf_config.attn_logit_softcapping or -1.0
    known = {field.name for field in dataclasses.fields(cfg)}
    for field, value in changes.items():
        if field in known:
            setattr(cfg, field, value)
    return cfg
