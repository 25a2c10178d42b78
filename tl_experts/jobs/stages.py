"""Stages: a long run in named steps whose tables are kept, so that a killed run resumes with the next step."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from tl_experts.errors import ArtefactError, StudyError, near
from tl_experts.jobs.files import read_json, write_json
from tl_experts.jobs.job import recover
from tl_experts.jobs.paths import path_of_name
from tl_experts.jobs.tables import write_frame

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
"""Rows by the name of their table."""

DAMAGED = "delete it and run the same command again"


class KeptTables(Mapping[str, "pd.DataFrame"]):
    """The tables of a finished run, by name; a subclass holds them in ``tables``."""

    config: Any
    tables: "dict[str, pd.DataFrame]"

    def __getitem__(self, name: str) -> "pd.DataFrame":
        """A table.

        Raises:
            StudyError: the run has no table of this name.
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
        return f"{type(self).__name__}({self.config.name}: {', '.join(self.tables)})"


def run_stage(
    folder: Path, name: str, compute: Callable[[], Tables], started: Callable[[str], object] | None = None
) -> None:
    """Compute the tables of a stage and keep them, unless it is finished; last of all, write the marker that says so.

    Args:
        folder: of the run.
        name: of the stage.
        compute: gives the tables.
        started: called with the name of a stage that is about to run.
    """
    if is_finished(folder, name):
        return
    if started is not None:
        started(name)
    import pandas as pd

    begun = time.perf_counter()
    tables = {table: rows for table, rows in compute().items() if rows}
    for table, rows in tables.items():
        write_frame(path_of_name(folder / "tables", table), pd.DataFrame(rows))
    measured = {"seconds": time.perf_counter() - begun, "peak_mib": peak_memory()}
    write_json(_marker(folder, name), {"tables": list(tables), **measured})


def is_finished(folder: Path, name: str) -> bool:
    """Whether a stage was finished; a damaged marker does not count."""
    marker = _marker(folder, name)
    return marker.is_file() and recover(partial(read_json, marker)) is not None


def finished_stages(folder: Path) -> dict[str, dict[str, Any]]:
    """What the markers say, by stage: ``tables``, ``seconds`` and ``peak_mib``.

    Raises:
        ArtefactError: a marker is damaged.
    """
    return {path.stem: read_json(path, fix=DAMAGED) for path in sorted((folder / "stages").glob("*.json"))}


def stage_tables(folder: Path, name: str, stage: Mapping[str, Any]) -> "dict[str, pd.DataFrame]":
    """The tables of a finished stage.

    Raises:
        ArtefactError: the marker or a table is damaged.
    """
    names = stage.get("tables")
    if not are_strings(names):
        raise ArtefactError(f"{folder}: stage {name} names no tables; {DAMAGED}")
    return {table: read_table(folder, table) for table in names}


def are_strings(value: object) -> TypeGuard[list[str]]:
    """Whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def read_table(folder: Path, name: str) -> "pd.DataFrame":
    """A table by name.

    Raises:
        ArtefactError: it is missing or damaged.
    """
    import pandas as pd

    path = path_of_name(folder / "tables", name, ".parquet")
    try:
        return pd.read_parquet(path)
    except Exception as error:  # pyarrow has many error classes of its own
        raise ArtefactError(
            f"{path} cannot be read ({error}); delete {folder / 'stages'} and run the same command again"
        ) from error


def peak_memory() -> float | None:
    """The most memory this process has held, in MiB; None on Windows, which does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10


def _marker(folder: Path, stage: str) -> Path:
    """The file that says that a stage is finished; written last."""
    return folder / "stages" / f"{stage}.json"
