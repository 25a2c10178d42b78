"""How a command steers a model: by experts, a steering or a tuned setting."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tl_experts.cli.options import complete_language
from tl_experts.errors import require_choice

if TYPE_CHECKING:
    from tl_experts.models import Model
    from tl_experts.steering import AffineMap, Steering

ExpertsFolder = Annotated[
    Path | None,
    typer.Option("--experts", help="Folder of experts (of `find`), held at their mean: the paper's setting."),
]
SteeringFolder = Annotated[Path | None, typer.Option("--steering", help="Folder of a steering, or of a `tune`.")]


@dataclass(frozen=True)
class Way:
    """How a language is written, and a line that says so."""

    steering: "Steering | AffineMap"
    line: str


@dataclass(frozen=True)
class Steered:
    """How a model is steered, where a command steers it at all."""

    experts: ExpertsFolder = None
    steering: SteeringFolder = None
    to: Annotated[
        str | None,
        typer.Option(
            help="Language to steer to: of the experts, or by the setting that comes with the package.",
            autocompletion=complete_language,
        ),
    ] = None

    def check(self) -> None:
        """Refuse what cannot be used before the model is loaded."""
        if self.to is not None:
            known_language(self.to, bundled=self.experts is None and self.steering is None)
        require_one(self.experts, self.steering)
        code = self._language(self.experts) if self.experts is not None else ""
        require_folders(code, self.experts, self.steering)

    def block(self, model: "Model", name: str, *, progress: bool) -> tuple[AbstractContextManager[object], str | None]:
        """The block in which the model is steered, and a line that says how; None: it is not steered.

        Args:
            model: from `load_model`.
            name: what it was loaded by.
            progress: show progress bars.
        """
        if self.experts is None and self.steering is None and self.to is None:
            return nullcontext(), None
        from tl_experts.steering import steer

        code = self.to or (self._language(self.experts) if self.experts else "")
        way = way_to(model, name, code, self.experts, self.steering, progress=progress)
        return steer(model, way.steering), way.line

    def _language(self, experts: Path) -> str:
        from tl_experts.experts.experts import Experts

        languages = Experts.from_pretrained(experts).languages
        if self.to is None and len(languages) > 1:
            raise typer.BadParameter(f"{experts} has experts of {', '.join(languages)}; say which", param_hint="--to")
        return self.to or languages[0]


def known_language(to: str, *, bundled: bool) -> str:
    """The code of the language; refused before anything is loaded where the bundled corpus lacks it."""
    from tl_experts.corpus.bundled import bundled_languages
    from tl_experts.corpus.languages import language_code

    code = language_code(to)
    if bundled:
        require_choice(code, bundled_languages(), "--to")
    return code


def require_one(experts: Path | None, steering: Path | None) -> None:
    """Refuse experts and a steering together."""
    if experts is not None and steering is not None:
        raise typer.BadParameter("give experts or a steering, not both", param_hint="--steering")


def require_folders(code: str, experts: Path | None, steering: Path | None) -> None:
    """Refuse folders that cannot be used, before the model is loaded."""
    require_one(experts, steering)
    if experts is not None:
        from tl_experts.experts.experts import Experts

        Experts.from_pretrained(experts)[code]
    if steering is not None:
        loaded_steering(steering)


def way_to(model: "Model", name: str, code: str, experts: Path | None, steering: Path | None, *, progress: bool) -> Way:
    """How to steer a model to a language.

    Args:
        model: from `load_model`.
        name: what it was loaded by.
        code: of the language.
        experts: a folder of experts, held at their mean.
        steering: a folder of a steering; without both, the setting that comes with the package is taken, or experts
            are found on the bundled corpus.
        progress: show progress bars.
    """
    from tl_experts.corpus.readers import load_sentences
    from tl_experts.experts.experts import Experts
    from tl_experts.experts.find import DEFAULT_K, find_experts
    from tl_experts.models.catalogue import ENTRIES
    from tl_experts.steering import Steering
    from tl_experts.steering.tuning.shipped import tuned_setting, tuned_steering

    if steering is not None:
        given = loaded_steering(steering)
        return Way(given, f"given: {given}")
    hint = f"the paper's setting, for its study; for text that reads well: tl-experts tune {name} --to {code}"
    if experts is not None:
        chosen = Steering(Experts.from_pretrained(experts)[code])
        return Way(chosen, f"{chosen}\n({hint})")
    shipped = tuned_setting(name, code)
    if shipped is not None:
        return Way(tuned_steering(model, code, progress=progress), f"tuned, comes with the package: {shipped.setting}")
    entry = ENTRIES.get(name)
    k = (entry.demo_k if entry else None) or DEFAULT_K
    found = find_experts(model, load_sentences("bundled", split="dev"), k=k, progress=progress)
    chosen = Steering(found[code])
    return Way(chosen, f"{chosen}\n({hint})")


def loaded_steering(folder: Path) -> "Steering | AffineMap":
    """The steering in a folder, or in that of a `tune`."""
    from tl_experts.steering import AffineMap, Steering

    inner = folder / "steering"
    path = inner if inner.is_dir() else folder
    kind = AffineMap if (path / "affine_map.json").is_file() else Steering
    return kind.from_pretrained(path)
