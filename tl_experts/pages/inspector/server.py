"""The inspector served live with Dash, by default to this machine only.

The page of the experts is a string in memory at one address; no address leads to a file. Requests that name another
host are rejected, so that no page elsewhere can reach the server through a name that points here (DNS rebinding).
"""

import logging
import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tl_experts.errors import TLExpertsError
from tl_experts.pages.inspector.saved import parse_neuron

if TYPE_CHECKING:
    from tl_experts.pages.inspector.live import Comparison, Live
    from tl_experts.pages.inspector.weight_view import Scored

HOST = "127.0.0.1"
PORT = 8050

WAIT = 600
"""Seconds that a request waits for the model to be loaded."""

_SHADE = "rgba(0, 114, 178, {:.2f})"


class Loading:
    """The live model, loaded in the background."""

    def __init__(self, make: "Callable[[], Live]") -> None:
        self._made: "Live | None" = None
        self._error: Exception | None = None
        self._done = threading.Event()
        threading.Thread(target=self._run, args=(make,), daemon=True).start()

    def _run(self, make: "Callable[[], Live]") -> None:
        try:
            self._made = make()
        except Exception as error:  # any error is raised in the request that waits
            self._error = error
        self._done.set()

    def get(self) -> "Live":
        """The live model.

        Raises:
            TLExpertsError: it could not be loaded, or not in time.
        """
        if not self._done.wait(WAIT):
            raise TLExpertsError(f"the model is not loaded after {WAIT} s")
        if self._error is not None or self._made is None:
            raise TLExpertsError(f"the model could not be loaded: {self._error}") from self._error
        return self._made


def make_app(page: str, live: Loading, counts: dict[str, int], *, host: str = HOST) -> Any:
    """The Dash app.

    Args:
        page: the experts' page, from `Inspection.to_html`.
        live: the model, which may still be loading.
        counts: number of experts of each language.
        host: the host that serves it; requests must name it.

    Raises:
        TLExpertsError: Dash is not installed.
    """
    try:
        import dash
        from dash import dcc, html
    except ImportError as error:
        raise TLExpertsError("the live inspector needs Dash: pip install 'tl-experts[inspect]'") from error
    app = dash.Dash(
        "tl_experts_inspector",
        title="Expert inspector",
        update_title="",
        # Everything is in the package; nothing is read from disk or from the network.
        assets_folder="__none__",
        serve_locally=True,
    )
    app.server.add_url_rule("/experts", "experts", lambda: (page, 200, {"Content-Type": "text/html; charset=utf-8"}))
    _refuse_other_hosts(app.server, host)
    app.layout = html.Div(
        [
            # Not dcc.Tabs, which the keyboard cannot reach.
            dcc.RadioItems(list(_VIEWS), _VIEWS[0], id="view", inline=True, style=_BAR),
            html.Div(html.Iframe(src="/experts", title="Experts", style=_FRAME), id="view-0"),
            html.Div(_neuron_view_parts(dcc, html), id="view-1", style=_HIDDEN),
            html.Div(_steer_view_parts(dcc, html, list(counts), min(counts.values())), id="view-2", style=_HIDDEN),
        ],
        style={"fontFamily": "system-ui, sans-serif"},
    )
    _connect(app, live)
    return app


_VIEWS = ("Experts", "Any neuron", "Steer")
_HIDDEN = {"display": "none"}
_BAR = {"padding": "0.5rem 1rem", "display": "flex", "gap": "1.5rem"}
_FRAME = {"width": "100%", "height": "calc(100vh - 3.5rem)", "border": "0"}
_BOX = {"padding": "1rem", "maxWidth": "70rem"}


def _neuron_view_parts(dcc: Any, html: Any) -> Any:
    return html.Div(
        [
            html.Label(["Neuron ", dcc.Input(id="neuron", value="L0 N0", debounce=True, type="text")]),
            dcc.Loading(html.Div(id="neuron-view")),
            dcc.Loading(html.Div(id="neuron-tokens")),
        ],
        style=_BOX,
    )


def _steer_view_parts(dcc: Any, html: Any, languages: list[str], most: int) -> Any:
    k = min(100, most)
    return html.Div(
        [
            html.Label(["Prompt ", dcc.Input(id="prompt", value="To open a file,", type="text", size="60")]),
            html.H4("The k best experts of a language at their mean"),
            dcc.Dropdown(
                languages,
                languages[min(1, len(languages) - 1)],
                id="language",
                clearable=False,
                style={"width": "10rem"},
            ),
            dcc.Slider(1, most, value=k, step=1, marks={1: "1", most: str(most)}, id="k"),
            html.Button("Continue the prompt", id="steer"),
            html.H4("or one neuron at a value"),
            html.Label(["Neuron ", dcc.Input(id="one", value="L0 N0", debounce=True, type="text")]),
            dcc.Slider(0, 1, value=0, id="value", marks=None),
            html.Button("Continue the prompt", id="set"),
            dcc.Loading(html.Div(id="comparison")),
        ],
        style=_BOX,
    )


