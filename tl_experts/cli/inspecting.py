"""`tl-experts inspect`: the experts of a run in the browser."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tl_experts.cli.options import Device, Json, Quiet
from tl_experts.cli.output import Output

if TYPE_CHECKING:
    from tl_experts.pages.inspector.live import Live
    from tl_experts.pages.inspector.loading import Say


def inspect(
    run: Annotated[Path, typer.Argument(help="Folder of `study`, `compare`, `find` or `demo`.")],
    k: Annotated[int | None, typer.Option(help="Experts per language on the page; default: 50.", min=1)] = None,
    save: Annotated[bool, typer.Option("--save", help="Write RUN/inspector.html without serving it.")] = False,
    host: Annotated[str, typer.Option(help="Address to serve at; the default is local only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to serve at.", min=1, max=65535)] = 8050,
    device: Device = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Open the experts of a run in the browser: what activates them, what they promote, what steering does."""
    from tl_experts.jobs.files import INSPECTOR_PAGE, REPORT_PAGE
    from tl_experts.pages.inspector.page import saved_data

    out = Output(as_json=as_json)
    page, report = run / INSPECTOR_PAGE, run / REPORT_PAGE
    if save or k is not None or not page.is_file() or saved_data(page.read_text("utf-8", "replace")) is None:
        from tl_experts.pages.inspector.runs import open_run

        opened = open_run(run)
        inspection = opened.inspection(opened.load_model(device), k=k, progress=not quiet)
        inspection.save(page, report=report.is_file())
    if save:
        out.finish({"page": page})
        out.say(f"{page}: open it in a browser; it works offline")
        return

    # The page is shown at once; the model, and with it torch, loads in the background.
    from tl_experts.pages.inspector.loading import Loading
    from tl_experts.pages.inspector.saved import expert_counts
    from tl_experts.pages.inspector.server import make_app, serve

    def make(say: "Say") -> "Live":
        say("importing PyTorch")
        from tl_experts.pages.inspector.runs import open_run

        return open_run(run).live(device, say)

    loading = Loading(make, steps=4, then=lambda live: live.prepare())
    said = report.read_text("utf-8") if report.is_file() else None
    served = make_app(page.read_text("utf-8"), loading, expert_counts(run), host=host, report=said)
    out.finish({"address": f"http://{host}:{port}"})
    out.say(f"http://{host}:{port}  (Ctrl-C to stop)")
    serve(served, host, port)
