"""How a model's text becomes tokens: BOS where the model expects it, no EOS."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tl_experts.errors import ModelError
from tl_experts.models.batches import (
    DEFAULT_BATCHING,
    Batch,
    Batching,
    TokenPolicy,
    first_indices,
    make_batches,
    plain_tokens,
)
from tl_experts.models.hooks import Model, require_model


def token_policy(model: Model, *, prepend_bos: bool | None = None) -> TokenPolicy:
    """The token policy of a model.

    Args:
        model: either class.
        prepend_bos: None follows the model's own default (``cfg.default_prepend_bos``) where its tokenizer has a
            BOS token.

    Raises:
        ModelError: the model has no tokenizer, or BOS is asked for and there is none.
    """
    require_model(model)
    tokenizer = model.tokenizer
    if tokenizer is None:
        raise ModelError(f"{model.cfg.model_name} has no tokenizer; call model.set_tokenizer(...) first")
    size = int(model.cfg.d_vocab)
    bos = tokenizer.bos_token_id
    if bos is not None and bos >= size:
        # A token that was added to the tokenizer (by TransformerLens, for one) and has no row in the embedding.
        if prepend_bos:
            raise ModelError(
                f"{model.cfg.model_name}: prepend_bos=True, but BOS has the id {bos}, beyond the {size} tokens of the "
                "embedding; resize the model's embedding, or leave it out"
            )
        bos = None
    if prepend_bos and bos is None:
        raise ModelError(f"{model.cfg.model_name}: prepend_bos=True, but its tokenizer has no BOS token; leave it out")
    wanted = bool(model.cfg.default_prepend_bos) if prepend_bos is None else prepend_bos
    fillers = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    return TokenPolicy(
        tokenizer=tokenizer,
        bos=bos if wanted else None,
        pad=next(token for token in fillers if token is not None and token < size),
        context=int(model.cfg.n_ctx),
    )


def text_batches(
    model: Model,
    texts: Sequence[str],
    batching: Batching = DEFAULT_BATCHING,
    *,
    once: bool = False,
    part: int | None = None,
) -> list[Batch]:
    """Texts as batches for a model: `token_policy`, `TokenPolicy.encode` and `make_batches` in a row.

    Args:
        model: either class.
        texts: one sentence each.
        batching: how they are batched.
        once: batch repeated sentences once, at their first index (`tl_experts.models.batches.fill_repeats` copies the
            results to the repetitions).
        part: see `make_batches`.

    Raises:
        ModelError: a sentence without a token or longer than the context, or a model without a tokenizer.
    """
    policy = token_policy(model, prepend_bos=batching.prepend_bos)
    encoded = policy.encode(texts, truncate=batching.truncate)
    only = np.unique(first_indices(texts)).tolist() if once else None
    return make_batches(encoded, policy, batching, only=only, part=part)


def text_pieces(model: Model, text: str, count: int) -> list[str]:
    """The text of each of the first tokens; joined, the text they cover.

    Where several byte tokens share a character, the last of them has it and the others are empty. A tokenizer that does
    not report the offsets of its tokens gives the text that they decode to.

    Args:
        model: the model whose tokenizer is used.
        text: without special tokens.
        count: the number of tokens of it that were kept.
    """
    if not model.tokenizer.is_fast:
        return _decoded_pieces(model.tokenizer, text, count)
    spans = plain_tokens(model.tokenizer, text, return_offsets_mapping=True)["offset_mapping"][:count]
    pieces, end = [], 0
    for index, (_, stop) in enumerate(spans):
        following = spans[index + 1] if index + 1 < len(spans) else None
        shared = following is not None and following[0] < stop
        upto = end if shared else max(end, stop)
        pieces.append(text[end:upto])
        end = upto
    return pieces


def _decoded_pieces(tokenizer: Any, text: str, count: int) -> list[str]:
    """Tokens decoded together until they are whole characters.

    Part of a character decodes to the replacement character, or to nothing (ByT5).
    """
    ids = plain_tokens(tokenizer, text)["input_ids"][:count]
    pieces, begin = [], 0
    for index in range(len(ids)):
        piece = tokenizer.decode(ids[begin : index + 1])
        whole = (bool(piece) and not piece.endswith("\ufffd")) or index + 1 == len(ids)
        pieces.append(piece if whole else "")
        begin = index + 1 if whole else begin
    return pieces
