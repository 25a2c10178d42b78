"""Repetition against texts worked by hand."""

import math
import zlib

import pytest

from tl_experts.steering.writing.repetition import compression_ratio, distinct_bigrams

NATURAL = "The old man at the station had been waiting for the last train since noon, and nobody told him it was late."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b a b a", 0.5),  # ab ba ab ba
        ("A b a B", 2 / 3),  # ab ba ab: case does not count
        ("? ? ? ?", 1 / 3),
        ("猫猫猫", 0.5),
        ("one two three", 1.0),
    ],
)
def test_bigrams_by_hand(text, expected):
    assert distinct_bigrams(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "word"])
def test_too_short_for_a_bigram(text):
    assert math.isnan(distinct_bigrams(text))


def test_repetition_lowers_both():
    repeated = "es es es " * 12
    assert distinct_bigrams(repeated) < 0.1 < 0.9 < distinct_bigrams(NATURAL)
    assert compression_ratio(repeated) < 0.2 < 0.6 < compression_ratio(NATURAL)


def test_compression_is_that_of_zlib_without_its_frame():
    data = NATURAL.encode()
    assert compression_ratio(NATURAL) == pytest.approx((len(zlib.compress(data, 9)) - 6) / len(data))
    assert math.isnan(compression_ratio(""))
