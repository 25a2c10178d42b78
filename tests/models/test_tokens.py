"""A text's tokens: their pieces, BOS, and the policy they are read by."""

from types import SimpleNamespace

import pytest
import torch
from transformers import ByT5Tokenizer

from tests.copies import own_copy
from tl_experts import Batching, embed
from tl_experts.errors import ModelError
from tl_experts.models import text_batches, text_pieces, token_policy
from tl_experts.models.batches import plain_tokens


def test_the_pieces_of_a_sentence_are_the_sentence(llama, corpus):
    for text in corpus.texts:
        count = len(llama.tokenizer(text, add_special_tokens=False)["input_ids"])
        assert "".join(text_pieces(llama, text, count)) == text


class SlowTokenizer:
    """A tokenizer of single bytes that reports no offsets."""

    is_fast = False
    all_special_ids = ()
    unk_token_id = None

    def __call__(self, text, add_special_tokens, split_special_tokens):
        return {"input_ids": list(text.encode())}

    def convert_ids_to_tokens(self, ids):
        return []

    def decode(self, ids):
        return bytes(ids).decode(errors="replace")


@pytest.mark.parametrize("text", ["abc", "aé猫b", "🙂", "a\ufffdb"])
def test_without_offsets_a_shared_character_is_the_last_tokens_too(text):
    model = SimpleNamespace(tokenizer=SlowTokenizer())
    pieces = text_pieces(model, text, len(text.encode()))
    assert len(pieces) == len(text.encode())
    assert "".join(pieces) == text
    if "\ufffd" not in text:
        assert [piece for piece in pieces if piece] == list(text)


@pytest.mark.parametrize("text", ["Die Katze </s> schläft.", "a<pad>猫b", "x <extra_id_0> y", "<unk>"])
def test_a_tokenizer_in_python_reads_special_tokens_as_text(text):
    """ByT5's, the byte tokenizer: transformers 5 has GPT-2's, BERT's and Llama's as fast ones only."""
    tokenizer = ByT5Tokenizer()
    assert not tokenizer.is_fast
    ids = plain_tokens(tokenizer, text)["input_ids"]
    assert ids == [byte + 3 for byte in text.encode()]
    pieces = text_pieces(SimpleNamespace(tokenizer=tokenizer), text, len(ids))
    assert len(pieces) == len(ids)
    assert [piece for piece in pieces if piece] == list(text)


def test_a_character_cut_by_the_context_still_has_a_piece():
    model = SimpleNamespace(tokenizer=SlowTokenizer())
    assert text_pieces(model, "a猫", 3) == ["a", "", "\ufffd"]


@pytest.mark.parametrize("spelt", ["<bos>", "<eos>", "<pad>"])
def test_a_special_token_in_a_text_is_text(llama, spelt):
    text = f"The cat {spelt} sleeps."
    special = llama.tokenizer.convert_tokens_to_ids(spelt)
    [ids] = token_policy(llama).encode([text])
    assert special not in ids
    assert llama.tokenizer.decode(ids) == text
    assert "".join(text_pieces(llama, text, len(ids))) == text
    [batch] = text_batches(llama, [text])
    assert int(batch.pooled.sum()) == len(ids)


def test_a_tokenizer_that_cannot_spell_a_special_token_is_told(llama):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<bos>": 0, "a": 1, "<unk>": 2}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<bos>", unk_token="<unk>")
    assert plain_tokens(tokenizer, ["a b"])["input_ids"] == [[1, 2]]
    with pytest.raises(ModelError, match=r"'a <bos>' spells the special token '<bos>'.*remove it"):
        plain_tokens(tokenizer, ["a", "a <bos>"])


def test_special_tokens_beyond_the_vocabulary_are_never_used(model_of, corpus):
    model = own_copy(model_of("llama"))
    expected = embed(model, corpus, progress=False, batching=Batching(prepend_bos=False)).vectors
    model.tokenizer.add_special_tokens({"pad_token": "<new pad>", "bos_token": "<new bos>"})
    assert model.tokenizer.pad_token_id >= model.cfg.d_vocab
    policy = token_policy(model)
    assert policy.bos is None
    assert policy.pad < model.cfg.d_vocab
    assert torch.equal(embed(model, corpus, progress=False).vectors, expected)
    with pytest.raises(ModelError, match="beyond the 381 tokens of the embedding"):
        token_policy(model, prepend_bos=True)
