"""`AlignmentResult`: the setting that aligns best, every trial, and no intervention beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from tl_experts.analysis.statistics import Estimate, mean_interval, paired_gain
from tl_experts.errors import require_least
from tl_experts.jobs.artefacts import complete, load_artefact, save_artefact
from tl_experts.jobs.paths import user_path
from tl_experts.jobs.tables import write_table
from tl_experts.steering.tuning.building import BUILT, Built
from tl_experts.study.aligning.reader import HITS
from tl_experts.study.aligning.trials import AlignmentTrial, View

if TYPE_CHECKING:
    import pandas as pd

KIND = "alignment"


@dataclass(frozen=True, eq=False)
class AlignmentResult:
    """What `tune_alignment` found. Top-1 and gains are of the test corpus, over all ordered pairs of languages.

    Examples:
        >>> from tl_experts import steer
        >>> found = AlignmentResult.load("my-search")  # doctest: +SKIP
        >>> with steer(model, found.steering):  # doctest: +SKIP
        ...     vectors = embed(model, sentences, layer=found.view.layer)
    """

    target: str
    """Language code."""

    trials: tuple[AlignmentTrial, ...]
    """In the order in which their settings were first tried."""

    baselines: tuple[AlignmentTrial, ...]
    """No intervention on the rows of the dev split that each stage of the search compared, fewest first."""

    steering: Built
    """The best setting, as `steer` takes it."""

    hits: Mapping[str, Float64[np.ndarray, " row"]]
    """The share of pairs in which each test row is found: ``"steered"``; ``"same view"``: no intervention, centred or
    not as `view` says, in its own best layer; ``"baseline"``: no intervention in the view that is best on the dev
    split."""

    seed: int = 0
    """Of the bootstrap."""

    @property
    def best(self) -> AlignmentTrial:
        """The trial of highest top-1 of those on most rows."""
        return max(self.trials, key=lambda trial: trial.rank)

    @property
    def view(self) -> View:
        """How vectors are read under the best setting."""
        return self.best.view

    @property
    def unsteered(self) -> AlignmentTrial:
        """No intervention, on the same rows of the dev split as the best trial."""
        return self.baseline_of(self.best)

    def baseline_of(self, trial: AlignmentTrial) -> AlignmentTrial:
        """No intervention, on the same rows of the dev split as a trial."""
        return {baseline.stage: baseline for baseline in self.baselines}[trial.stage]

    @property
    def top1(self) -> Estimate:
        """Of the best setting."""
        return mean_interval(self.hits["steered"], seed=self.seed)

    @property
    def gain(self) -> Estimate:
        """Over no intervention in the same view (in its own best layer)."""
        return paired_gain(self.hits["same view"], self.hits["steered"], seed=self.seed)

    @property
    def gain_over_baseline(self) -> Estimate:
        """Over the best view of no intervention."""
        return paired_gain(self.hits["baseline"], self.hits["steered"], seed=self.seed)

    @property
    def beats_baseline(self) -> bool:
        """Whether the interval of the gain over the best view of no intervention is above 0."""
        return self.gain_over_baseline.low > 0

    def to_pandas(self) -> "pd.DataFrame":
        """One row per trial, those of no intervention first; ``gain``: over no intervention on the same dev rows."""
        import pandas as pd

        rows = [(trial, trial.top1 - self.baseline_of(trial).top1) for trial in (*self.baselines, *self.trials)]
        return pd.DataFrame([trial.to_dict() | {"gain": gain} for trial, gain in rows])

    def to_dict(self) -> dict[str, Any]:
        """The numbers of the test corpus."""
        same, baseline = (mean_interval(self.hits[name], seed=self.seed) for name in ("same view", "baseline"))
        row: dict[str, Any] = {"target": self.target, "setting": str(self.best.setting), "view": str(self.view)}
        row |= {"rows": len(self.hits["steered"]), "top1": self.top1.value, "same_view": same.value}
        row |= {"baseline": baseline.value, "baseline_view": str(self.unsteered.view)}
        for name, gain in (("gain", self.gain), ("gain_over_baseline", self.gain_over_baseline)):
            row |= {name: gain.value, f"{name}_low": gain.low, f"{name}_high": gain.high, f"{name}_p": gain.p}
        return row | {"beats_baseline": self.beats_baseline}

    def __str__(self) -> str:
        """The result in a line, which says so where nothing beats the baseline."""
        found = self.to_dict()
        verdict = "" if self.beats_baseline else "; no setting is shown to beat no intervention"
        return (
            f"{len(self.trials)} settings for {self.target}; best: {self.best.setting}; top-1 {found['top1']:.3f} "
            f"({self.view}); without intervention {found['same_view']:.3f} in the same view, {found['baseline']:.3f} "
            f"at best ({self.unsteered.view}); gain over that {self.gain_over_baseline}{verdict}"
        )

    def save(self, folder: str | Path) -> Path:
        """Save as a folder: the numbers, the steering in ``steering``, and the table ``trials.csv``.

        Raises:
            ArtefactError: the path cannot be written.
        """
        target = user_path(folder)
        self.steering.save_pretrained(target / "steering")
        table = self.to_pandas()
        write_table(target / "trials.csv", list(table.columns), table.itertuples(index=False))
        header = {
            "target": self.target,
            "trials": [trial.to_document() for trial in self.trials],
            "baselines": [trial.to_document() for trial in self.baselines],
            "steering": type(self.steering).__name__,
            "seed": self.seed,
        }
        return save_artefact(target, KIND, self.hits, header)

    @classmethod
    def load(cls, folder: str | Path) -> "AlignmentResult":
        """Load what `save` wrote.

        Raises:
            ArtefactError: something is missing, damaged, or something else.
        """
        arrays, header = load_artefact(folder, KIND)
        with complete(folder, "result of tune_alignment"):
            kind = BUILT[header["steering"]]
            trials, baselines = (
                tuple(AlignmentTrial.from_document(row) for row in header[name]) for name in ("trials", "baselines")
            )
            hits = {name: np.asarray(arrays[name], dtype=np.float64) for name in HITS}
            if (
                not trials
                or None in {trial.setting for trial in trials}
                or len({len(row) for row in hits.values()}) > 1
            ):
                raise ValueError("no trial of a setting, or test rows of unequal number")
            if missing := {trial.stage for trial in trials} - {baseline.stage for baseline in baselines}:
                raise ValueError(f"no baseline of stage {min(missing)}")
            target, seed = str(header["target"]), require_least(header["seed"], "seed", 0)
        steering = kind.from_pretrained(user_path(folder) / "steering")
        return cls(target, trials, baselines, steering, hits, seed)
