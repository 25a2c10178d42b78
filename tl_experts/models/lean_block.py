"""A block of `HookedTransformer` without what nobody looks at: the same bits, in fewer passes over memory.

`HookedTransformer` normalises the input of a block three times, for queries, keys and values; it adds zero biases and
zero positions; it copies where attention or MLP could write over what they have just computed; and it looks for NaN in
patterns that cannot have any. Here only what is hooked or needed is computed, by the same operations in the same order
(over long texts, attention block by block).
``scaled_dot_product_attention`` is not used: its sums differ in the last bits with the length of the text, so equal
words at the start of two sentences would no longer have equal activations, and AUROC counts ties.

Whether anybody hooks what is not computed here is asked in every pass: then `runs_lean` is False.
This is the hot path of every pass: no einops.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional
from torch.nn.modules import module as torch_module

from tl_experts.models.lens import COMPONENTS

_MANY_ROWS = 64
"""From so many positions on, an addition costs more than the test that a bias is zero."""

LONG = 1024
"""From so many queries on, attention is computed for some of them at a time, over no more keys than these see: half of
the work, or a small part of it where attention is local, and a small part of the memory. The sums over keys are then
others in their last bits. In shorter texts these bits are those of TransformerLens's own code, which ties rest on."""

_ROWS = 512
"""Queries at a time."""

_ATTENTION_POINTS = ("hook_q", "hook_k", "hook_v", "hook_rot_q", "hook_rot_k", "hook_attn_scores", "hook_pattern")
_NORM_POINTS = ("hook_scale", "hook_normalized")
_NORMS = ("ln1", "ln1_post", "ln2", "ln2_post")

_POSITIONS = ("standard", "rotary", "alibi")
_UNKNOWN_BLOCKS = (
    "attn_only",
    "use_attn_in",
    "use_split_qkv_input",
    "use_hook_mlp_in",
    "use_attn_result",
    "load_in_4bit",
)
_UNKNOWN_ATTENTION = (
    "use_attention_sinks",
    "use_logn_attn",
    "use_dynamic_ntk_rope",
    "ungroup_grouped_query_attention",
)


class Plan:
    """What the layers of a pass share: the attention mask's form, found once."""

    def __init__(self) -> None:
        self._mask: Tensor | None = None
        self._padded: Tensor | None = None

    def padding(self, mask: Tensor | None) -> Tensor | None:
        """The attention mask ``[batch key]``, or None where it hides nothing."""
        if mask is None or mask is self._mask:
            return None if mask is None else self._padded
        self._mask, self._padded = mask, None if bool(mask.all()) else mask
        return self._padded


def runs_lean(block: Any, x: Tensor) -> bool:
    """Whether a `TransformerBlock` may run lean now: a form that is known here, and nobody hooks what is left out."""
    cfg, modules = block.cfg, block._modules
    if (
        torch.is_grad_enabled()
        or cfg.positional_embedding_type not in _POSITIONS
        or cfg.original_architecture in COMPONENTS.post_norm
        or any(getattr(cfg, name, False) for name in _UNKNOWN_BLOCKS)
    ):
        return False
    attention, mlp = modules["attn"], modules["mlp"]
    if attention.W_Q.device != x.device or changed(attention) or changed(mlp):
        return False
    norms = [*(modules.get(name) for name in _NORMS), attention.q_norm, attention.k_norm]
    if any(changed(norm) or inner_hooked(norm) for norm in norms if norm is not None):
        return False
    points = attention._modules
    return not any(_hooked(points[name]) for name in _ATTENTION_POINTS if name in points)


def inner_hooked(norm: Any) -> bool:
    """Whether somebody hooks what a norm computes inside."""
    points = norm._modules
    return any(_hooked(points[name]) for name in _NORM_POINTS if name in points)


