"""What the page's script is given about one neuron: plain values, with long lists of numbers packed.

The saved page holds a record of every inspected expert; the live inspector answers with one of any neuron.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
from numpy.typing import NDArray

from tl_experts.pages.inspector.distribution import Distribution, distribution, interval_examples
from tl_experts.pages.inspector.gather import Neuron, TokenActivations
from tl_experts.pages.inspector.weight_view import Scored, WeightView

SHOWN = 4
"""Sentences with the largest and with the smallest responses of each language."""

Row = dict[str, Any]


def neuron_record(neuron: Neuron, measures: Mapping[str, Sequence[float]], responses: NDArray[np.float32]) -> Row:
    """What is known from the responses: the measures by language, and the responses themselves."""
    return {
        "neuron": list(neuron),
        "measures": {name: [rounded(value) for value in row] for name, row in measures.items()},
        "responses": packed(responses, np.uint16),
    }


def weight_record(view: WeightView, number: Callable[[str], Any] = str) -> Row:
    """What its weights say.

    Args:
        view: of the neuron.
        number: what stands for a token's text: by default the text itself.
    """

    def listed(scored: Scored) -> list[list[Any]]:
        return [[number(text), rounded(value, 4)] for text, value in scored]

    return {
        "promoted": listed(view.promoted),
        "suppressed": listed(view.suppressed),
        "read": listed(view.read),
        "readers": [[layer, neuron, round(cosine, 3)] for layer, neuron, cosine in view.readers],
    }


def token_record(
    activations: TokenActivations,
    column: int,
    language: str,
    ends: Sequence[tuple[Sequence[int], Sequence[int]]],
    *,
    names: Sequence[int] | None = None,
) -> Row:
    """What its activations at tokens show: the distribution, and shaded sentences.

    Args:
        activations: of some neurons, at every token of some sentences.
        column: the neuron's.
        language: whose tokens are shown apart in the histogram.
        ends: for each language, the sentences with the largest and with the smallest responses.
        names: the index in the page's corpus of every sentence; None: the same.
    """
    values, sentence_of = _tokens(activations, column)
    own = (np.array(activations.corpus.labels) == language)[sentence_of]
    found = distribution(values, own)
    intervals = [
        [activations.piece_of(int(sentence_of[token]), token - _first(sentence_of, token)) for token in tokens]
        for tokens in interval_examples(values, sentence_of, found.quantiles)
    ]
    shown = [sentence for top, bottom in ends for sentence in (*top, *bottom)]
    shown += [sentence for tokens in intervals for sentence, _ in tokens]
    pieces = np.concatenate([activations.drawn(sentence)[:, column] for sentence in shown])
    name = (lambda sentence: sentence) if names is None else (lambda sentence: names[sentence])
    return {
        "distribution": _distribution_record(found, language, len(values), len(np.unique(sentence_of))),
        "shown": {
            "top": [[name(sentence) for sentence in top] for top, _ in ends],
            "bottom": [[name(sentence) for sentence in bottom] for _, bottom in ends],
            "intervals": [[[name(sentence), piece] for sentence, piece in tokens] for tokens in intervals],
            "pieces": packed(pieces, np.uint8),
        },
    }


def _tokens(
    activations: TokenActivations, column: int
) -> tuple[Float[np.ndarray, " token"], Int64[np.ndarray, " token"]]:
    """The activations at all tokens, and the sentence of each token."""
    starts = activations.starts
    return activations.values[:, column], np.repeat(np.arange(len(starts) - 1), np.diff(starts))


def _first(sentence_of: NDArray[np.int64], token: int) -> int:
    """The index of the first token of a token's sentence."""
    return int(np.searchsorted(sentence_of, sentence_of[token]))


def _distribution_record(found: Distribution, language: str, tokens: int, sentences: int) -> Row:
    return {
        "language": language,
        "tokens": tokens,
        "sentences": sentences,
        "low": rounded(found.low, 6),
        "high": rounded(found.high, 6),
        "counts": found.counts.tolist(),
        "own": found.own.tolist(),
        "quantiles": [rounded(float(value)) for value in found.quantiles],
    }


def packed(values: NDArray[np.float32], kind: Any) -> list[Any]:
    """Smallest, largest, and all values as integers between them, in base64."""
    low, high = float(values.min()), float(values.max())
    top = np.iinfo(kind).max
    share = (values.astype(np.float64) - low) / (high - low) if high > low else np.zeros(len(values))
    whole = np.rint(share * top).astype(np.dtype(kind).newbyteorder("<"))
    return [float(f"{low:.6g}"), float(f"{high:.6g}"), base64.b64encode(whole.tobytes()).decode("ascii")]


def rounded(value: float, digits: int = 5) -> float:
    """A number with a few significant digits, which are all that the page shows."""
    return float(f"{value:.{digits}g}")
