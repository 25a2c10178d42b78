"""`TuneResult`: the setting that was found, every trial, the Pareto front, and what the setting wrote elsewhere."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tl_experts.errors import InterventionError, require_least
from tl_experts.jobs.artefacts import complete, load_artefact, save_artefact
from tl_experts.jobs.paths import user_path
from tl_experts.jobs.tables import write_table
from tl_experts.steering.tuning.building import BUILT, Built
from tl_experts.steering.tuning.trials import Trial, best_of, front_of, packed, unpacked
from tl_experts.steering.writing.measures import TextMeasures

if TYPE_CHECKING:
    import pandas as pd

KIND = "tuning"


@dataclass(frozen=True, eq=False)
class TuneResult:
    """What `tune` found.

    Examples:
        >>> from tl_experts import steer
        >>> result = TuneResult.load("my-search")  # doctest: +SKIP
        >>> with steer(model, result.steering):  # doctest: +SKIP
        ...     print(model.generate("To open a file,", max_new_tokens=30))
    """

    target: str
    """Language code."""

    trials: tuple[Trial, ...]
    """In the order in which their settings were first tried; stopped ones included."""

    natural: TextMeasures
    """The natural texts that the others are compared with."""

    found: Built | None
    """What `steering` gives; None if every trial was stopped."""

    report: TextMeasures | None
    """What the best setting wrote for the prompts that the search did not see; None if there were none."""

    @property
    def best(self) -> Trial | None:
        """The finalist of highest score, or without a final that of those on most prompts; None if all were stopped."""
        return best_of(self.trials)

    @property
    def steering(self) -> Built:
        """The best setting, as `steer` takes it.

        Raises:
            InterventionError: no setting wrote a text in the language without repeating itself.
        """
        if self.found is None:
            raise InterventionError(
                f"none of {len(self.trials)} settings wrote {self.target} without repeating itself; give tune a larger "
                "budget or space, or a model that writes the language"
            )
        return self.found

    @property
    def front(self) -> tuple[Trial, ...]:
        """The finalists that none exceeds in share of the language or quality without a loss.

        Without a final: of the settings on most prompts.
        """
        return front_of(self.trials)

    def to_pandas(self) -> "pd.DataFrame":
        """One row per trial: options, measures, whether it is on the front."""
        import pandas as pd

        front = self.front
        return pd.DataFrame([trial.to_dict() | {"front": trial in front} for trial in self.trials])

    def __str__(self) -> str:
        """The result in a line."""
        best = self.best
        if best is None:
            return f"{len(self.trials)} settings for {self.target}, none without repetition"
        measured = self.report or f"score {best.score:.2f} over {best.texts} texts"
        return f"{len(self.trials)} settings for {self.target}; best: {best.setting}; {measured}"

    def save(self, folder: str | Path) -> Path:
        """Save as a folder: numbers and texts, the steering in ``steering``, and the table ``trials.csv``.

        Raises:
            ArtefactError: the path cannot be written.
        """
        target = user_path(folder)
        parts = {"natural": self.natural} | ({} if self.report is None else {"report": self.report})
        arrays = {f"{part}_{name}": column for part in parts for name, column in packed(parts[part], 0.0).items()}
        header = {
            "target": self.target,
            "trials": [_plain(trial.to_dict()) for trial in self.trials],
            "seed": self.natural.seed,
            "found": type(self.found).__name__ if self.found is not None else None,
        }
        if self.found is not None:
            self.found.save_pretrained(target / "steering")
        table = self.to_pandas()
        write_table(target / "trials.csv", list(table.columns), table.itertuples(index=False))
        return save_artefact(target, KIND, arrays, header)

    @classmethod
    def load(cls, folder: str | Path) -> "TuneResult":
        """Load what `save` wrote.

        Raises:
            ArtefactError: something is missing, damaged, or something else.
        """
        arrays, header = load_artefact(folder, KIND)
        with complete(folder, "result of tune"):
            target, seed = header["target"], require_least(header["seed"], "seed", 0)
            trials = tuple(Trial.from_dict(row) for row in header["trials"])
            kind = None if header["found"] is None else BUILT[header["found"]]
            natural, _ = unpacked(_part(arrays, "natural"), target, None, seed)
            own = _part(arrays, "report")
            report = unpacked(own, target, natural, seed)[0] if own else None
        steering = None if kind is None else kind.from_pretrained(user_path(folder) / "steering")
        return cls(target, trials, natural, steering, report)


def _part(arrays: dict[str, Any], part: str) -> dict[str, Any]:
    return {name.removeprefix(f"{part}_"): value for name, value in arrays.items() if name.startswith(f"{part}_")}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Without NaN, which JSON does not have."""
    return {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in row.items()}