def run_block(
    block: Any,
    plan: Plan,
    resid_pre: Float[Tensor, "batch pos d_model"],
    shortformer_pos_embed: None = None,  # noqa: ARG001 (TransformerLens's signature; such models run plainly)
    past_kv_cache_entry: Any = None,
    attention_mask: Tensor | None = None,
) -> Float[Tensor, "batch pos d_model"]:
    """What ``block.forward`` computes; arguments as there."""
    cfg = block.cfg
    resid_pre = _through(block.hook_resid_pre, resid_pre)
    normalised = run_norm(block.ln1, resid_pre)
    out = _attention(block.attn, plan, normalised, past_kv_cache_entry, attention_mask)
    if cfg.use_normalization_before_and_after:
        out = run_norm(block.ln1_post, out)
    if cfg.parallel_attn_mlp:
        resid_mid = resid_pre + _through(block.hook_attn_out, out)
        read = resid_pre
    else:
        resid_mid = read = _through(block.hook_resid_mid, _added(block.hook_attn_out, out, resid_pre))
    written = _mlp(block.mlp, run_norm(block.ln2, read))
    if cfg.use_normalization_before_and_after:
        written = run_norm(block.ln2_post, written)
    return _through(block.hook_resid_post, _added(block.hook_mlp_out, written, resid_mid))


def run_norm(norm: Any, x: Float[Tensor, "*batch length"]) -> Float[Tensor, "*batch length"]:
    """What a norm's forward computes."""
    weight, bias = getattr(norm, "w", None), getattr(norm, "b", None)
    known = type(norm) in COMPONENTS.norms and x.dtype == norm.cfg.dtype
    if not known or (weight is not None and (weight.device != x.device or weight.dtype != x.dtype)):
        normalised: Tensor = norm(x)
        return normalised
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    if type(norm) in COMPONENTS.layer_norms:
        wide = wide - wide.mean(-1, keepdim=True)
    found = (wide / wide.pow(2).mean(-1, keepdim=True).add_(norm.eps).sqrt_()).to(x.dtype)
    if weight is not None:
        found.mul_(weight)
    return found if bias is None else found.add_(bias)


def hooked_everywhere() -> bool:
    """Whether somebody hooks all modules of the process."""
    found: bool = torch_module._has_any_global_hook()  # type: ignore[no-untyped-call]
    return found


def _hooked(module: Any) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def changed(module: Any) -> bool:
    """Whether somebody hooks a module, or has given it another forward."""
    return bool(module._forward_hooks or module._forward_pre_hooks or "forward" in module.__dict__)


def _through(point: Any, x: Tensor) -> Tensor:
    """The activation as the hooks of a point leave it."""
    if point._forward_hooks or point._forward_pre_hooks:
        left: Tensor = point(x)
        return left
    return x


def _added(point: Any, x: Tensor, residual: Tensor) -> Tensor:
    """The sum with the residual stream of what a layer has just computed, through its hook point.

    What nobody hooks nobody else holds: the sum is written over it.
    """
    if _hooked(point):
        return residual + _through(point, x)
    if x.dtype != residual.dtype or x.device != residual.device:
        return residual + x
    return x.add_(residual)


def _needed(bias: Tensor, x: Tensor) -> Tensor | None:
    """A bias, or None where it is zero and leaving it out is worth the test (which a GPU would have to wait for)."""
    if x.is_cpu and x.shape[0] * x.shape[1] >= _MANY_ROWS and not bool(bias.any()):
        return None
    return bias


# --- MLP -------------------------------------------------------------------------------------------------------------


def _mlp(mlp: Any, x: Tensor) -> Tensor:
    kind = type(mlp)
    if kind not in COMPONENTS.mlps or mlp.cfg.is_layer_norm_activation() or mlp.W_in.device != x.device:
        found: Tensor = mlp(x)
        return found
    if kind is COMPONENTS.mlps[1]:
        neurons = _through(mlp.hook_post, _gated(mlp, x))
        return functional.linear(neurons, mlp.W_out.T.contiguous(), _needed(mlp.b_out, x))
    before = _through(mlp.hook_pre, _product(x, mlp.W_in, mlp.b_in))
    return _product(_through(mlp.hook_post, mlp.act_fn(before)), mlp.W_out, mlp.b_out)


