"""Saved runs for the inspector: the folder of a study, of a comparison, of `find`, or of a demo."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from tl_experts.corpus.readers import load_sentences
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import ArtefactError
from tl_experts.experts.combine import at_most
from tl_experts.experts.experts import Experts
from tl_experts.jobs.files import read_json
from tl_experts.jobs.paths import user_path
from tl_experts.models import Batching, Model, load_model
from tl_experts.models.pooling import Pooling
from tl_experts.pages.inspector.compared import compared_experts
from tl_experts.pages.inspector.inspection import Inspection, K, inspect
from tl_experts.pages.inspector.live import Live
from tl_experts.pages.inspector.loading import Say
from tl_experts.pages.inspector.saved import EXPERTS, FIND_MANIFEST, RESPONSES
from tl_experts.responses.collect import Responses, collect_responses
from tl_experts.responses.reading import Reading
from tl_experts.responses.store import ResponseStore, StoredResponses
from tl_experts.study import StudyConfig
from tl_experts.study.bench import Bench
from tl_experts.study.comparison.bench import read_corpora
from tl_experts.study.comparison.result import MANIFEST as COMPARISON
from tl_experts.study.comparison.result import CompareResult
from tl_experts.study.result import MANIFEST
from tl_experts.study.splits import read_split, read_splits

_FIX = "run the same command again"


@dataclass(frozen=True)
class Run:
    """A finished or half-finished run."""

    folder: Path
    model: str
    """What `load_model` takes."""

    dtype: str
    experts: Experts
    corpus: Corpus
    """The sentences that the experts were found on."""

    responses: Callable[[Model], Responses | StoredResponses]
    """Responses of every neuron to the corpus: loaded if the run stored them, otherwise collected."""

    def load_model(self, device: str | None = None) -> Model:
        """The run's model."""
        return load_model(self.model, device=device, dtype=self.dtype)

    def live(self, device: str | None = None, say: Say | None = None) -> Live:
        """The run's model with the responses of all neurons.

        Args:
            device: as `load_model`.
            say: is told each of the three steps; None: nobody is.
        """
        say = say or (lambda _stage: None)
        say(f"loading {self.model}")
        model = self.load_model(device)
        say(f"responses of every neuron to {len(self.corpus):,} sentences")
        live = Live(model, self.experts, self.responses(model), folder=self.folder)
        say("preparing the answers")
        live.load()
        return live

    def inspection(self, model: Model, *, k: int | None = None, progress: bool = True) -> Inspection:
        """The experts of the run on one page, at most k per language (default 50)."""
        # A threshold, or a scoring with a rule of its own, may select few or none for some languages.
        shown = at_most(self.experts, K if k is None else k)
        return inspect(model, shown, self.corpus, progress=progress)


def open_run(folder: str | Path) -> Run:
    """Open the folder of ``tl-experts study``, ``compare``, ``find`` or ``demo``.

    Of a comparison, in which every method has neurons of its own, they are those of the method that writes best; they
    are saved as ``experts`` in its folder.

    Raises:
        ArtefactError: it is none of them, or its experts have not been saved yet.
        StudyError: the comparison is not finished.
    """
    path = user_path(folder)
    kinds = ((MANIFEST, _study), (COMPARISON, _comparison), (FIND_MANIFEST, _find), ("settings.json", _demo))
    for manifest, opened in kinds:
        if (path / manifest).is_file():
            return opened(path)
    if (path / RESPONSES).is_dir():
        raise ArtefactError(
            f"{path} lacks {FIND_MANIFEST}, which names the model: run the same `tl-experts find` again; it keeps the "
            "responses"
        )
    raise ArtefactError(
        f"{path} does not hold a run; give a folder that `tl-experts study`, `tl-experts compare`, `tl-experts find` "
        "or `tl-experts demo` wrote, such as tl-experts-runs/study-polyglot-mini"
    )


def _study(folder: Path) -> Run:
    config = StudyConfig.from_dict(_read(folder / MANIFEST, (dict, "config"))["config"])
    dev = read_split(config.corpus, config.dev_split, config.dev_rows)

    def responses(model: Model) -> Responses:
        return Bench(config, read_splits(config), model, folder, progress=False).responses

    return Run(
        folder=folder,
        model=config.model,
        dtype=config.dtype,
        experts=Experts.from_pretrained(folder / EXPERTS),
        corpus=dev.only(config.probe_languages) if config.probe_languages else dev,
        responses=responses,
    )


def _comparison(folder: Path) -> Run:
    result = CompareResult.load(folder)
    experts = compared_experts(result)
    experts.save_pretrained(folder / EXPERTS)  # the live page reads their counts before PyTorch is imported
    dev, _ = read_corpora(result.config)
    return Run(folder, result.config.model, result.config.dtype, experts, dev, partial(_collected, experts, dev))


def _find(folder: Path) -> Run:
    settings = _read(folder / FIND_MANIFEST, (str, "model"))
    stored = ResponseStore(folder / RESPONSES).responses()
    return Run(
        folder=folder,
        model=settings["model"],
        dtype=str(settings.get("dtype", "float32")),
        experts=Experts.from_pretrained(folder / EXPERTS),
        corpus=stored.corpus,
        responses=lambda model: stored,  # noqa: ARG005 (they are on disk)
    )


def _demo(folder: Path) -> Run:
    settings = _read(folder / "settings.json", (str, "model"))
    rows = settings.get("rows")
    if rows is not None and (type(rows) is not int or not 1 <= rows < 2**31):
        raise ArtefactError(f"{folder / 'settings.json'}: rows is {rows!r}; expected a count; run the demo again")
    corpus = load_sentences("bundled", split="dev", limit=rows)
    experts = Experts.from_pretrained(folder / EXPERTS)
    return Run(folder, str(settings["model"]), "float32", experts, corpus, partial(_collected, experts, corpus))


def _collected(experts: Experts, corpus: Corpus, model: Model) -> Responses:
    """Responses read as the experts' own were."""
    reading = Reading(experts.site, cast("Pooling", experts.pooling), batching=Batching(truncate=True))
    return collect_responses(model, corpus, reading=reading, progress=False)


def _read(path: Path, needed: tuple[type, str]) -> dict[str, Any]:
    document = read_json(path, fix=_FIX)
    kind, name = needed
    if not isinstance(document.get(name), kind):
        raise ArtefactError(f"{path} lacks the {name!r} of a run; {_FIX}")
    return document
