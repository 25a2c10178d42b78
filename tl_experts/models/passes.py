"""Follow the passes that anybody runs through a model: which positions are text, and which were generated."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from tl_experts.models.hooks import Model, require_model
from tl_experts.models.lens import is_bridge
from tl_experts.models.scope import Scope


class _Pass(threading.local):
    """The pass that runs in this thread: several may run at once in copies of one context."""

    real: Bool[Tensor, "batch pos"] | None = None
    step = 0
    tokens: Int[Tensor, "batch pos"] | None = None
    began: Tensor | None = None
    length = 0
    regrown = 0


class PassTracker:
    """What is known of the pass that is running."""

    def __init__(self) -> None:
        self.passes = 0
        """How many passes there were."""

        self.continued = 0
        """How many of them added to a filled key-value cache."""

        self.elsewhere = 0
        """How many passes other threads or tasks ran meanwhile, outside the block."""

        self.regrown = 0
        """The most passes in a row of which each read the text of the one before and one more token from the start:
        generation without a key-value cache."""

        self._pass = _Pass()

    @property
    def real(self) -> Bool[Tensor, "batch pos"] | None:
        """False at padding; None: nothing is padded, or nothing is known."""
        return self._pass.real

    @property
    def continues(self) -> bool:
        """The pass adds to a filled key-value cache: its positions are generated ones."""
        return self.step > 0

    @property
    def step(self) -> int:
        """How many passes before this one filled the key-value cache that it adds to; 0: it begins a text."""
        return self._pass.step

    def note_tokens(self, tokens: Int[Tensor, "batch pos"]) -> None:
        """Keep the tokens of the pass that begins."""
        self._pass.tokens = tokens

    def take_tokens(self) -> Int[Tensor, "batch pos"] | None:
        """The tokens, once: a later pass from a residual stream must not be masked by those of an earlier one."""
        tokens, self._pass.tokens = self._pass.tokens, None
        return tokens

    def begin(
        self,
        real: Bool[Tensor, "batch pos"] | None,
        continues: bool,
        length: int = 0,
        tokens: Int[Tensor, "batch own"] | None = None,
    ) -> None:
        """Note the start of a pass.

        Args:
            real: False at padding.
            continues: it adds to a filled key-value cache.
            length: its positions.
            tokens: what was embedded for it: all of them, or only the last (TransformerLens's ``generate``).
        """
        # A mask without a hole costs every hook a comparison, and says nothing.
        self._pass.real = None if real is None or bool(real.all()) else real
        self._pass.step = self._pass.step + 1 if continues else 0
        self._note_growth(None if continues else tokens, length)
        self.continued += continues
        self.passes += 1

    def _note_growth(self, tokens: Tensor | None, length: int) -> None:
        own = self._pass
        own.regrown = own.regrown + 1 if tokens is not None and self._grown(tokens, length) else 0
        own.began, own.length = tokens, length
        self.regrown = max(self.regrown, own.regrown)

    def _grown(self, tokens: Tensor, length: int) -> bool:
        """Whether a pass from the start reads what the one before has read, and one more token."""
        before, size = self._pass.began, self._pass.length
        if before is None or length != size + 1:
            return False
        if before.shape[1] != size or tokens.shape[1] != length:
            return True  # only the new token was embedded
        return torch.equal(tokens[:, :-1], before)

    def pass_by(self) -> None:
        """Note a pass outside the block."""
        self.elsewhere += 1


@contextmanager
def track_passes(model: Model) -> Iterator[PassTracker]:
    """Keep a tracker up to date while the block runs, by read-only hooks on the model's modules."""
    require_model(model)
    tracker = PassTracker()
    with Scope() as scope:
        watch = _watch_bridge if is_bridge(model) else _watch_hooked
        handles = watch(model, tracker, scope)
        try:
            yield tracker
        finally:
            for handle in handles:
                handle.remove()


def real_positions(
    tokens: Int[Tensor, "batch pos"], pad: int | None, bos: int | None
) -> Bool[Tensor, "batch pos"] | None:
    """Where the text is: between the first and the last token that is not padding.

    Padding at the end and at the start of a row is recognised by its id. Where BOS has the same id, the one just
    before the text counts as BOS. A row of nothing but padding is taken as text (an empty prompt, an EOS).
    """
    if pad is None:
        return None
    text = tokens != pad
    begun = text.int().cummax(dim=1).values.bool()
    if pad == bos:
        begun = begun | torch.cat([begun[:, 1:], begun[:, -1:]], dim=1)
    unfinished = text.int().flip(1).cummax(dim=1).values.flip(1).bool()
    return (begun & unfinished) | ~text.any(dim=1, keepdim=True)


def _special(model: Model) -> tuple[int | None, int | None]:
    tokenizer = getattr(model, "tokenizer", None)
    return getattr(tokenizer, "pad_token_id", None), getattr(tokenizer, "bos_token_id", None)


def _real(model: Model, mask: Tensor | None, tokens: Tensor | None, length: int) -> Tensor | None:
    if mask is not None and mask.ndim == 2 and mask.shape[1] >= length:
        return mask[:, -length:].bool()
    if tokens is not None and tokens.ndim == 2 and tokens.shape[1] == length:
        return real_positions(tokens, *_special(model))
    return None


def _watch_hooked(model: Model, tracker: PassTracker, scope: Scope) -> list[Any]:
    def see_tokens(_module: Any, args: tuple[Any, ...]) -> None:
        tracker.note_tokens(args[0])

    def see_start(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # A pass that begins behind the first block, with a residual stream.
        if args and (kwargs.get("start_at_layer") or 0) % int(model.cfg.n_layers):
            length = args[0].shape[1]
            tracker.begin(_real(model, kwargs.get("attention_mask"), kwargs.get("tokens"), length), False)

    def see_pass(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        residual = args[0] if args else kwargs["resid_pre"]
        cache = kwargs.get("past_kv_cache_entry")
        tokens = tracker.take_tokens()
        real = _real(model, kwargs.get("attention_mask"), tokens, residual.shape[1])
        tracker.begin(real, cache is not None and cache.past_keys.shape[1] > 0, residual.shape[1], tokens)

    return [
        model.register_forward_pre_hook(scope.only(see_start), with_kwargs=True),
        model.embed.register_forward_pre_hook(scope.only(see_tokens)),
        model.blocks[0].register_forward_pre_hook(scope.only(see_pass, tracker.pass_by), with_kwargs=True),
    ]


def _watch_bridge(model: Model, tracker: PassTracker, scope: Scope) -> list[Any]:
    def see_pass(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        tokens = args[0] if args else kwargs.get("input_ids")
        if tokens is None:
            tracker.begin(None, False)
            return
        cache = kwargs.get("past_key_values")
        filled = cache is not None and int(cache.get_seq_length()) > 0
        length = tokens.shape[1]
        tracker.begin(_real(model, kwargs.get("attention_mask"), tokens, length), filled, length, tokens)

    watching = scope.only(see_pass, tracker.pass_by)
    return [model.original_model.register_forward_pre_hook(watching, with_kwargs=True)]