def _gated(mlp: Any, x: Tensor) -> Tensor:
    gate = _through(mlp.hook_pre, functional.linear(x, mlp.W_gate.T.contiguous()))
    linear = _through(mlp.hook_pre_linear, functional.linear(x, mlp.W_in.T.contiguous()))
    active, bias = mlp.act_fn(gate), _needed(mlp.b_in, x)
    # Over what nobody else holds; an activation function may return its argument.
    neurons: Tensor = active * linear if active.data_ptr() == gate.data_ptr() else active.mul_(linear)
    return neurons if bias is None else neurons.add_(bias)


def _product(x: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    flat = x.view(-1, x.shape[-1])
    return torch.addmm(bias, flat, weights).view(*x.shape[:-1], weights.shape[1])


# --- attention -------------------------------------------------------------------------------------------------------


def attends_lean(attention: Any, x: Float[Tensor, "batch pos d_model"]) -> bool:
    """Whether an attention layer is of a form that is known here."""
    cfg = attention.cfg
    return (
        type(attention) in COMPONENTS.attentions
        and cfg.attention_dir == "causal"
        and attention._attention_dir_override is None
        and cfg.clip_qkv is None
        and cfg.original_architecture not in COMPONENTS.wide_qk_norm
        and not any(getattr(cfg, name, False) for name in _UNKNOWN_ATTENTION)
        and attention.W_Q.dtype == x.dtype
        and x.device.type != "mps"
    )


def _attention(attention: Any, plan: Plan, x: Tensor, cache: Any, mask: Tensor | None) -> Tensor:
    if not attends_lean(attention, x):
        out: Tensor = attention(
            query_input=x, key_input=x, value_input=x, past_kv_cache_entry=cache, attention_mask=mask
        )
        return out
    query, key, value = _projected(attention, x)
    past = 0 if cache is None else int(cache.past_keys.size(1))
    if cache is not None:
        key, value = cache.append(key, value)
    padded = plan.padding(mask)
    if padded is not None:
        padded = padded.to(x.device)  # of a model on several devices, the mask is on the first
    if attention.cfg.positional_embedding_type == "rotary":
        query = _rotated(attention, query, past, padded)
        key = _rotated(attention, key, 0, padded)
    z = _weighted_values(attention, query, key, value, padded)
    z = _through(attention.hook_z, z)
    weights = attention.W_O.permute(2, 0, 1).flatten(1).contiguous()
    return functional.linear(z.to(weights.dtype).flatten(2), weights, _needed(attention.b_O, x))


def _projected(attention: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values, ``[batch pos head d_head]``."""
    shared = "_" if type(attention) is COMPONENTS.attentions[1] else ""
    names = (("W_Q", "b_Q"), (f"{shared}W_K", f"{shared}b_K"), (f"{shared}W_V", f"{shared}b_V"))
    query, key, value = (_heads(x, getattr(attention, w), getattr(attention, b)) for w, b in names)
    if attention.cfg.use_qk_norm:
        query, key = run_norm(attention.q_norm, query), run_norm(attention.k_norm, key)
    return query, key, value


def _heads(x: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    needed = _needed(bias, x)
    flat = functional.linear(x, weights.permute(0, 2, 1).flatten(0, 1), None if needed is None else needed.flatten())
    return flat.view(*x.shape[:2], *bias.shape)


def _rotated(attention: Any, x: Tensor, past: int, padded: Tensor | None) -> Tensor:
    """Rotary positions: those of `past` tokens before, counted from each row's first token where some are padding."""
    cfg = attention.cfg
    end = past + x.shape[1]
    if end > attention.rotary_cos.shape[0]:
        attention._extend_rotary_embeddings(min(cfg.n_ctx, max(end, 2 * attention.rotary_cos.shape[0])))
    if padded is None:
        cos, sin = attention.rotary_cos[past:end, None], attention.rotary_sin[past:end, None]
    else:
        places = (padded.cumsum(dim=1) - 1).clamp_(min=0)[:, past:]
        cos, sin = attention.rotary_cos[places, None], attention.rotary_sin[places, None]
    size = cfg.rotary_dim
    turned, rest = x[..., :size], x[..., size:]
    if cfg.rotary_adjacent_pairs:
        swapped = torch.stack((-turned[..., 1::2], turned[..., ::2]), dim=-1).flatten(-2)
    else:
        first, second = turned.chunk(2, dim=-1)
        swapped = torch.cat((-second, first), dim=-1)
    rotated = (turned * cos).add_(swapped.mul_(sin))
    return torch.cat((rotated, rest), dim=-1) if rest.shape[-1] else rotated


def _weighted_values(attention: Any, query: Tensor, key: Tensor, value: Tensor, padded: Tensor | None) -> Tensor:
    """The values by the attention to their positions, ``[batch pos head d_head]``."""
    queries, keys = query.shape[1], key.shape[1]
    if queries < LONG:
        return _attended(attention, query, key, value, padded)
    window = attention.cfg.window_size if attention.attn_type == "local" else keys
    parts = [
        _attended(attention, query[:, rows], key[:, seen], value[:, seen], None if padded is None else padded[:, seen])
        for rows, seen in _blocks(queries, keys, window)
    ]
    return torch.cat(parts, dim=1)


def _blocks(queries: int, keys: int, window: int) -> Iterator[tuple[slice, slice]]:
    """Some queries at a time, and the keys that any of them sees."""
    past = keys - queries
    for begin in range(0, queries, _ROWS):
        end = min(begin + _ROWS, queries)
        yield slice(begin, end), slice(max(0, past + begin + 1 - window), past + end)


def _attended(attention: Any, query: Tensor, key: Tensor, value: Tensor, padded: Tensor | None) -> Tensor:
    """The values by the attention to them; the last query stands at the last key."""
    cfg, queries, keys = attention.cfg, query.shape[1], key.shape[1]
    by_head, values = key.permute(0, 2, 3, 1), value.transpose(1, 2)
    if (repeats := query.shape[2] // key.shape[2]) > 1:
        # Transposed before they are repeated: that copy is the expensive one.
        by_head, values = (one.contiguous().repeat_interleave(repeats, dim=1) for one in (by_head, values))
    scores = (query.transpose(1, 2) @ by_head).div_(attention.attn_scale)
    if (cfg.attn_scores_soft_cap or 0) > 0:
        scores.div_(cfg.attn_scores_soft_cap).tanh_().mul_(cfg.attn_scores_soft_cap)
    if cfg.positional_embedding_type == "alibi":
        scores.add_(_alibi(attention, queries, keys))
    mask = _mask(attention, queries, keys, padded, scores.device)
    if mask is not None:
        scores.masked_fill_(~mask, -torch.inf)
    pattern = scores.softmax(dim=-1)
    if padded is not None:
        pattern.masked_fill_(pattern.isnan(), 0)  # a query that is padding, in front of all text
    return (pattern @ values).transpose(1, 2)


def _mask(
    attention: Any, queries: int, keys: int, padded: Tensor | None, device: torch.device
) -> Bool[Tensor, "#batch 1 query key"] | None:
    """What each query sees; None: everything, as a single last query does where nothing is padded."""
    local = attention.attn_type == "local" and keys > attention.cfg.window_size
    if padded is None and not local and queries == 1:
        return None
    mask: Tensor = attention._make_causal_mask(queries, keys, keys - queries, device)
    return mask if padded is None else mask & padded[:, None, None].bool()


def _alibi(attention: Any, queries: int, keys: int) -> Tensor:
    """The biases of distance, ``[head query key]``."""
    if attention.alibi is None or keys > attention.alibi.size(-1):
        attention.alibi = type(attention).create_alibi_bias(attention.cfg.n_heads, keys, attention.cfg.device)
    biases: Tensor = attention.alibi[:, -queries:, :keys]
    return biases
