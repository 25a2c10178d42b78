"""The inspector served live, by default to this machine only.

The page, and the report beside it, are strings in memory; no address leads to a file. Requests that name another host
are rejected, so that no page elsewhere can reach the server through a name that points here (DNS rebinding), and
questions that compute are JSON, which a page elsewhere may not send.

Answers that take a while are streamed, as one JSON document a line.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from tl_experts.errors import TLExpertsError
from tl_experts.jobs.files import REPORT_PAGE
from tl_experts.pages.inspector.loading import Loading
from tl_experts.pages.inspector.page import live_page
from tl_experts.pages.inspector.saved import parse_neuron

HOST = "127.0.0.1"
PORT = 8050

_LINES = "application/x-ndjson"
_HTML = {"Content-Type": "text/html; charset=utf-8"}


def make_app(page: str, live: Loading, counts: dict[str, int], *, host: str = HOST, report: str | None = None) -> Any:
    """The Flask app.

    Args:
        page: the experts' page, from `Inspection.to_html`.
        live: the model, which may still be loading.
        counts: number of experts of each language.
        host: the host that serves it; requests must name it.
        report: the page of the study's report, which is served beside it.

    Raises:
        TLExpertsError: Flask is not installed.
        ArtefactError: the page is of another version.
    """
    try:
        from flask import Flask
    except ImportError as error:
        raise TLExpertsError("the live inspector needs Flask: pip install 'tl-experts[inspect]'") from error
    # Everything is in memory; nothing is read from disk.
    app = Flask("tl_experts_inspector", static_folder=None)
    app.json.sort_keys = False  # languages and scorings keep their order
    shown = live_page(page, {"counts": counts, "report": report is not None})
    app.add_url_rule("/", "page", lambda: (shown, 200, _HTML))
    if report is not None:
        app.add_url_rule(f"/{REPORT_PAGE}", "report", lambda: (report, 200, _HTML))
    _refuse_other_hosts(app, host)
    _answer_about_neurons(app, live)
    _answer_in_lines(app, live)
    return app


def _answer_about_neurons(app: Any, live: Loading) -> None:
    from flask import request

    def answer(name: str, ask: Callable[[], dict[str, Any]]) -> None:
        def found() -> Any:
            try:
                return ask()
            except TLExpertsError as error:
                return {"error": str(error)}, 400

        app.add_url_rule(f"/api/{name}", name, found)

    def about(name: str, *more: str) -> dict[str, Any]:
        # A name that cannot be read is an error at once, not when the model is loaded.
        layer, neuron = parse_neuron(request.args.get("name", ""))
        found: dict[str, Any] = getattr(live.get(), name)(layer, neuron, *more)
        return found

    for name in ("scorings", "slow_scorings"):
        answer(name, partial(about, name))
    answer("ends", lambda: about("ends", request.args.get("language", "")))
    answer("expected", lambda: live.get().expected(request.args.get("sentence", -1, type=int)))


def _answer_in_lines(app: Any, live: Loading) -> None:
    from flask import request

    def loading() -> Any:
        def states() -> Iterator[dict[str, Any]]:
            yield from live.progress()
            yield live.get().settings()

        return _lines(states())

    def neuron() -> Any:
        named = request.args.get("name", "")

        def found() -> Iterator[dict[str, Any]]:
            layer, neuron = parse_neuron(named)  # as in `about`
            return live.get().answer(layer, neuron)

        return _lines(_later(found))

    def effects() -> Any:
        from tl_experts.pages.inspector.asked import Held

        asked = _asked(request)
        return _lines(_later(lambda: live.get().effects(Held.read(asked))))

    def steer() -> Any:
        from tl_experts.pages.inspector.asked import Wish

        asked = _asked(request)
        return _lines(_later(lambda: live.get().continued(Wish.read(asked))))

    app.add_url_rule("/api/loading", "loading", loading)
    app.add_url_rule("/api/neuron", "neuron", neuron)
    app.add_url_rule("/api/effects", "effects", effects, methods=["POST"])
    app.add_url_rule("/api/steer", "steer", steer, methods=["POST"])


def _asked(request: Any) -> dict[str, Any]:
    """The JSON object that was sent; anything else is answered by an error of HTTP."""
    from flask import abort

    asked = request.get_json()
    if not isinstance(asked, dict):
        abort(400)
    found: dict[str, Any] = asked
    return found


def _later(begin: Callable[[], Iterable[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """What begin gives, begun with the first line: its errors are lines, too."""
    yield from begin()


def _lines(documents: Iterator[dict[str, Any]]) -> Any:
    """A streamed answer; our own errors become its last line."""
    from flask import Response

    def lines() -> Iterator[str]:
        try:
            for document in documents:
                yield json.dumps(document) + "\n"
        except TLExpertsError as error:
            yield json.dumps({"error": str(error)}) + "\n"

    return Response(lines(), mimetype=_LINES, headers={"Cache-Control": "no-store"})


def serve(app: Any, host: str, port: int) -> None:
    """Serve until Ctrl-C, without logging every request.

    Raises:
        TLExpertsError: the port is taken, or the host is not an address of this machine.
    """
    from werkzeug.serving import run_simple

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        run_simple(host, port, app, threaded=True)
    except (OSError, SystemExit) as error:
        raise TLExpertsError(f"cannot serve at {host}:{port}; choose another --port or --host") from error


def _refuse_other_hosts(app: Any, host: str) -> None:
    from flask import abort, request

    known = {host, "127.0.0.1", "localhost", "[::1]"}

    def check() -> None:
        name = request.host if request.host.endswith("]") else request.host.rsplit(":", 1)[0]
        # Bound to every address (0.0.0.0), it may be reached by any name.
        if host not in ("0.0.0.0", "::") and name not in known:  # noqa: S104
            abort(403)

    app.before_request(check)
