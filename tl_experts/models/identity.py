"""The fingerprint of a model: which weights and tokenizer an artefact belongs to.

Every value of every parameter counts. The weights have two digests, because no single one can both ignore the dtype a
model is loaded in and notice a change that this dtype's rounding hides:

- ``weights`` is the same for both model classes and for float32 and bfloat16. It is made of sums over the bits of
  each value, rounded to bfloat16, so it does not depend on how a class splits, transposes or orders a matrix (one
  class keeps a fused query-key-value matrix, the other three per-head ones). An even sample of five matrices of each
  layer, in order, notices permuted neurons.
- ``exact`` covers the parameters as they are kept, bit by bit. It is compared where ``form`` (class and dtype) agrees.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from tl_experts.errors import ArtefactError, TLExpertsWarning
from tl_experts.models.checksums import Sums, add_sums, bit_sums, digest, sample_bytes, spot_bytes
from tl_experts.models.hooks import Model, require_model
from tl_experts.models.lens import is_bridge

_MATRICES = (("attn", "W_Q"), ("attn", "W_O"), ("mlp", "W_in"), ("mlp", "W_gate"), ("mlp", "W_out"))
_PROBE = "The weather. Das Wetter. Le temps. El tiempo. Погода. 天気。天気。 2019!"
_LAYER = re.compile(r"\.(\d+)\.")
_FUSED = re.compile(r"\.(qkv|gate_up|gate_up_proj|query_key_value)\.")
_NORM = re.compile(r"norm|\bln\w*\.")

Fingerprint = dict[str, str]
"""``architecture``, ``weights``, ``form``, ``exact`` and ``tokenizer``."""


State = tuple[object, ...]
"""Changes when a parameter does: its address, shape, dtype and PyTorch's version counter."""


@dataclass(frozen=True)
class _Summed:
    """A parameter as it was when its sums were computed."""

    state: State
    spot: bytes
    """A few of its values."""

    exact: str
    """Digest of name, shape, dtype and every bit."""

    rounded: Sums
    """The sums of the values rounded to bfloat16; zero for a parameter of zeros."""


@dataclass(frozen=True)
class _Seen:
    """The fingerprint that is kept with a model."""

    states: list[State]
    spots: bytes
    parameters: dict[str, _Summed]
    weights: str
    exact: str


_SEEN: WeakKeyDictionary[Any, _Seen] = WeakKeyDictionary()


def model_fingerprint(model: Model) -> Fingerprint:
    """What identifies a model's weights and tokenizer.

    The sums of a parameter are kept with the model and recomputed when its address, PyTorch's version counter or one
    of 16 values changes. (A single value written through ``parameter.data`` escapes all three.)

    Returns:
        ``architecture``: in words; ``weights``: digest that both classes and float32 and bfloat16 share; ``form``:
        class and dtype; ``exact``: digest of every bit in this form; ``tokenizer``: digest of the vocabulary's size
        and the ids of a probe text. Digests are the first 16 hexadecimal digits of SHA-256.
    """
    require_model(model)
    seen = _look(model)
    return {
        "architecture": _architecture(model),
        "weights": seen.weights,
        "form": _form(model),
        "exact": seen.exact,
        "tokenizer": _tokenizer_digest(model.tokenizer),
    }


def fingerprint_difference(found: Mapping[str, str], expected: Mapping[str, str]) -> str | None:
    """How a model's fingerprint differs from a recorded one, with the likely reason; None: it is the same model.

    Class and dtype may differ. `exact` is compared where they do not.

    Args:
        found: of the model at hand.
        expected: as recorded in an artefact.
    """
    lacking = [field for field in found if field not in expected]
    if lacking:
        return f"the artefact does not record {' and '.join(lacking)}: another version of tl-experts made it"
    differing = [field for field in ("weights", "tokenizer") if found[field] != expected[field]]
    if "weights" not in differing and found["form"] == expected["form"] and found["exact"] != expected["exact"]:
        differing.insert(0, "exact")
    if not differing:
        return None
    values = ", ".join(f"{field} {expected[field]} against {found[field]}" for field in differing)
    names = " and ".join("weights" if field == "exact" else field for field in differing)
    verb = "differs" if names == "tokenizer" else "differ"
    return f"{names} {verb} ({values}); {_reason(found, expected, differing)}"


