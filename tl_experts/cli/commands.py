"""The commands: arguments in, tables out. Each is a call of the package."""

import logging
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tl_experts import __version__
from tl_experts.cli import comparing, embedding, finding, generating, inspecting, writing
from tl_experts.cli.groups import grouped
from tl_experts.cli.options import (
    Address,
    Device,
    Executor,
    Gpus,
    Json,
    ModelOption,
    NDevices,
    Quiet,
    Workers,
    complete_language,
    complete_model,
    known_model,
    ray_workers,
    require_k,
)
from tl_experts.cli.output import Output, lines_without_a_terminal
from tl_experts.errors import TLExpertsError
from tl_experts.jobs.paths import RUNS

app = typer.Typer(
    help="Find, steer and study the language experts of multilingual LLMs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def main() -> None:
    """Run the command line; an error of the package prints one line on stderr and exits with code 1."""
    try:
        with lines_without_a_terminal():
            app()
    except TLExpertsError as error:
        sys.stderr.write(f"tl-experts: {error}\n")
        raise SystemExit(1) from error
    except (KeyboardInterrupt, SystemExit) as ended:
        # typer turns Ctrl-C into this exit code and prints nothing.
        if isinstance(ended, SystemExit) and ended.code != INTERRUPTED:
            raise
        sys.stderr.write("tl-experts: interrupted; no file is half-written. Run the same command again to resume.\n")
        raise SystemExit(INTERRUPTED) from None


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tl-experts {__version__}")
        raise typer.Exit


@app.callback()
def options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Find, steer and study the language experts of multilingual LLMs."""
    del version
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(name)s: %(message)s")


@app.command()
def models(as_json: Json = False, quiet: Quiet = False) -> None:
    """List the models that load without a model hub, and how to get the missing ones."""
    from tl_experts.cli.catalogue import list_models

    del quiet  # nothing takes time here
    list_models(Output(as_json=as_json))


@app.command()
def demo(
    model: Annotated[
        str,
        typer.Option(
            help="A name of `tl-experts models`, a local folder or a hub name.",
            callback=known_model,
            autocompletion=complete_model,
        ),
    ] = "polyglot-mini",
    target: Annotated[
        str, typer.Option(help="Language whose experts steer the model.", autocompletion=complete_language)
    ] = "es",
    k: Annotated[
        int | None, typer.Option(min=1, help="Experts per language; default: 500, 200 for polyglot-mini.")
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(min=2, help="Rows of each split to use; default: all, 120 for polyglot-mini."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of random controls.")] = 3,
    device: Device = None,
    n_devices: NDevices = 1,
    output: Annotated[Path | None, typer.Option(help="Where to save; default: tl-experts-runs/demo-MODEL.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run the main job on the bundled corpus: find experts, steer, retrieve translations, compare."""
    from tl_experts.corpus.readers import load_sentences

    # A mistake is told before torch is imported.
    load_sentences("bundled", split="test", limit=1)[target]
    require_k(model, k)
    out = Output(as_json=as_json)
    console = out.console
    started = time.perf_counter()
    with console.status(f"loading {model}") if not (quiet or as_json) else _nothing():
        from tl_experts.cli.demo import run_demo, save_demo
        from tl_experts.cli.demo_tables import distances_line, experts_table, retrieval_table
        from tl_experts.experts.find import DEFAULT_K
        from tl_experts.models import load_model
        from tl_experts.models.catalogue import ENTRIES

        entry = ENTRIES.get(model)
        rows = rows or (entry.demo_rows if entry else None)
        k = k or (entry.demo_k if entry else None) or DEFAULT_K
        dev = load_sentences("bundled", split="dev", limit=rows)
        test = load_sentences("bundled", split="test", limit=rows)
        loaded = load_model(model, device=device, n_devices=n_devices)
    console.print(
        f"loaded {model} ({type(loaded).__name__}) in {time.perf_counter() - started:.0f} s"
        + (f"; licence of its weights: {entry.licence}" if entry else ""),
        highlight=False,
    )
    result = run_demo(loaded, dev, test, target=target, k=k, seeds=range(seeds), progress=not quiet)
    console.print(experts_table(result, k), "")
    out.say(writing.first_impression(loaded, model, result.experts[result.target], progress=not quiet), "")
    console.print(retrieval_table(result, len(test.texts) // len(test.languages)), "")
    console.print(distances_line(result), highlight=False)
    folder = output or RUNS / f"demo-{Path(model).name}"
    settings = {"model": model, "target": result.target, "k": k, "rows": rows, "seeds": seeds, "version": __version__}
    saved = save_demo(result, folder, settings)
    out.finish({**result.tables(), **settings, "saved": saved})
    console.print(
        f"\nDone in {time.perf_counter() - started:.0f} s. Saved: {', '.join(str(path) for path in saved)}\n"
        "Try next:\n"
        f"  tl-experts demo --model {model} --target {'en' if result.target != 'en' else 'ja'} --k 100\n"
        "  python: from tl_experts import Experts, load_model, steer\n"
        f"          model = load_model({model!r})\n"
        f"          with steer(model, Experts.from_pretrained({str(saved[0])!r})[{result.target!r}]):\n"
        '              print(model.generate("To open a file,", max_new_tokens=30))',
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


for command in (grouped(finding.find), finding.merge):
    app.command()(command)


@app.command()
def study(
    config: Annotated[str, typer.Argument(help="Name of a shipped study, or a TOML file.")] = ("polyglot-mini"),
    model: ModelOption = None,
    device: Device = None,
    n_devices: NDevices = 1,
    executor: Executor = None,
    address: Address = None,
    workers: Workers = None,
    gpus: Gpus = 0,
    output: Annotated[Path | None, typer.Option(help="Where to save; default: tl-experts-runs/study-NAME.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run the paper's study, or resume one, and write its tables and report."""
    from dataclasses import replace

    from tl_experts.jobs.files import INSPECTOR_PAGE
    from tl_experts.models import load_model
    from tl_experts.pages.inspector.runs import open_run
    from tl_experts.pages.report import write_report
    from tl_experts.study import load_config, run_study
    from tl_experts.study.verdict import verdict

    out = Output(as_json=as_json)
    asked = load_config(config)
    if model is not None:
        asked = replace(asked, model=model)

    def announce(stage: str) -> None:
        out.say(f"stage: {stage}")

    loaded = load_model(asked.model, device=device, dtype=asked.dtype, n_devices=n_devices)
    result = run_study(
        asked,
        output,
        model=loaded,
        workers=ray_workers(executor, address, workers, gpus),
        progress=not quiet,
        started=announce,
    )
    announce("inspector")
    inspection = open_run(result.folder).inspection(loaded, progress=not quiet)
    inspection.save(result.folder / INSPECTOR_PAGE, report=True)
    path = write_report(result)
    seconds = sum(stage["seconds"] for stage in result.stages.values())
    paragraphs = verdict(result)
    out.finish({"verdict": paragraphs, "folder": result.folder, "tables": list(result), "report": path})
    for paragraph in paragraphs:
        out.console.print(f"\n{paragraph}", highlight=False, markup=False)
    out.say(
        f"\n{len(result)} tables in {seconds:.0f} s. Report: {path}\n"
        f"  python: from tl_experts.study import StudyResult\n"
        f'          StudyResult.load("{result.folder}")["gains"]',
    )


for command in (
    inspecting.inspect,
    comparing.compare,
    grouped(embedding.embed),
    grouped(embedding.retrieve),
    grouped(generating.generate),
    writing.steer,
    writing.tune,
):
    app.command()(command)


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()
