"""Options that several commands share, and how their text becomes values."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tl_experts.jobs.workers import RayWorkers

"""Where commands save unless told otherwise."""

Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1...; default: a GPU if available.")]
NDevices = Annotated[int, typer.Option(min=1, help="Number of GPUs to spread the model over.")]
K = Annotated[int | None, typer.Option(min=1, help="Experts per language; default: 500, or the scoring's own rule.")]
Scoring = Annotated[str, typer.Option(help="auroc, ap, lape, ...: see tl_experts.experts.scorings.SCORINGS.")]
Executor = Annotated[str | None, typer.Option(help="ray: data-parallel workers.")]
Address = Annotated[str | None, typer.Option(help="Address of the Ray cluster; auto: this machine's.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Number of workers; default: one per GPU or machine.")]
Gpus = Annotated[float, typer.Option(min=0, help="GPUs per worker; the model is spread over 2 or more.")]
TextColumn = Annotated[str, typer.Option(help="Column of the sentences in a long table.")]
LanguageColumn = Annotated[str, typer.Option(help="Column of their languages.")]
RowColumn = Annotated[str | None, typer.Option(help="Column of the row ids of translations; none: no alignment.")]
SplitColumn = Annotated[str, typer.Option(help="Column of the split of each row, read with --split.")]
Aligned = Annotated[bool, typer.Option("--aligned", help="The n-th lines of all files are translations.")]
DropBlanks = Annotated[bool, typer.Option("--drop-blanks", help="Drop rows with a blank and count them.")]
Quoted = Annotated[bool | None, typer.Option(help="Cells of CSV and TSV may be quoted; default: in CSV.")]
Config = Annotated[str | None, typer.Option(help="Configuration of a data set on the hub.")]
Truncate = Annotated[bool, typer.Option("--truncate", help="Keep the beginning of sentences that are too long.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Hide progress bars.")]

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]


def ray_workers(executor: str | None, address: str | None, workers: int | None, gpus: float) -> "RayWorkers | None":
    """The workers that the options describe; None: this process."""
    if executor is None:
        return None
    if executor != "ray":
        raise typer.BadParameter(f"{executor!r}; expected ray", param_hint="--executor")
    from tl_experts.jobs.workers import RayWorkers

    return RayWorkers(address=address, count=workers, gpus=gpus)


def launched_device() -> str | None:
    """The GPU of this process where a launcher started several on one machine."""
    import torch

    from tl_experts.jobs import launch

    return launch.launched_device(torch.cuda.device_count())


def shard_part(shard: str | None) -> tuple[int, int] | None:
    """(i, n) of ``--shard i/n``; ``auto`` takes them from the launcher."""
    if shard is None:
        return None
    if shard == "auto":
        from tl_experts.jobs.launch import launched_part

        return launched_part()
    try:
        number, of = map(int, shard.split("/"))
    except ValueError as error:
        raise typer.BadParameter(f"{shard!r}; expected i/n, such as 1/4, or auto", param_hint="--shard") from error
    return number, of


def dtype_option(dtype: str, option: str) -> str:
    """A dtype's name, checked as a usage error."""
    from tl_experts.models.dtypes import DTYPES

    if dtype not in DTYPES:
        raise typer.BadParameter(f"{dtype!r}; expected one of {', '.join(DTYPES)}", param_hint=option)
    return dtype
