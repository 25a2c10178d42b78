"""A finished study: its tables as DataFrames, and the record of how they were computed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_experts.errors import ArtefactError, StudyError
from tl_experts.jobs.files import read_json
from tl_experts.jobs.paths import user_path
from tl_experts.jobs.stages import DAMAGED, KeptTables, are_strings, finished_stages, stage_tables
from tl_experts.study.config import StudyConfig

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "study.json"


@dataclass(frozen=True, eq=False)
class StudyResult(KeptTables):
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
    """By stage: ``seconds`` (of the run that finished it) and ``peak_mib`` (the most memory the process has held until
    then; None on Windows)."""

    tables: dict[str, "pd.DataFrame"]

    @classmethod
    def load(cls, folder: str | Path) -> "StudyResult":
        """Read a finished study.

        Raises:
            StudyError: the folder holds no study, or an unfinished one.
            ArtefactError: one of its files is damaged.
        """
        root = user_path(folder)
        if not (root / MANIFEST).is_file():
            raise StudyError(f"{root} holds no study; expected a folder that run_study or `tl-experts study` wrote")
        manifest = read_manifest(root)
        found = finished_stages(root)
        missing = [name for name in manifest["stages"] if name not in found]
        if missing:
            raise StudyError(f"{root}: stages {', '.join(missing)} are missing; run the same study again to finish")
        stages = {name: found[name] for name in manifest["stages"]}
        tables: dict[str, pd.DataFrame] = {}
        for name, stage in stages.items():
            tables |= stage_tables(root, name, stage)
        return cls(root, StudyConfig.from_dict(manifest["config"]), manifest["about"], stages, tables)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a study: its ``config``, ``about`` and ``stages``.

    Raises:
        ArtefactError: the file is missing or damaged.
    """
    manifest = read_json(folder / MANIFEST, fix=DAMAGED)
    mappings = all(isinstance(manifest.get(name), dict) for name in ("config", "about"))
    if not mappings or not are_strings(manifest.get("stages")):
        raise ArtefactError(f"{folder / MANIFEST} lacks config, about or stages; {DAMAGED}")
    return manifest


def records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows of a table, by column."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
