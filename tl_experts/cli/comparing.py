"""`tl-experts compare`: every method on equal terms."""

from pathlib import Path
from typing import Annotated

import typer

from tl_experts.cli.options import Address, Device, Executor, Gpus, Json, ModelOption, Quiet, Workers, ray_workers
from tl_experts.cli.output import Output


def compare(
    config: Annotated[str, typer.Argument(help="Name of a shipped comparison, or a TOML file.")] = "polyglot-mini",
    model: ModelOption = None,
    device: Device = None,
    executor: Executor = None,
    address: Address = None,
    workers: Workers = None,
    gpus: Gpus = 0,
    output: Annotated[Path | None, typer.Option(help="Where to save; default: tl-experts-runs/compare-NAME.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare all ways to choose neurons and to hold them with what needs none, or resume a comparison."""
    from dataclasses import replace

    from tl_experts.pages.comparison import write_comparison
    from tl_experts.study.comparison import compare as run
    from tl_experts.study.comparison.conclusion import conclusion
    from tl_experts.study.comparison.config import load_comparison

    out = Output(as_json=as_json)
    asked = load_comparison(config)
    if model is not None:
        asked = replace(asked, model=model)

    def announce(stage: str) -> None:
        out.say(f"stage: {stage}")

    result = run(
        asked,
        output,
        device=device,
        workers=ray_workers(executor, address, workers, gpus),
        progress=not quiet,
        started=announce,
    )
    path = write_comparison(result)
    paragraphs = conclusion(result)
    out.finish({"conclusion": paragraphs, "folder": result.folder, "tables": list(result), "report": path})
    for paragraph in paragraphs:
        out.console.print(f"\n{paragraph}", highlight=False, markup=False)
    out.say(f"\nPage: {path}")
