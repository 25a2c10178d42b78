"""What a saved run holds for the inspector: the folder of a study or of a demo."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tl_experts.corpus.readers import load_sentences
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import ArtefactError
from tl_experts.experts.experts import Experts
from tl_experts.jobs.files import read_json
from tl_experts.jobs.paths import user_path
from tl_experts.models import Batching, Model, load_model
from tl_experts.models.pooling import Pooling
from tl_experts.pages.inspector.inspection import Inspection, K, inspect
from tl_experts.pages.inspector.live import Live
from tl_experts.responses.collect import Responses, collect_responses
from tl_experts.responses.reading import Reading
from tl_experts.study import StudyConfig
from tl_experts.study.bench import Bench
from tl_experts.study.result import MANIFEST
from tl_experts.study.splits import read_split, read_splits


@dataclass(frozen=True)
class Run:
    """A finished or half-finished run."""

    folder: Path
    model: str
    """What `load_model` takes."""

    dtype: str
    experts: Experts
    corpus: Corpus
    """The sentences the experts were found on."""

    responses: Callable[[Model], Responses]
    """Of every neuron to the corpus: read back where the run kept them, collected where not."""

    def load_model(self, device: str | None = None) -> Model:
        """The run's model."""
        return load_model(self.model, device=device, dtype=self.dtype)

    def live(self, device: str | None = None) -> Live:
        """The run's model with the responses of all neurons."""
        model = self.load_model(device)
        live = Live(model, self.experts, self.responses(model))
        live.view(live.responses.neurons.layers[0], 0)  # the compiled kernel is loaded before the first question
        return live

    def inspection(self, model: Model, *, k: int | None = None, progress: bool = True) -> Inspection:
        """The experts of the run, as many as the page is for."""
        counts = min(self.experts.counts.values())
        return inspect(model, self.experts, self.corpus, k=min(K if k is None else k, counts), progress=progress)


def open_run(folder: str | Path) -> Run:
    """Open the folder of ``tl-experts study`` or ``tl-experts demo``.

    Raises:
        ArtefactError: it is neither, or its experts are not there yet.
    """
    place = user_path(folder)
    if (place / MANIFEST).is_file():
        return _study(place)
    if (place / "settings.json").is_file():
        return _demo(place)
    raise ArtefactError(
        f"{place} holds no run; give a folder that `tl-experts study` or `tl-experts demo` wrote, such as "
        "tl-experts-runs/study-polyglot-mini"
    )


def _study(place: Path) -> Run:
    config = StudyConfig.from_dict(_read(place / MANIFEST, (dict, "config"))["config"])
    dev = read_split(config, config.dev_split, config.dev_rows)

    def responses(model: Model) -> Responses:
        return Bench(config, read_splits(config), model, place, progress=False).responses

    return Run(
        folder=place,
        model=config.model,
        dtype=config.dtype,
        experts=Experts.from_pretrained(place / "experts"),
        corpus=dev.only(config.probe_languages) if config.probe_languages else dev,
        responses=responses,
    )


def _demo(place: Path) -> Run:
    settings = _read(place / "settings.json", (str, "model"))
    rows = settings.get("rows")
    if rows is not None and (type(rows) is not int or not 1 <= rows < 2**31):
        raise ArtefactError(f"{place / 'settings.json'}: rows is {rows!r}; expected a count; run the demo again")
    corpus = load_sentences("bundled", split="dev", limit=rows)
    experts = Experts.from_pretrained(place / "experts")

    def responses(model: Model) -> Responses:
        pooling = cast("Pooling", experts.pooling)
        reading = Reading(experts.site, pooling, batching=Batching(truncate=True))
        return collect_responses(model, corpus, reading=reading, progress=False)

    return Run(place, str(settings["model"]), "float32", experts, corpus, responses)


def _read(path: Path, needed: tuple[type, str]) -> dict[str, Any]:
    document = read_json(path, fix="run the same command again")
    kind, name = needed
    if not isinstance(document.get(name), kind):
        raise ArtefactError(f"{path} has no {name!r} of a run; run the same command again")
    return document
