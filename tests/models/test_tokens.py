"""A text's tokens: their pieces, BOS, and the policy they are read by."""

from types import SimpleNamespace

import pytest

from tl_experts.models import text_pieces


def test_the_pieces_of_a_sentence_are_the_sentence(llama, corpus):
    for text in corpus.texts:
        count = len(llama.tokenizer(text, add_special_tokens=False)["input_ids"])
        assert "".join(text_pieces(llama, text, count)) == text


class SlowTokenizer:
    """A tokenizer of single bytes that reports no offsets."""

    is_fast = False

    def __call__(self, text, add_special_tokens):
        return {"input_ids": list(text.encode())}

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


def test_a_character_cut_by_the_context_still_has_a_piece():
    model = SimpleNamespace(tokenizer=SlowTokenizer())
    assert text_pieces(model, "a猫", 3) == ["a", "", "\ufffd"]