def _connect(app: Any, live: Loading) -> None:
    """Connect inputs and outputs. Text from outside becomes children of Dash components: React renders it as text."""
    from dash import Input, Output, State, callback_context

    def view(text: str) -> Any:
        return _neuron_view(live.get(), *parse_neuron(text or ""))

    def tokens(_view: Any, text: str) -> Any:
        return _neuron_tokens(live.get(), *parse_neuron(text or ""))

    def reach(text: str) -> tuple[float, float, float, float]:
        try:
            seen = live.get().view(*parse_neuron(text or ""))
        except TLExpertsError:
            return 0, 1, 0, 0.01
        # Half the range more on either side: an intervention may go beyond the responses to text.
        more = (seen.high - seen.low) / 2
        step = 10.0 ** round(math.log10(max(more, 1e-9)) - 2)
        low, high, now = (round(value / step) * step for value in (seen.low - more, seen.high + more, seen.high))
        return round(low, 9), round(high, 9), round(now, 9), step

    def compare(_steer: Any, _set: Any, prompt: str, language: str, k: int, one: str, value: float) -> Any:
        there = live.get()
        if callback_context.triggered_id == "steer":
            return _comparison(there.compare_experts(prompt or "", language, int(k)))
        return _comparison(there.compare_neuron(prompt or "", *parse_neuron(one or ""), float(value)))

    def show(chosen: str) -> list[dict[str, str]]:
        return [{} if name == chosen else _HIDDEN for name in _VIEWS]

    app.callback([Output(f"view-{index}", "style") for index in range(len(_VIEWS))], Input("view", "value"))(show)
    app.callback(Output("neuron-view", "children"), Input("neuron", "value"))(_with_errors(view))
    # After the view, which needs no pass of the model and should not wait for one.
    app.callback(Output("neuron-tokens", "children"), Input("neuron-view", "children"), State("neuron", "value"))(
        _with_errors(tokens)
    )
    app.callback(*(Output("value", name) for name in ("min", "max", "value", "step")), Input("one", "value"))(reach)
    states = [State(name, "value") for name in ("prompt", "language", "k", "one", "value")]
    clicks = [Input(name, "n_clicks") for name in ("steer", "set")]
    app.callback(Output("comparison", "children"), *clicks, *states, prevent_initial_call=True)(_with_errors(compare))


def _with_errors(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Show our own errors as a sentence on the page."""
    from functools import wraps

    @wraps(answer)
    def answer_or_error(*args: Any) -> Any:
        from dash import html

        try:
            return answer(*args)
        except TLExpertsError as error:
            return html.P(str(error), style={"color": "#a03000"})

    return answer_or_error


def _neuron_view(live: "Live", layer: int, neuron: int) -> Any:
    from dash import dcc, html

    from tl_experts.plots import response_distributions

    view = live.view(layer, neuron)
    order = sorted(view.auroc, key=lambda language: -view.auroc[language])
    rows = [html.Tr([html.Th("language"), html.Th("AUROC"), html.Th("AP")])]
    rows += [
        html.Tr([html.Td(language), html.Td(f"{view.auroc[language]:.4f}"), html.Td(f"{view.ap[language]:.4f}")])
        for language in order
    ]
    return html.Div([html.Table(rows), dcc.Graph(figure=response_distributions(live.responses, layer, neuron))])


def _neuron_tokens(live: "Live", layer: int, neuron: int) -> Any:
    from dash import html

    lines = []
    for language, response, found, row in live.tokens(layer, neuron):
        values = found.drawn(row)[:, 0]
        top = max(float(found.values.max()), 1e-12)
        spans = [
            html.Span(piece, title=f"{value:.3f}", style={"background": _SHADE.format(max(0.0, value) / top * 0.8)})
            for piece, value in zip(found.drawn_pieces[row], values.tolist(), strict=True)
        ]
        lines.append(html.P([html.B(f"{language} {response:.2f} "), html.Bdi(spans)], dir="auto"))
    weights = live.weights(layer, neuron)
    lists = [("promotes", weights.promoted), ("suppresses", weights.suppressed), ("is excited by", weights.read)]
    columns = [html.Div([html.B(title), html.Ol(_items(scored))]) for title, scored in lists if scored]
    return html.Div([html.H4("What drives it"), *lines, html.Div(columns, style={"display": "flex", "gap": "3rem"})])


def _items(scored: "Scored") -> list[Any]:
    from dash import html

    return [html.Li([html.Bdi(repr(token)), f" {value:+.2f}"]) for token, value in scored]


def _comparison(found: "Comparison") -> Any:
    import plotly.graph_objects as go
    from dash import dcc, html

    from tl_experts.plots.style import COLOURS, finish

    figure = go.Figure()
    for index, (name, row) in enumerate((("before", found.probability_before), ("after", found.probability_after))):
        figure.add_bar(name=name, x=list(found.languages), y=list(row), marker_color=COLOURS[index])
    finish(figure, "Language of the continuation", barmode="group", yaxis={"range": [0, 1], "title": "probability"})
    return html.Div(
        [
            html.Div(
                [
                    html.Div([html.H4("before"), html.P(found.before, dir="auto")], style={"flex": 1}),
                    html.Div([html.H4("after"), html.P(found.after, dir="auto")], style={"flex": 1}),
                ],
                style={"display": "flex", "gap": "2rem"},
            ),
            dcc.Graph(figure=figure, style={"height": "300px"}),
            html.B("Logits of the next token that changed most"),
            html.Ol(_items(found.logits)),
        ]
    )


def serve(app: Any, host: str, port: int) -> None:
    """Serve until Ctrl-C, without logging every request."""
    for name in ("werkzeug", "dash.dash"):
        logging.getLogger(name).setLevel(logging.ERROR)
    app.run(host=host, port=port, debug=False)


def _refuse_other_hosts(server: Any, host: str) -> None:
    from flask import abort, request

    known = {host, "127.0.0.1", "localhost", "[::1]"}

    def check() -> None:
        name = request.host if request.host.endswith("]") else request.host.rsplit(":", 1)[0]
        # Bound to every address (0.0.0.0), it may be reached by any name.
        if host not in ("0.0.0.0", "::") and name not in known:  # noqa: S104
            abort(403)

    server.before_request(check)
