"""A finished comparison: its tables as DataFrames, and the record of how they were computed."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_experts.errors import ArtefactError, StudyError
from tl_experts.jobs.files import read_json
from tl_experts.jobs.paths import user_path
from tl_experts.jobs.stages import DAMAGED, KeptTables, finished_stages, stage_tables
from tl_experts.study.comparison.config import CompareConfig
from tl_experts.study.comparison.romaniser import cyrillic
from tl_experts.study.comparison.views import ALL

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "comparison.json"
PARTS = ("writing", "costs", "equal", "alignment")
"""What is computed for every target."""

CAUSE = "silencing"
"""What is computed once, unless it is switched off."""

LAYERS = "layers"
ROMANISED = "romanised"
LATER = (LAYERS, ROMANISED)
"""What is computed once, last. Folders of earlier versions lack it, and so does one whose romaniser was missing."""

LATER_OPTIONS: dict[str, Any] = {"first_tokens": []}
"""Options that came later, with the values on which the versions before them acted."""

TABLES = (
    *("writing", "texts", "costs", "divergence", "equal", "equal_texts", "alignment", "spaces"),
    *("silencing", "silencing_summary", "layers", "romanised", "romanised_experts"),
)


@dataclass(frozen=True, eq=False)
class CompareResult(KeptTables):
    """The tables of a comparison, by name; all targets together.

    ``writing``, ``texts``; ``costs``; ``divergence``, ``equal``, ``equal_texts``; ``alignment``, ``spaces``;
    ``silencing``, ``silencing_summary``; ``layers``; ``romanised``, ``romanised_experts``. A table
    without rows is left out.

    Examples:
        >>> result = CompareResult.load("tl-experts-runs/compare-polyglot-mini")  # doctest: +SKIP
        >>> result["writing"]  # doctest: +SKIP
    """

    folder: Path
    config: CompareConfig

    about: dict[str, Any]
    """Fingerprints of model and corpora, versions."""

    tables: dict[str, "pd.DataFrame"]

    @classmethod
    def load(cls, folder: str | Path) -> "CompareResult":
        """Read a finished comparison.

        Raises:
            StudyError: the folder holds no comparison, or an unfinished one.
            ArtefactError: one of its files is damaged.
        """
        import pandas as pd

        root = user_path(folder)
        if not (root / MANIFEST).is_file():
            raise StudyError(f"{root} holds no comparison; expected one that compare(...) wrote")
        manifest = read_compared(root)
        config = CompareConfig.from_dict(manifest["config"])
        finished = finished_stages(root)
        stages = [name for name in stage_names(config) if name in finished or name not in LATER]
        if missing := [name for name in stages if name not in finished]:
            raise StudyError(f"{root}: {', '.join(missing)} are missing; run the same comparison again to finish")
        found: dict[str, list[pd.DataFrame]] = {}
        for name in stages:
            for table, rows in stage_tables(root, name, finished[name]).items():
                found.setdefault(table.partition("-")[0], []).append(rows)
        tables = {table: pd.concat(rows, ignore_index=True) for table, rows in found.items()}
        try:
            tables |= _as_of_today(tables)
        except KeyError as error:
            raise ArtefactError(f"{root} lacks the table or column {error}; {DAMAGED}") from error
        return cls(root, config, manifest["about"], tables)


def _as_of_today(tables: Mapping[str, "pd.DataFrame"]) -> dict[str, "pd.DataFrame"]:
    """The tables that earlier versions wrote differently: without groups of languages or quality, with 0 for NaN."""
    import pandas as pd

    alignment = tables["alignment"]
    groups = alignment.get("languages", pd.Series(ALL, alignment.index)).fillna(ALL)
    found = {"alignment": alignment.assign(languages=groups)}
    found |= {name: with_quality(tables[name]) for name in ("writing", "equal") if name in tables}
    if "equal" in found:
        found["equal"] = without_guesses(found["equal"], tables["divergence"])
    return found


def stage_names(config: CompareConfig) -> list[str]:
    """The stages, in the order in which they run."""
    once = [CAUSE] if config.silencing_rows else []
    later = [LAYERS, *([ROMANISED] if cyrillic(config.targets) else [])]
    return [name for target in config.targets for name in target_stages(target)] + once + later


def target_stages(target: str) -> list[str]:
    """The stages of one target, in the order in which they run."""
    return [f"{part}-{target}" for part in PARTS]


def with_quality(table: "pd.DataFrame") -> "pd.DataFrame":
    """A table of texts with its column ``quality``, also where earlier versions did not write it.

    They wrote the share F and the score S = 2FJ / (F + J), so the quality is J = SF / (2F - S); NaN where no text was
    in the language, since the score is 0 there whatever the quality.
    """
    share, score = table["share"], table["score"]
    of_score = (score * share / (2 * share - score)).where((share > 0) & (score > 0)).clip(upper=1.0)
    return table.assign(quality=table["quality"].fillna(of_score) if "quality" in table else of_score)


def without_guesses(equal: "pd.DataFrame", divergence: "pd.DataFrame") -> "pd.DataFrame":
    """The table ``equal`` with NaN for a method that was not measured within the budget.

    Earlier versions wrote 0 there, also where every setting that the search had tried was only too strong.
    """
    import pandas as pd

    tried = pd.MultiIndex.from_frame(divergence[["target", "method"]])
    unknown = equal["kl"].isna() & pd.MultiIndex.from_frame(equal[["target", "method"]]).isin(tried)
    measures = ["share", "score", "quality", "dev_score"]
    return equal.assign(**{name: equal[name].mask(unknown) for name in measures})


def read_compared(folder: Path) -> dict[str, Any]:
    """The manifest of a comparison: its ``config`` and ``about``.

    Raises:
        ArtefactError: the file is missing or damaged, or was written by a version with other options.
    """
    manifest = read_json(folder / MANIFEST, fix=DAMAGED)
    if not all(isinstance(manifest.get(name), dict) for name in ("config", "about")):
        raise ArtefactError(f"{folder / MANIFEST} lacks config or about; {DAMAGED}")
    manifest["config"] = LATER_OPTIONS | manifest["config"]
    if missing := [field.name for field in fields(CompareConfig) if field.name not in manifest["config"]]:
        raise ArtefactError(
            f"{folder} was written by an earlier version of tl-experts, which had no {', '.join(missing)}; run the "
            "comparison again in another folder"
        )
    return manifest
