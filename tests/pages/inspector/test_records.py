"""Packed numbers are read back to the resolution of the page; examples name sentence and piece."""

import base64

import numpy as np
import pytest

from tl_experts.pages.inspector.gather import gather
from tl_experts.pages.inspector.records import packed, rounded, token_record


def unpack(low, high, text, kind):
    whole = np.frombuffer(base64.b64decode(text), np.dtype(kind).newbyteorder("<"))
    return low + (high - low) * whole.astype(float) / np.iinfo(kind).max


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_packed_numbers_are_within_half_a_step(kind):
    values = np.random.default_rng(1).normal(size=99).astype(np.float32)
    step = (values.max() - values.min()) / np.iinfo(kind).max
    np.testing.assert_allclose(unpack(*packed(values, kind), kind), values, atol=0.51 * step + 1e-5)
    np.testing.assert_array_equal(unpack(*packed(np.full(3, 2.5, np.float32), kind), kind), 2.5)


def test_numbers_keep_the_digits_that_are_shown():
    assert (rounded(1234.5678), rounded(0.00012345678, 3)) == (1234.6, 0.000123)


@pytest.fixture(scope="module")
def activations(llama, corpus):
    return gather(llama, corpus, [(0, 3)], "mlp.hook_post", progress=False)


def test_an_outlined_piece_holds_a_token_of_its_interval(activations):
    record = token_record(activations, 0, "ja", [([0], [1])])
    edges = [-np.inf, *record["distribution"]["quantiles"], np.inf]
    for tokens, low in zip(record["shown"]["intervals"], edges[:-1], strict=True):
        for sentence, piece in tokens:
            # A piece is drawn with the largest of its tokens, one of which is in the interval.
            assert activations.drawn(sentence)[piece, 0] >= low - 1e-4
    highest, piece = record["shown"]["intervals"][-1][0]
    assert activations.drawn(highest)[piece, 0] == activations.values.max()


def test_sentences_have_their_names_in_the_corpus(activations, corpus):
    names = [100 + row for row in range(len(corpus))]
    record = token_record(activations, 0, "en", [([2], [3])], names=names)
    found = record["distribution"]
    assert found["sentences"] == len(corpus)
    assert sum(found["counts"]) == found["tokens"] == len(activations.values)
    assert sum(found["own"]) == sum(
        len(activations.of(row)) for row in range(len(corpus)) if corpus.labels[row] == "en"
    )
    assert record["shown"]["top"] == [[102]]
    assert {sentence for tokens in record["shown"]["intervals"] for sentence, _ in tokens} <= set(names)
