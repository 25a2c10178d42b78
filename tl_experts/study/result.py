"""A finished study: its tables as DataFrames, and how it was made."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_experts.errors import ArtefactError, StudyError, near
from tl_experts.study.config import StudyConfig

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "study.json"


@dataclass(frozen=True, eq=False)
class StudyResult(Mapping[str, "pd.DataFrame"]):
    """The tables of a study, by name: ``result["gains"]``.

    Examples:
        >>> result = StudyResult.load("tl-experts-runs/study-polyglot-mini")  # doctest: +SKIP
        >>> result["gains"]  # doctest: +SKIP
    """

    folder: Path
    config: StudyConfig

    about: dict[str, Any]
    """Fingerprints of model and corpora, versions."""

    stages: dict[str, dict[str, Any]]
    """Of each stage: ``seconds`` (of the run that finished it), ``peak_mib`` (memory of the process so far)."""

    tables: dict[str, "pd.DataFrame"]

    @classmethod
    def load(cls, folder: str | Path) -> "StudyResult":
        """Read a finished study.

        Raises:
            StudyError: no study there, or one that has not come to its end.
            ArtefactError: a file of it is damaged.
        """
        import pandas as pd

        place = Path(folder)
        if not (place / MANIFEST).is_file():
            raise StudyError(f"{place} holds no study; expected a folder that run_study or `tl-experts study` wrote")
        manifest = read_json(place / MANIFEST)
        if not _names(manifest.get("stages")) or not all(
            isinstance(manifest.get(n), dict) for n in ("config", "about")
        ):
            raise ArtefactError(f"{place / MANIFEST} lacks config, about or stages; run the study again")
        stages = {path.stem: read_json(path) for path in sorted((place / "stages").glob("*.json"))}
        missing = [name for name in manifest["stages"] if name not in stages]
        if missing:
            raise StudyError(f"{place}: stages {', '.join(missing)} are missing; run the same study again to finish")
        tables = {}
        ordered = {name: stages[name] for name in manifest["stages"]}
        for done, stage in ordered.items():
            if not _names(stage.get("tables")):
                raise ArtefactError(f"{place}: stage {done} names no tables of this folder; delete it and run again")
            for name in stage["tables"]:
                path = place / "tables" / f"{name}.parquet"
                try:
                    tables[name] = pd.read_parquet(path)
                except Exception as error:  # pyarrow's own errors are many
                    raise ArtefactError(
                        f"{path} cannot be read ({error}); delete {place / 'stages'} and run the study again"
                    ) from error
        return cls(place, StudyConfig.from_dict(manifest["config"]), manifest["about"], ordered, tables)

    def __getitem__(self, name: str) -> "pd.DataFrame":
        """A table.

        Raises:
            StudyError: there is none of this name.
        """
        if name not in self.tables:
            raise StudyError(f"no table {name!r}; {near(name, self.tables)}")
        return self.tables[name]

    def __contains__(self, name: object) -> bool:
        return name in self.tables

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def __repr__(self) -> str:
        return f"StudyResult({self.config.name}: {', '.join(self.tables)})"


def _names(value: object) -> bool:
    """Whether these are names of files in a folder: none may lead out of it."""
    return isinstance(value, list) and all(
        isinstance(name, str) and name not in ("", "..") and not set(name) & set("/\\\0") for name in value
    )


def records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows of a table, by column."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of a study.

    Raises:
        ArtefactError: it cannot be read.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArtefactError(f"{path} is damaged ({error}); delete it and run the study again") from error
    if not isinstance(document, dict):
        raise ArtefactError(f"{path} holds a {type(document).__name__}; delete it and run the study again")
    return document
