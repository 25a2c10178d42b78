"""Options that several commands share, and how their text becomes values."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tl_experts.jobs.workers import RayWorkers


def known_model(name: str | None) -> str | None:
    """The name of a model, refused at once where this machine's files tell that it cannot load."""
    if name is not None:
        from tl_experts.models.catalogue import require_loadable

        require_loadable(name)
    return name


def complete_model(incomplete: str) -> list[str]:
    """The models of the catalogue that begin with some letters."""
    from tl_experts.models.catalogue import ENTRIES

    return [name for name in ENTRIES if name.startswith(incomplete)]


def complete_language(incomplete: str) -> list[str]:
    """The languages of the bundled text that begin with some letters."""
    from tl_experts.corpus.bundled import bundled_languages

    return [code for code in bundled_languages() if code.startswith(incomplete)]


ModelName = Annotated[
    str,
    typer.Argument(
        help="A name of `tl-experts models`, a local folder or a hub name.",
        callback=known_model,
        autocompletion=complete_model,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Another model than the options name.",
        callback=known_model,
        autocompletion=complete_model,
    ),
]
To = Annotated[str, typer.Option(help="Code of the language that is written.", autocompletion=complete_language)]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1...; default: a GPU if available.")]
NDevices = Annotated[int, typer.Option(min=1, help="Number of GPUs to spread the model over.")]
Dtype = Annotated[str, typer.Option(help="Dtype of the model: float32, float16, bfloat16.")]
K = Annotated[int | None, typer.Option(min=1, help="Experts per language; default: 500, or the scoring's own rule.")]
Scoring = Annotated[str, typer.Option(help="auroc, ap, lape, ...: see tl_experts.experts.scorings.SCORINGS.")]
Executor = Annotated[str | None, typer.Option(help="ray: data-parallel workers.")]
Address = Annotated[str | None, typer.Option(help="Address of the Ray cluster; auto: this machine's.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Number of workers; default: one per GPU or machine.")]
Gpus = Annotated[float, typer.Option(min=0, help="GPUs per worker; the model is spread over 2 or more.")]
Truncate = Annotated[bool, typer.Option("--truncate", help="Keep the beginning of sentences that are too long.")]
Layer = Annotated[
    int | None,
    typer.Option(help="Number of a block, from the end if negative; default: the last hidden state, after the norm."),
]
Centred = Annotated[bool, typer.Option("--centred", help="Subtract the mean vector of each language.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the first text of each prompt.")]
Texts = Annotated[int, typer.Option("--seeds", "-n", min=1, help="Texts per prompt.")]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="Where a text that does not end is cut.")]
Temperature = Annotated[float, typer.Option(min=0, help="0: the likeliest token at each step.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Hide progress bars.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]


def require_k(model: str, k: int | None, how: str = "top") -> None:
    """Refuse more experts than a model has MLP neurons, where its configuration is on this machine."""
    from tl_experts.errors import require_enough
    from tl_experts.models.catalogue import neuron_count

    neurons = neuron_count(model)
    if k is not None and neurons is not None:
        require_enough(k, neurons, how)


def layer_numbers(layers: str | None) -> list[int] | None:
    """The numbers of ``0-3,7``; None: all layers."""
    if layers is None:
        return None
    numbers: list[int] = []
    try:
        for part in layers.split(","):
            first, dash, last = part.partition("-")
            found = range(int(first), int(last if dash else first) + 1)
            if not found:
                raise ValueError(part)
            numbers += found
    except ValueError as error:
        raise typer.BadParameter(f"{layers!r}; expected numbers, such as 0-3,7", param_hint="--layers") from error
    return numbers


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
