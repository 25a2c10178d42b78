"""Logits of the next token, pass by pass, with a key-value cache: several texts side by side, padded on the left."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tl_experts.models.hooks import Model, require_model
from tl_experts.models.lean import lean_passes
from tl_experts.models.lens import KeyValueCache, is_bridge
from tl_experts.models.scope import Scope


class Decoder:
    """The passes of one batch of texts, steered by whatever intervention is in force.

    Padding is masked and does not shift positions, so a row's logits are those of the text alone, to float tolerance.
    The unembedding sees the last position of every pass only: with a large vocabulary it is most of the work.

    Args:
        model: either class.
    """

    def __init__(self, model: Model) -> None:
        require_model(model)
        self._model = model
        self._device: torch.device = next(iter(model.embed.parameters())).device
        self._attended: Bool[Tensor, "batch pos"] | None = None
        self._cache: Any = None

    def next_logits(
        self, tokens: Int[Tensor, "batch pos"], attended: Bool[Tensor, "batch pos"] | None = None
    ) -> Float[Tensor, "batch vocabulary"]:
        """Feed the texts, or what follows those fed before, and give the logits of each row's next token.

        Args:
            tokens: ids; the first time the texts, padded on the left.
            attended: False at padding; None: there is none.
        """
        new = torch.ones_like(tokens, dtype=torch.bool) if attended is None else attended
        self._attended = new if self._attended is None else torch.cat([self._attended, new], dim=1)
        run = self._bridge_pass if is_bridge(self._model) else self._hooked_pass
        with lean_passes(self._model), Scope() as scope, torch.inference_mode():
            handles = [self._model.unembed.register_forward_pre_hook(scope.only(_last_position))]
            if is_bridge(self._model):
                handles.append(self._model.original_model.register_forward_hook(scope.only(self._keep_cache)))
            try:
                logits: Tensor = run(tokens.to(self._device), self._attended.to(self._device))
            finally:
                for handle in handles:
                    handle.remove()
        return logits[:, -1].float()

    def _hooked_pass(self, tokens: Tensor, attended: Tensor) -> Any:
        if self._cache is None:
            self._cache = KeyValueCache.init_cache(self._model.cfg, self._device, len(tokens))
        new = attended[:, -tokens.shape[1] :].long()
        return self._model(tokens, return_type="logits", attention_mask=new, past_kv_cache=self._cache)

    def _bridge_pass(self, tokens: Tensor, attended: Tensor) -> Any:
        past = {} if self._cache is None else {"past_key_values": self._cache}
        return self._model(tokens, return_type="logits", attention_mask=attended.long(), use_cache=True, **past)

    def _keep_cache(self, _module: Any, _args: Any, output: Any) -> None:
        self._cache = output.past_key_values


def _last_position(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return (args[0][:, -1:], *args[1:])
