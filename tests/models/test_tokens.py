"""A text's tokens: their pieces, BOS, and the policy they are read by."""

from tl_experts.models import text_pieces


def test_the_pieces_of_a_sentence_are_the_sentence(llama, corpus):
    for text in corpus.texts:
        count = len(llama.tokenizer(text, add_special_tokens=False)["input_ids"])
        assert "".join(text_pieces(llama, text, count)) == text
