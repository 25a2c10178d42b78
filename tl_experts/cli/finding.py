"""`tl-experts find` and `tl-experts merge`: the experts of every language, as a table on the screen and in files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from tl_experts import __version__
from tl_experts.cli.groups import Machine, Sentences
from tl_experts.cli.options import (
    Address,
    Executor,
    Gpus,
    Json,
    K,
    ModelName,
    Quiet,
    Scoring,
    Truncate,
    Workers,
    dtype_option,
    launched_device,
    layer_numbers,
    ray_workers,
    require_k,
    shard_part,
)
from tl_experts.cli.output import Output
from tl_experts.jobs.paths import RUNS
from tl_experts.pages.inspector.saved import FIND_MANIFEST, RESPONSES

if TYPE_CHECKING:
    from tl_experts.experts.experts import Experts

SHOWN = 3
"""Neurons of each language in the table."""


def find(
    source: Sentences,
    machine: Machine,
    model: ModelName = "polyglot-mini",
    k: K = None,
    threshold: Annotated[float | None, typer.Option(help="Only neurons whose score is at least this.")] = None,
    scoring: Scoring = "auroc",
    how: Annotated[str, typer.Option(help="top, bottom or both (k of each).")] = "top",
    site: Annotated[str, typer.Option(help="Which neurons: one of tl_experts.models.SITES.")] = "mlp.hook_post",
    pooling: Annotated[str, typer.Option(help="Of a sentence's tokens: max or mean.")] = "max",
    layers: Annotated[str | None, typer.Option(help="Only these, such as 0-3,7.")] = None,
    truncate: Truncate = False,
    response_dtype: Annotated[
        str, typer.Option(help="Dtype of the responses on disk: float32, float16, bfloat16.")
    ] = "float32",
    shard: Annotated[
        str | None,
        typer.Option(
            help="i/n: only the i-th of n parts; auto: the rank that torchrun or srun sets. Join parts with `merge`."
        ),
    ] = None,
    executor: Executor = None,
    address: Address = None,
    workers: Workers = None,
    gpus: Gpus = 0,
    output: Annotated[Path | None, typer.Option(help="Where to save; default: tl-experts-runs/find-MODEL.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the experts of every language; responses are kept on disk, and a killed run resumes."""
    numbers = layer_numbers(layers)
    if site.startswith("mlp.") and numbers is None and threshold is None:
        require_k(model, k, how)
    part = shard_part(shard)
    corpus = source.load()  # what takes no PyTorch comes first: mistakes are told at once
    folder = output or RUNS / f"find-{Path(model).name}"
    out = Output(as_json=as_json)

    from tl_experts.experts.evidence import needs_quantiles, needs_tokens
    from tl_experts.experts.find import find_experts
    from tl_experts.experts.scorings import scoring_of
    from tl_experts.models import Batching, ModelSource
    from tl_experts.responses.collect_to_disk import store_responses
    from tl_experts.responses.reading import Reading

    options: dict[str, Any] = {"site": site, "pooling": pooling}  # checked by `Reading`
    dtype = dtype_option(response_dtype, "--response-dtype")
    reading = Reading(**options, layers=numbers, dtype=dtype, batching=Batching(truncate=truncate))
    device = launched_device() if machine.device is None and shard == "auto" else machine.device
    shared: dict[str, Any] = {
        "reading": reading,
        "workers": ray_workers(executor, address, workers, gpus),
        "progress": not quiet,
    }
    loader = ModelSource(model, device=device, n_devices=machine.n_devices, dtype=machine.dtype)
    if part is None:
        chosen: dict[str, Any] = {"k": k, "threshold": threshold, "scoring": scoring, "how": how}
        found = find_experts(loader, corpus, **chosen, folder=folder / RESPONSES, **shared)
        _note_model(folder, model, machine.dtype)
        save(found, folder, out)
        return
    scorer = scoring_of(scoring)
    counted, quantiles = needs_tokens(scorer) is not False, needs_quantiles(scorer)
    kept = store_responses(
        loader, corpus, folder / RESPONSES, statistics=counted, quantiles=quantiles, part=part, **shared
    )
    _note_model(folder, model, machine.dtype)
    missing = kept.missing(statistics=counted, quantiles=quantiles)
    out.finish({"part": shard, "folder": folder, "shards": kept.count, "missing": missing})
    out.say(
        f"Part {shard} is done; {len(missing)} of {kept.count} shards are missing. When all "
        f"parts are done:\n  tl-experts merge {folder} [FOLDER OF EACH OTHER PART...]"
        + (f" --scoring {scoring}" if scoring != "auroc" else "")
    )


