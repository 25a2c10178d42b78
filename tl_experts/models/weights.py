"""What an MLP neuron writes into the residual stream and what it reads from it, by the weights alone.

The norms on the way are the model's own modules, applied to the direction by itself: their learnt scales count, their
division sets the direction to the usual length. No activation enters.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tl_experts.errors import SiteError
from tl_experts.models.forward import final_width
from tl_experts.models.hooks import Model, require_model

MLP_SITES = ("mlp.hook_post", "mlp.hook_pre", "mlp.hook_pre_linear")
"""The sites whose neurons have a row in the MLP's output matrix."""

_ROWS = 32_768
"""Words of the vocabulary that are taken through a norm at once: 84 MB at 640 dimensions."""


def written_directions(model: Model, layer: int, neurons: Sequence[int]) -> Float[Tensor, "neuron d_model"]:
    """What each neuron adds to the residual stream: its row of ``W_out``, through a norm behind the MLP.

    Raises:
        SiteError: the layer's MLP has no such matrix (a mixture of experts), or it is quantised.
    """
    require_model(model)
    block = model.blocks[layer]
    matrix = _weights(block.mlp, "W_out", layer)
    if matrix is None or matrix.ndim != 2:
        raise SiteError(f"layer {layer} has no single W_out: its neurons' weights cannot be read")
    rows = matrix[list(neurons)].detach().float()
    behind = getattr(block, "ln2_post", None)
    return rows if behind is None else _linear(behind, rows)


def promoted_logits(model: Model, directions: Float[Tensor, "neuron d_model"]) -> Float[Tensor, "neuron token"]:
    """What directions of the residual stream do to the logits: through the final norm and the unembedding.

    Raises:
        SiteError: the model projects the residual stream before the unembedding (OPT-350m).
    """
    _require_unprojected(model)
    return _linear(model.unembed, _linear(model.ln_final, directions)).cpu()


def read_scores(model: Model, layer: int, neurons: Sequence[int]) -> Float[Tensor, "neuron token"]:
    """How much each token's bare embedding excites each neuron: the gate's (ungated: the only) input before its bias.

    Raises:
        SiteError: the layer's MLP has no such matrix, or it is quantised, or embeddings are projected (OPT-350m).
    """
    matrix = _input_matrix(model, layer)[:, list(neurons)]
    _require_unprojected(model)
    norm = _norm_before(model.blocks[layer])
    tokens = model.W_E.detach().to(matrix.device)
    parts = [norm_rows(norm, tokens[start : start + _ROWS]) @ matrix for start in range(0, len(tokens), _ROWS)]
    return torch.cat([rearrange(part.cpu(), "token neuron -> neuron token") for part in parts], dim=1)


def reading_cosines(
    model: Model, layer: int, directions: Float[Tensor, "direction d_model"]
) -> Float[Tensor, "direction neuron"]:
    """Cosine of directions of the residual stream with what each neuron of a layer reads."""
    matrix = _input_matrix(model, layer)
    seen = norm_rows(_norm_before(model.blocks[layer]), directions.to(matrix.device))
    seen = seen / seen.norm(dim=1, keepdim=True).clamp_min(1e-12)
    cosines: Tensor = (seen @ matrix) / matrix.norm(dim=0).clamp_min(1e-12)
    return cosines.cpu()


def _require_unprojected(model: Model) -> None:
    require_model(model)
    if final_width(model) != model.cfg.d_model:
        raise SiteError(
            f"{model.cfg.model_name}: embeddings have {final_width(model)} dimensions, the layers {model.cfg.d_model}; "
            "a projection lies between them, so what neurons promote and read cannot be told from their weights"
        )


def norm_rows(norm: Any, rows: Float[Tensor, "row d_model"]) -> Float[Tensor, "row d_model"]:
    """Rows through a norm, in float32, without gradients."""
    if norm is None:
        return rows.float()
    with torch.inference_mode():
        found: Tensor = norm(_for(norm, rows)[None])[0].float()
    return found


def _linear(module: Callable[..., Tensor], rows: Tensor) -> Tensor:
    """A module's effect without its bias: what it makes of the rows less what it makes of nothing."""
    with torch.inference_mode():
        both = torch.cat([rows, torch.zeros_like(rows[:1])])
        out = module(_for(module, both)[None])[0].float()
    return out[:-1] - out[-1:]


def _for(module: Any, rows: Tensor) -> Tensor:
    """Rows as a module takes them: in its dtype, on its device (layers may lie on several GPUs)."""
    like = next(module.parameters(), rows)
    return rows.to(like.device, like.dtype)


def _norm_before(block: Any) -> Any:
    """The norm the MLP reads through; Cohere's parallel blocks have one norm for attention and MLP."""
    return getattr(block, "ln2", None) or getattr(block, "ln1", None)


def _input_matrix(model: Model, layer: int) -> Float[Tensor, "d_model neuron"]:
    require_model(model)
    mlp = model.blocks[layer].mlp
    matrix = _weights(mlp, "W_gate", layer)
    matrix = _weights(mlp, "W_in", layer) if matrix is None else matrix
    if matrix is None or matrix.ndim != 2:
        raise SiteError(f"layer {layer} has no single input matrix: its neurons' weights cannot be read")
    weights: Tensor = matrix.detach().float()
    return weights


def _weights(mlp: Any, name: str, layer: int) -> Tensor | None:
    refusal = SiteError(f"layer {layer}: {name} is quantised, so its neurons' weights cannot be read")
    try:
        found: Tensor | None = getattr(mlp, name, None)
    except NotImplementedError as error:  # transformer_lens refuses packed weights
        raise refusal from error
    # Libraries of quantisation use subclasses that can be dequantised; other subclasses hold the numbers themselves.
    if found is not None and type(found.data).dequantize is not Tensor.dequantize:
        raise refusal
    return found
