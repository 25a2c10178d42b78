"""Options that belong together, stated once as a dataclass: a command takes the dataclass, its user the options."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from tl_experts.cli.options import Centred, Device, Dtype, Layer, NDevices, Truncate

if TYPE_CHECKING:
    from tl_experts.corpus.sentences import Corpus
    from tl_experts.embeddings.embeddings import Embeddings
    from tl_experts.models import Model


@dataclass(frozen=True)
class Sentences:
    """Where sentences are read from: the arguments of `load_sentences`."""

    sentences: Annotated[
        str,
        typer.Option("--sentences", "--corpus", help="bundled, a file, a folder or a data set: see load_sentences."),
    ] = "bundled"
    split: Annotated[str | None, typer.Option(help="Split of the sentences; default for bundled: dev.")] = None
    languages: Annotated[str | None, typer.Option(help="Only these, such as en,de,ja.")] = None
    limit: Annotated[int | None, typer.Option(min=1, help="Most rows or lines to read.")] = None
    text_column: Annotated[str, typer.Option(help="Column of the sentences in a long table.")] = "text"
    language_column: Annotated[str, typer.Option(help="Column of their languages.")] = "language"
    row_column: Annotated[
        str | None, typer.Option(help="Column of the row ids of translations; none: no alignment.")
    ] = None
    split_column: Annotated[str, typer.Option(help="Column of the split of each row, read with --split.")] = "split"
    aligned: Annotated[bool, typer.Option("--aligned", help="The n-th lines of all files are translations.")] = False
    drop_blanks: Annotated[bool, typer.Option("--drop-blanks", help="Drop rows with a blank and count them.")] = False
    quoted: Annotated[bool | None, typer.Option(help="Cells of CSV and TSV may be quoted; default: in CSV.")] = None
    config: Annotated[str | None, typer.Option(help="Configuration of a data set on the hub.")] = None

    def load(self, source: object = None, **options: Any) -> "Corpus":
        """The sentences.

        Args:
            source: read instead of `sentences`.
            options: further ones of `load_sentences`.

        Raises:
            CorpusError: as `load_sentences`.
        """
        from tl_experts.corpus.options import Columns
        from tl_experts.corpus.readers import load_sentences

        row = False if self.row_column == "none" else self.row_column
        return load_sentences(
            self.sentences if source is None else source,
            split=self.split or ("dev" if self.sentences == "bundled" else None),
            languages=self.languages.split(",") if self.languages else None,
            columns=Columns(self.text_column, self.language_column, row, self.split_column),
            aligned=self.aligned,
            blanks="drop" if self.drop_blanks else "refuse",
            quoted=self.quoted,
            limit=self.limit,
            config=self.config,
            **options,
        )


@dataclass(frozen=True)
class Machine:
    """What a model runs on."""

    device: Device = None
    n_devices: NDevices = 1
    dtype: Dtype = "float32"

    def load(self, model: str) -> "Model":
        """The model.

        Raises:
            ModelError: as `load_model`.
        """
        from tl_experts.models import load_model

        return load_model(model, device=self.device, n_devices=self.n_devices, dtype=self.dtype)


@dataclass(frozen=True)
class Vectors:
    """Which vectors stand for the sentences."""

    layer: Layer = None
    centred: Centred = False
    truncate: Truncate = False

    def embed(self, model: "Model", corpus: "Corpus", *, progress: bool) -> "Embeddings":
        """The vectors of a corpus, under whatever intervention is in force.

        Raises:
            SiteError: a layer that the model does not have.
            ModelError: as `embed`.
        """
        from tl_experts.embeddings.embeddings import embed
        from tl_experts.models import Batching

        found = embed(model, corpus, layer=self.layer, batching=Batching(truncate=self.truncate), progress=progress)
        return found.centred() if self.centred else found


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters that are dataclasses are given as one option for each of their fields.

    Raises:
        TypeError: two groups have an option of one name.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if is_dataclass(kind) and isinstance(kind, type)}
    parameters: list[Parameter] = []
    for parameter in signature(command).parameters.values():
        if parameter.name in groups:
            parameters += _options(groups[parameter.name])
        else:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints.get(parameter.name, Any)))
    names = [parameter.name for parameter in parameters]
    if len(set(names)) < len(names):
        raise TypeError(f"{command.__name__}: an option is in two groups: {sorted(names)}")

    @wraps(command)
    def run(**given: Any) -> None:
        packed = {
            name: kind(**{field.name: given.pop(field.name) for field in fields(kind)}) for name, kind in groups.items()
        }
        command(**given, **packed)

    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _options(kind: Any) -> list[Parameter]:
    """The fields of a dataclass as parameters."""
    hints = get_type_hints(kind, include_extras=True)
    return [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(kind)
    ]