def merge(
    folders: Annotated[list[Path], typer.Argument(help="Folders of `find --shard`; shards are copied into the first.")],
    k: K = None,
    scoring: Scoring = "auroc",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check and join the parts of `find --shard i/n`, and find the experts."""
    from tl_experts.experts.evidence import needs_quantiles, needs_tokens
    from tl_experts.experts.expertise import score_responses
    from tl_experts.experts.find import select_experts
    from tl_experts.experts.scorings import scoring_of
    from tl_experts.responses.store import merge_stores

    scorer = scoring_of(scoring)
    stored = merge_stores([folder / RESPONSES for folder in folders])
    quantiles = needs_quantiles(scorer)
    tokens = None if needs_tokens(scorer) is False else stored.store.statistics(quantiles=quantiles)
    expertise = score_responses(stored, progress=not quiet)
    save(
        select_experts(expertise, k=k, scoring=scoring, responses=stored, tokens=tokens),
        folders[0],
        Output(as_json=as_json),
    )


def _note_model(folder: Path, model: str, dtype: str) -> None:
    """Note what `tl-experts inspect` cannot know from the responses: how the model is loaded."""
    from tl_experts.jobs.files import write_json

    write_json(folder / FIND_MANIFEST, {"model": model, "dtype": dtype, "version": __version__})


def save(experts: "Experts", folder: Path, out: Output) -> None:
    """Save experts and their table, and print both."""
    from tl_experts.jobs.tables import write_table

    path = experts.save_pretrained(folder / "experts")
    frame = experts.to_pandas()
    table = write_table(folder / "experts.csv", list(frame.columns), frame.itertuples(index=False))
    out.finish(
        {
            "experts": path,
            "table": table,
            "counts": experts.counts,
            "scoring": experts.metric,
            "site": experts.site,
        }
    )
    out.console.print(experts_table(experts), "")
    out.say(
        f"{experts}\nSaved: {path}, {table}\n"
        f"  python: from tl_experts import Experts\n          Experts.from_pretrained({str(path)!r})"
    )


def experts_table(experts: "Experts") -> Table:
    """For each language: how many experts, their scores, their layers, and the first of them."""
    scores = experts.statistics.get("score", experts.statistics.get(experts.metric, experts.statistics["auroc"]))
    title = f"Experts: {experts.selection}, by {experts.metric}\nQuartiles of their layers; the first {SHOWN} of them"
    # Narrow, so that it fits into 60 columns.
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("language", no_wrap=True)
    for column in ("experts", "best\nscore", "mean\nscore", "layers"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("layer.neuron")
    for index, language in enumerate(experts.languages):
        rows = np.flatnonzero(experts.language_of == index)
        if not len(rows):  # a rule of its own may select none
            table.add_row(language, "0", "", "", "", "")
            continue
        quartiles = np.percentile(experts.layer[rows], [25, 50, 75]).astype(int)
        first = [f"{experts.layer[row]}.{experts.neuron[row]}" for row in rows[:SHOWN]]
        table.add_row(
            language,
            f"{len(rows)}",
            f"{scores[rows].max():.4f}",
            f"{scores[rows].mean():.4f}",
            " | ".join(map(str, quartiles)),
            " ".join(first),
        )
    return table
