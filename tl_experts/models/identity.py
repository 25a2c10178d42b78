"""The fingerprint of a model: the same for both classes and for any dtype it is loaded in, else different."""

import hashlib
from typing import Any

import torch
from torch import Tensor

from tl_experts.models.hooks import Model, require_model

_SAMPLE = 4096
_PROBE = "The weather. Das Wetter. Le temps. El tiempo. Погода. 天気。天气。 2019!"


def model_fingerprint(model: Model) -> dict[str, str]:
    """What an artefact must share with the model it is used with.

    Returns:
        ``weights``: SHA-256 (16 hex digits) over the shapes of the embedding and of every layer's MLP matrices and
        an even sample of 4,096 of each one's values, rounded to bfloat16 so that the loading dtype does not matter;
        ``tokenizer``: the same over its size and the ids of a probe text.
    """
    require_model(model)
    weights = hashlib.sha256()
    weights.update(_sample(model.W_E))
    for block in model.blocks:
        for name in ("W_in", "W_gate", "W_out"):
            matrix = _matrix(block.mlp, name)
            if matrix is not None:
                weights.update(name.encode() + _sample(matrix))
    tokenizer = hashlib.sha256()
    if model.tokenizer is not None:
        ids = model.tokenizer(_PROBE, add_special_tokens=False)["input_ids"]
        tokenizer.update(repr((len(model.tokenizer), list(ids))).encode())
    return {"weights": weights.hexdigest()[:16], "tokenizer": tokenizer.hexdigest()[:16]}


def _matrix(mlp: Any, name: str) -> Tensor | None:
    try:
        matrix = getattr(mlp, name)
    except AttributeError:
        return None
    return matrix if isinstance(matrix, Tensor) else None


def _sample(matrix: Tensor) -> bytes:
    # The two classes may keep a matrix transposed to each other: always read along the longer side.
    oriented = matrix.detach() if matrix.shape[0] <= matrix.shape[-1] else matrix.detach().T
    columns, size = oriented.shape[1], oriented.numel()
    places = torch.linspace(0, size - 1, min(_SAMPLE, size), dtype=torch.float64).long().to(matrix.device)
    values = oriented[places // columns, places % columns].to("cpu", torch.bfloat16).view(torch.int16)
    return repr(tuple(oriented.shape)).encode() + values.numpy().tobytes()
