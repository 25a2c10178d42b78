"""The inspector's page: data as JSON that cannot end its own element, one script, one style, nothing loaded.

Everything that comes from outside (sentences, tokens, names) reaches the browser inside that JSON, and the script puts
it on the page as text nodes; a content security policy forbids every request.
"""

import base64
import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tl_experts.pages.inspector.weight_view import Scored, WeightView

if TYPE_CHECKING:
    from tl_experts.pages.inspector.inspection import Inspection

SHOWN = 4
"""Sentences with the largest and with the smallest responses of each language."""

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


def page(inspection: "Inspection") -> str:
    """The whole page."""
    return _fill(
        {
            "policy": POLICY,
            "style": _part("page.css"),
            "data": safe_json(document(inspection)),
            "script": _part("page.js"),
        }
    )


def document(inspection: "Inspection") -> dict[str, Any]:
    """The script's input; long lists of numbers are base64 of little-endian integers, scaled per neuron."""
    strings = _Strings()
    corpus = inspection.corpus
    languages = list(corpus.languages)
    experts = inspection.experts
    column_of = {neuron: column for column, neuron in enumerate(inspection.neurons)}
    columns = range(len(column_of))
    return {
        "title": inspection.title,
        "site": experts.site,
        "pooling": experts.pooling,
        "selection": experts.selection,
        "corpus": corpus.name,
        "languages": languages,
        "colours": [_colour(language) for language in languages],
        "sentences": [
            [languages.index(label), [strings.number(piece) for piece in pieces]]
            for label, pieces in zip(corpus.labels, inspection.activations.drawn_pieces, strict=True)
        ],
        "neurons": [list(neuron) for neuron in inspection.neurons],
        "experts": {
            language: [
                column_of[neuron]
                for neuron in zip(experts[language].layer.tolist(), experts[language].neuron.tolist(), strict=True)
            ]
            for language in experts.languages
        },
        "auroc": _rounded(inspection.auroc),
        "ap": _rounded(inspection.ap),
        "mean": _rounded(inspection.mean),
        "responses": [_scaled(inspection.responses[:, column], np.uint16) for column in columns],
        "shown": [_shown(inspection, column, languages) for column in columns],
        "neighbours": [[[other, round(r, 3)] for other, r in inspection.neighbours(column)] for column in columns],
        "weights": [_weights(view, strings) for view in inspection.weights],
        # Last: everything above has added its texts by now.
        "strings": strings.texts,
    }


def safe_json(value: Any) -> str:
    """JSON that is safe inside a script element: ASCII, without the characters that begin markup."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class _Strings:
    """Texts that occur often, each stored once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return self._numbers[text]


def _shown(inspection: "Inspection", column: int, languages: list[str]) -> dict[str, Any]:
    """The sentences at both ends of each language, and the activation at each of their pieces."""
    ends = [inspection.sentences(column, language, count=SHOWN) for language in languages]
    sentences = [sentence for top, bottom in ends for sentence in (*top, *bottom)]
    values = np.concatenate([inspection.activations.drawn(sentence)[:, column] for sentence in sentences])
    return {
        "top": [top for top, _ in ends],
        "bottom": [bottom for _, bottom in ends],
        "pieces": _scaled(values, np.uint8),
    }


def _weights(view: WeightView, strings: _Strings) -> dict[str, Any]:
    def listed(scored: Scored) -> list[list[float]]:
        return [[strings.number(text), float(f"{value:.4g}")] for text, value in scored]

    return {
        "promoted": listed(view.promoted),
        "suppressed": listed(view.suppressed),
        "read": listed(view.read),
        "readers": [[layer, neuron, round(cosine, 3)] for layer, neuron, cosine in view.readers],
    }


def _scaled(values: NDArray[np.float32], kind: Any) -> list[Any]:
    """Smallest, largest, and all values as integers between them, in base64."""
    low, high = float(values.min()), float(values.max())
    top = np.iinfo(kind).max
    share = (values.astype(np.float64) - low) / (high - low) if high > low else np.zeros(len(values))
    whole = np.rint(share * top).astype(np.dtype(kind).newbyteorder("<"))
    return [float(f"{low:.6g}"), float(f"{high:.6g}"), base64.b64encode(whole.tobytes()).decode("ascii")]


def _rounded(table: NDArray[np.float32]) -> list[list[float]]:
    return [[float(f"{value:.5g}") for value in row] for row in table.tolist()]


def _colour(language: str) -> str:
    from tl_experts.plots.style import colour_of

    return colour_of(language)


@cache
def _part(name: str) -> str:
    return (resources.files("tl_experts.pages.inspector") / name).read_text("utf-8")


def _fill(parts: dict[str, str]) -> str:
    """The template with its parts filled in, each once and in one pass: the parts themselves are not searched."""
    pieces = _part("page.html").split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, rest = piece.split("}}", 1)
        filled += [parts[name], rest]
    return "".join(filled)
