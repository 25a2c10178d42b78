"""The inspector's page: data as JSON that cannot end its own element, one script, one style, nothing loaded.

Everything that comes from outside (sentences, tokens, names) reaches the browser inside that JSON, and the script puts
it on the page as text nodes; a content security policy forbids every request. The live page is the same page with the
address of its own server allowed.
"""

import json
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from tl_experts.errors import ArtefactError

if TYPE_CHECKING:
    from tl_experts.pages.inspector.inspection import Inspection

FORMAT = 2
"""Of the data in the page; a page of another format is written again."""

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
LIVE_POLICY = f"{POLICY}; connect-src 'self'"

SCRIPTS = ("base.js", "charts.js", "neuron.js", "ask.js", "steer.js", "app.js")
"""Parts of the script, in the order in which they are joined."""

_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def page(inspection: "Inspection", *, report: bool = False) -> str:
    """The whole page.

    Args:
        inspection: what it shows.
        report: link to ``report.html`` in the folder that it will lie in.
    """
    return _page(safe_json({**document(inspection), "report": report}), POLICY)


def live_page(saved: str, settings: dict[str, Any]) -> str:
    """A saved page as the server shows it.

    Args:
        saved: what `page` returned.
        settings: what the live parts of the script need to know before the model is loaded.

    Raises:
        ArtefactError: it is not such a page, or one of another version.
    """
    data = saved_data(saved)
    if data is None:
        raise ArtefactError("this is not an inspector page of this version; write it again: tl-experts inspect --save")
    return _page(safe_json({**data, "live": settings}), LIVE_POLICY)


def saved_data(saved: str) -> dict[str, Any] | None:
    """The data in a saved page; None if it is not a page of this version."""
    found = _DATA.search(saved)
    try:
        data = json.loads(found[1]) if found else None
    except json.JSONDecodeError:
        return None
    return data if isinstance(data, dict) and data.get("format") == FORMAT else None


def document(inspection: "Inspection") -> dict[str, Any]:
    """The script's input; long lists of numbers are base64 of little-endian integers, scaled per neuron."""
    # Here, so that the server can show a page before it needs NumPy.
    from tl_experts.pages.inspector.records import SHOWN, neuron_record, token_record, weight_record

    strings = _Strings()
    corpus, experts = inspection.corpus, inspection.experts
    languages = list(corpus.languages)
    column_of = {neuron: column for column, neuron in enumerate(inspection.neurons)}

    def record(column: int) -> dict[str, Any]:
        ends = [inspection.sentences(column, language, count=SHOWN) for language in languages]
        measures = {name: table[column].tolist() for name, table in inspection.measures.items()}
        return {
            **neuron_record(inspection.neurons[column], measures, inspection.responses[:, column]),
            **token_record(inspection.activations, column, inspection.home(column), ends),
            "weights": weight_record(inspection.weights[column], strings.number),
            "neighbours": [[*inspection.neurons[other], round(r, 3)] for other, r in inspection.neighbours(column)],
        }

    return {
        "format": FORMAT,
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
        "experts": {
            language: [
                column_of[neuron]
                for neuron in zip(experts[language].layer.tolist(), experts[language].neuron.tolist(), strict=True)
            ]
            for language in experts.languages
        },
        "records": [record(column) for column in range(len(column_of))],
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


def _colour(language: str) -> str:
    from tl_experts.plots.style import colour_of

    return colour_of(language)


def _page(data: str, policy: str) -> str:
    script = "\n".join(_part(name) for name in SCRIPTS)
    return _fill(
        {
            "policy": policy,
            "style": _part("page.css"),
            "data": data,
            # One function, so that nothing of it is a global name.
            "script": f'"use strict";\n(() => {{\n{script}}})();\n',
        }
    )


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
