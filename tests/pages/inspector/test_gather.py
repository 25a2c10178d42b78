"""Activations at every token are those of a pass of the sentence alone; they are drawn on pieces that can be seen."""

import base64
import unicodedata

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tl_experts import Reading, collect_responses, find_experts
from tl_experts.errors import SiteError
from tl_experts.models import hook_name, token_policy
from tl_experts.pages.inspector import inspect
from tl_experts.pages.inspector.gather import TokenActivations, first_tokens, gather
from tl_experts.pages.inspector.page import document

NEURONS = [(1, 7), (0, 3), (1, 0)]
SITE = "mlp.hook_post"


@pytest.fixture(scope="module")
def found(llama, corpus):
    return gather(llama, corpus, NEURONS, SITE, progress=False)


def test_values_are_those_of_each_sentence_alone(llama, corpus, found):
    policy = token_policy(llama)
    lead = [] if policy.bos is None else [policy.bos]
    for sentence in (0, 2, len(corpus) - 1):
        ids = policy.encode([corpus.texts[sentence]])[0]
        with torch.inference_mode():
            _, cache = llama.run_with_cache(torch.tensor([[*lead, *ids]]))
        columns = [cache[hook_name(layer, SITE)][0, len(lead) :, neuron] for layer, neuron in NEURONS]
        np.testing.assert_allclose(found.of(sentence), torch.stack(columns, dim=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_pooled_values_are_the_collected_responses(pooling, llama, corpus, found):
    responses = collect_responses(llama, corpus, reading=Reading(pooling=pooling), progress=False)
    layers, neurons = (np.array(column) for column in zip(*NEURONS, strict=True))
    expected = responses.values[:, responses.neurons.columns_of(layers, neurons)].numpy()
    np.testing.assert_allclose(found.pooled(pooling), expected, rtol=1e-5, atol=1e-5)


def test_every_token_has_its_piece_of_the_sentence(corpus, found):
    for sentence, text in enumerate(corpus.texts):
        assert "".join(found.pieces[sentence]) == text
        assert len(found.pieces[sentence]) == len(found.of(sentence))
    assert found.starts[-1] == len(found.values)


def test_a_site_that_the_model_lacks_raises_an_error(llama, corpus):
    with pytest.raises(SiteError, match="layers 0 to 1"):
        gather(llama, corpus.head(1), [(2, 0)], SITE, progress=False)


@pytest.fixture(scope="module")
def activations(llama, corpus):
    return gather(llama, corpus, [(0, 3), (1, 7)], "mlp.hook_post", progress=False)


def test_some_characters_of_the_corpus_are_split_over_tokens(activations):
    assert sum(pieces.count("") for pieces in activations.pieces) > 20, "or the tests below show nothing"


def test_drawn_pieces_are_the_sentence_and_each_can_be_seen(activations, corpus):
    for text, pieces in zip(corpus.texts, activations.drawn_pieces, strict=True):
        assert "".join(pieces) == text
        assert all(pieces)


def test_a_piece_is_drawn_with_the_largest_activation_of_its_tokens(activations):
    for sentence, pieces in enumerate(activations.drawn_pieces):
        tokens, drawn = activations.of(sentence), activations.drawn(sentence)
        assert drawn.shape == (len(pieces), 2)
        np.testing.assert_array_equal(drawn.max(axis=0), tokens.max(axis=0))
        # By hand: a token belongs to the next piece that has text.
        expected, begin = [], 0
        for index, piece in enumerate(activations.pieces[sentence]):
            if piece:
                expected.append(tokens[begin : index + 1].max(axis=0))
                begin = index + 1
        np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize(
    ("pieces", "firsts"),
    [
        (["a", "b"], [0, 1]),
        (["", "", "猫", "b"], [0, 3]),
        (["a", "", "猫"], [0, 1]),
        (["e", "\u0301", "b"], [0, 2]),  # an accent of its own token
        (["ท", "", "\u0e35", "b"], [0, 3]),  # a vowel sign of two tokens
        (["\u0301", "b"], [0, 1]),  # nothing before it to belong to
        (["a", ""], [0]),  # cut within a character
        ([""], [0]),
    ],
)
def test_tokens_that_cannot_be_seen_belong_to_a_piece_that_can(pieces, firsts):
    assert first_tokens(pieces) == firsts


@given(st.lists(st.sampled_from(["", "a", "猫", "\u0301", "\u200d", " "]), min_size=1))
def test_no_activation_is_drawn_on_nothing(pieces):
    values = np.random.default_rng(len(pieces)).random((len(pieces), 1), dtype=np.float32)
    starts = np.array([0, len(pieces)])
    made = TokenActivations(((0, 0),), None, values, starts, (tuple(pieces),))
    (drawn,) = made.drawn_pieces
    assert "".join(drawn) == "".join(pieces)
    assert made.drawn(0).max() == values.max()
    if "".join(pieces):
        assert all(drawn)
    for piece in drawn[1:]:
        assert not all(unicodedata.category(letter) in ("Mn", "Me", "Cf") for letter in piece)


def test_the_strongest_token_of_every_sentence_on_the_page_can_be_seen(llama, corpus):
    seen = inspect(llama, find_experts(llama, corpus, k=4, progress=False), corpus, progress=False)
    page = document(seen)
    hidden = 0
    for column, record in enumerate(page["records"]):
        shown = record["shown"]
        values = np.frombuffer(base64.b64decode(shown["pieces"][2]), np.uint8)
        begin = 0
        for top, bottom in zip(shown["top"], shown["bottom"], strict=True):
            for sentence in (*top, *bottom):
                pieces = [page["strings"][piece] for piece in page["sentences"][sentence][1]]
                mine = values[begin : begin + len(pieces)]
                begin += len(pieces)
                assert pieces[int(mine.argmax())]
                strongest = int(seen.activations.of(sentence)[:, column].argmax())
                hidden += not seen.activations.pieces[sentence][strongest]
        examples = [sentence for tokens in shown["intervals"] for sentence, _ in tokens]
        assert begin + sum(len(page["sentences"][sentence][1]) for sentence in examples) == len(values)
    assert hidden > 0, "token by token, some would be drawn on nothing"


def test_heads_are_read_by_their_dimensions(llama, corpus):
    found = gather(llama, corpus, [(1, 9)], "attn.hook_z", progress=False)
    _, cache = llama.run_with_cache(llama.to_tokens(corpus.texts[0]))
    heads = cache["blocks.1.attn.hook_z"][0]
    expected = heads.reshape(len(heads), -1)[-len(found.of(0)) :, 9]
    torch.testing.assert_close(torch.from_numpy(found.of(0)[:, 0]), expected, rtol=1e-4, atol=1e-5)
