"""Repetition: of one text, from the text alone."""

import zlib
from itertools import pairwise

from tl_experts.steering.writing.words import units


def distinct_bigrams(text: str) -> float:
    """The share of a text's bigrams that are different; NaN with fewer than two units.

    Units are words, characters of scripts without spaces, and signs. Source: distinct-2, Li et al. 2016
    (arXiv 1510.03055), within one text.

    Examples:
        >>> distinct_bigrams("one two one two one")
        0.5
    """
    found = units(text.lower())
    pairs = list(pairwise(found))
    return len(set(pairs)) / len(pairs) if pairs else float("nan")


def compression_ratio(text: str) -> float:
    """Bytes of the compressed text (DEFLATE) over bytes of the text in UTF-8: low if it repeats itself; NaN if empty.

    Compare texts of similar length in one language only: long texts compress better, and so do scripts of three bytes.

    Examples:
        >>> compression_ratio("es " * 50) < 0.1
        True
    """
    plain = text.encode()
    if not plain:
        return float("nan")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)  # without header and checksum
    return len(packer.compress(plain) + packer.flush()) / len(plain)