def explain_model_difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str | None:
    """Why the models of two jobs are not one; None if they are, or differ in a form that another value names.

    Args:
        there: the document of a job, with the fingerprint of its model as ``model``.
        here: the document of the job at hand.
    """
    expected, found = there.get("model"), here.get("model")
    if not isinstance(expected, Mapping) or not isinstance(found, Mapping) or expected == found:
        return None
    difference = fingerprint_difference(found, expected)
    return None if difference is None else f"its model's {difference}"


def require_same_model(
    model: Model,
    fingerprint: Mapping[str, str],
    what: str,
    fix: str = "load the model they were made with, or make them again with this one",
) -> None:
    """Refuse a model other than the one an artefact was made with.

    Args:
        model: the model at hand.
        fingerprint: recorded in the artefact.
        what: the artefact, as a plural subject: ``"these experts"``.
        fix: what to do, the end of the message.

    Raises:
        ArtefactError: naming what differs and the likely reason.
    """
    difference = fingerprint_difference(model_fingerprint(model), fingerprint)
    if difference is not None:
        raise ArtefactError(f"{what} belong to another model: {difference}; {fix}")


def _reason(found: Mapping[str, str], expected: Mapping[str, str], differing: list[str]) -> str:
    """The likeliest reason for a difference."""
    if found["architecture"] != expected["architecture"]:
        return f"made with {expected['architecture']}; this is {found['architecture']}"
    if differing == ["tokenizer"]:
        return "the weights are the same, but the tokenizer is another one or has added tokens"
    if differing == ["exact"]:
        return "by less than bfloat16 shows, so the model was edited or fine-tuned a little"
    processed = [side for side in (found, expected) if "processed" in side["form"]]
    if len(processed) == 1:
        return (
            f"{'this model' if processed[0] is found else 'that model'} has processed weights "
            "(HookedTransformer.from_pretrained folds norms into them); load_model leaves them as they are"
        )
    if found["form"] != expected["form"]:
        return (
            f"made with {expected['form']}, this is {found['form']}; rounding alone may tell them apart, "
            "so load the same dtype. Otherwise the model was fine-tuned or is another revision"
        )
    return "the architecture is the same, so the model was fine-tuned, edited, or is another revision"


def _architecture(model: Model) -> str:
    cfg = model.cfg
    name = getattr(cfg, "architecture", None) or getattr(cfg, "original_architecture", None) or "an unnamed one"
    return f"{name} ({cfg.n_layers} layers x {cfg.d_mlp} neurons, {cfg.d_model} dimensions, {cfg.d_vocab} tokens)"


def _form(model: Model) -> str:
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    return f"{type(model).__name__} {dtype}{' processed' if _processed(model) else ''}"


def _processed(model: Model) -> bool:
    """Whether the norms were folded into the weights: TransformerLens renames the norm then."""
    return str(getattr(model.cfg, "normalization_type", "")).endswith("Pre")


def warn_if_processed(model: Model) -> None:
    """Warn that a model with processed weights embeds otherwise than Hugging Face's.

    Warns:
        TLExpertsWarning: `HookedTransformer.from_pretrained` folded the norms into the weights.
    """
    if _processed(model):
        warnings.warn(
            f"{model.cfg.model_name} has processed weights: its hidden states, and so its embeddings, are not Hugging "
            "Face's. Load it with tl_experts.load_model or HookedTransformer.from_pretrained_no_processing",
            TLExpertsWarning,
            stacklevel=4,
        )


def _tokenizer_digest(tokenizer: Any) -> str:
    if tokenizer is None:
        return digest([])
    ids = tokenizer(_PROBE, add_special_tokens=False)["input_ids"]
    return digest([repr((len(tokenizer), list(ids))).encode()])


