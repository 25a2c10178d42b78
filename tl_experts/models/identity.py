"""The fingerprint of a model: the same for both classes and for any dtype it is loaded in, else different."""

import hashlib
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.errors import ArtefactError
from tl_experts.models.hooks import Model, require_model

_SAMPLE = 4096
_MATRICES = (("attn", "W_Q"), ("attn", "W_O"), ("mlp", "W_in"), ("mlp", "W_gate"), ("mlp", "W_out"))
_PROBE = "The weather. Das Wetter. Le temps. El tiempo. Погода. 天気。天气。 2019!"


def model_fingerprint(model: Model) -> dict[str, str]:
    """What an artefact must share with the model it is used with.

    Returns:
        ``weights``: SHA-256 (16 hex digits) over the shapes of every layer's query, output and MLP matrices and an
        even sample of 4,096 of each one's values, rounded to bfloat16 so that the loading dtype does not matter
        (embedding, norms, keys and values are kept differently by the two classes);
        ``tokenizer``: the same over its size and the ids of a probe text.
    """
    require_model(model)
    weights = hashlib.sha256()
    for block in model.blocks:
        for part, name in _MATRICES:
            matrix = _matrix(getattr(block, part, None), name)
            if matrix is not None:
                weights.update(name.encode() + _sample(matrix))
    tokenizer = hashlib.sha256()
    if model.tokenizer is not None:
        ids = model.tokenizer(_PROBE, add_special_tokens=False)["input_ids"]
        tokenizer.update(repr((len(model.tokenizer), list(ids))).encode())
    return {"weights": weights.hexdigest()[:16], "tokenizer": tokenizer.hexdigest()[:16]}


def require_same_model(model: Model, fingerprint: Mapping[str, str], what: str, fix: str) -> None:
    """Refuse a model whose fingerprint differs: the one check of experts, stores and workers.

    Args:
        model: the model at hand.
        fingerprint: of the model that was used before.
        what: what belongs to that model, as a plural subject ("these experts").
        fix: what the user can do about it.

    Raises:
        ArtefactError: the fingerprints differ; the message names the fields.
    """
    found = model_fingerprint(model)
    differing = [field for field in found if found[field] != fingerprint.get(field)]
    if differing:
        details = ", ".join(f"{field} {fingerprint.get(field)} against {found[field]}" for field in differing)
        raise ArtefactError(f"{what} belong to another model: {' and '.join(differing)} differ ({details}); {fix}")


def _matrix(part: Any, name: str) -> Tensor | None:
    try:
        matrix = getattr(part, name)
    except AttributeError:
        return None
    return matrix if isinstance(matrix, Tensor) else None


def _sample(matrix: Tensor) -> bytes:
    places = tuple(torch.from_numpy(place).to(matrix.device) for place in _places(tuple(matrix.shape)))
    values = matrix.detach()[places]
    return repr(tuple(matrix.shape)).encode() + values.to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes()


@lru_cache(maxsize=32)  # a model has a handful of shapes, and `steer` asks each time
def _places(shape: tuple[int, ...]) -> tuple[NDArray[np.int64], ...]:
    """Evenly over a matrix of some shape; no tensors, which would keep the mode (inference or not) they are made in."""
    count = math.prod(shape)
    even = torch.linspace(0, count - 1, min(_SAMPLE, count), dtype=torch.float64).long()
    return tuple(place.numpy() for place in torch.unravel_index(even, shape))