def _look(model: Model) -> _Seen:
    """The digests of a model's weights: those that are kept, or new ones where a parameter has changed."""
    parameters = dict(_parameters(model))
    states = [_state(tensor) for tensor in parameters.values()]
    spots = spot_bytes(list(parameters.values()))
    before = _SEEN.get(model)
    if before is not None and before.states == states and before.spots == spots:
        return before
    known = {} if before is None else before.parameters
    summed = {name: _summed(name, tensor, known.get(name)) for name, tensor in parameters.items()}
    exact = digest(one.exact.encode() for one in summed.values())
    seen = _SEEN[model] = _Seen(states, spots, summed, _weights_digest(model, summed), exact)
    return seen


def _parameters(model: Model) -> Iterator[tuple[str, Tensor]]:
    """Every parameter that a pass can read, once."""
    # A bridge's own modules may leave some out (OPT's projections); those of the model it wraps are complete.
    module = model.original_model if is_bridge(model) else model
    for name, parameter in module.named_parameters():
        # Bloom has no table of positions: HookedTransformer leaves one uninitialised and never reads it.
        if is_bridge(model) or name != "pos_embed.W_pos" or model.cfg.positional_embedding_type == "standard":
            yield from _plain(name, parameter.detach())


def _plain(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The tensors that hold the values: a quantised one (torchao's) wraps codes and scales."""
    if not hasattr(tensor, "__tensor_flatten__"):
        yield name, tensor
        return
    for part in tensor.__tensor_flatten__()[0]:
        yield from _plain(f"{name}.{part}", getattr(tensor, part))


def _state(tensor: Tensor) -> State:
    # An inference tensor has no version counter. NaN equals nothing, so its sums are always computed again.
    version = float("nan") if tensor.is_inference() else tensor._version
    return tensor.data_ptr(), tensor.shape, tensor.dtype, version


def _summed(name: str, tensor: Tensor, known: _Summed | None) -> _Summed:
    state, spot = _state(tensor), spot_bytes([tensor])
    if known is not None and known.state == state and known.spot == spot:
        return known
    rounded = bit_sums(tensor, torch.bfloat16)
    bits = rounded if tensor.dtype == torch.bfloat16 else bit_sums(tensor, tensor.dtype)
    header = repr((name, tuple(tensor.shape), str(tensor.dtype), bits)).encode()
    return _Summed(state, spot, digest([header, sample_bytes(tensor, tensor.dtype)]), rounded)


def _weights_digest(model: Model, parameters: dict[str, _Summed]) -> str:
    """The digest that both classes and float32 and bfloat16 share."""
    layers: dict[int, Sums] = {}
    # A tied embedding is one parameter of a bridge and two of a HookedTransformer: a set counts it once.
    outside: set[Sums] = set()
    for name, summed in parameters.items():
        sums = summed.rounded
        if not any(sums) or not _shared(model, name):
            continue
        layer = _LAYER.search(f".{name}")
        if layer is None:
            outside.add(sums)
        else:
            number = int(layer[1])
            layers[number] = add_sums(layers.get(number, (0, 0)), sums)
    samples = (
        name.encode() + sample_bytes(matrix, torch.bfloat16)
        for block in model.blocks
        for part, name in _MATRICES
        if (matrix := _matrix(getattr(block, part, None), name)) is not None
    )
    return digest([repr((sorted(layers.items()), sorted(outside))).encode(), *samples])


def _shared(model: Model, name: str) -> bool:
    """Whether both classes hold the same values in a parameter, in every dtype.

    For Gemma, HookedTransformer adds one to every norm's scale and multiplies the embedding (its tied unembedding
    stays as it is), both in the dtype it is loaded in. Of OPT's positions it drops two rows. A bridge keeps fused
    matrices beside the parts that it uses.
    """
    architecture = str(getattr(model.cfg, "architecture", None) or getattr(model.cfg, "original_architecture", None))
    if architecture.startswith("Gemma"):
        return not (_NORM.search(name) or name == "embed.W_E")
    if architecture.startswith("OPT") and ("pos_embed" in name or "embed_positions" in name):
        return False
    return not _FUSED.search(name)


def _matrix(part: Any, name: str) -> Tensor | None:
    try:
        matrix = getattr(part, name)
    except (AttributeError, NotImplementedError):  # NotImplementedError: packed, by bitsandbytes for one
        return None
    return matrix if isinstance(matrix, Tensor) and not hasattr(matrix, "__tensor_flatten__") else None
