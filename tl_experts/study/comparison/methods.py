"""The methods that are compared: each a way to choose neurons and a way to hold them, with the settings it may take."""

from dataclasses import dataclass
from pathlib import Path

from tl_experts.steering.positions import Positions
from tl_experts.steering.tuning.space import ALL, SHIFTS, VECTOR, SearchSpace, Setting
from tl_experts.study.comparison.config import CompareConfig

UNSTEERED = "no intervention"
"""The baseline of every table, as it is called there."""

STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
NAMES = {ALL: "all neurons, difference of means", VECTOR: "language vector"}


@dataclass(frozen=True)
class Method:
    """A scoring with an intervention."""

    scoring: str
    """A scoring, ``"all"`` neurons, or the language ``"vector"`` of the residual stream."""

    hold: str
    """Operation and value."""

    @property
    def name(self) -> str:
        """As tables and figures show it."""
        return NAMES.get(self.scoring) or f"{self.scoring}, {self.hold}"

    @property
    def key(self) -> str:
        """As a folder may be called."""
        return f"{self.scoring}-{self.hold.replace(' ', '-')}"

    def space(self, config: CompareConfig, layers: int) -> SearchSpace:
        """The settings that the search for writing chooses from.

        Args:
            config: the comparison.
            layers: of the model. A language vector acts at one layer or at all, as in CLaS-Bench.
        """
        operation, value = self.hold.split(" ")
        # A model that reads the prompt unshifted often writes better.
        whole: tuple[Positions, ...] = ("all", "generated") if self.scoring in SHIFTS else ("all",)
        single = [(layer,) for layer in range(0, layers, max(1, layers // 6))]
        return SearchSpace(
            scorings=(self.scoring,),
            counts=config.counts,
            holds=((operation, value),),
            strengths=STRENGTHS,
            positions=(*whole, *config.first_tokens),
            sources=(None, "en"),
            layers=(None, *single) if self.scoring == VECTOR else (None,),
        )

    def retrieval_settings(self, config: CompareConfig) -> list[Setting]:
        """The settings that retrieval chooses from: at strength 1, at every position."""
        if self.scoring in SHIFTS:
            return [Setting(self.scoring, None)]
        operation, value = self.hold.split(" ")
        return [Setting(self.scoring, count, operation, value) for count in config.retrieval_counts]


def tuning_folder(comparison: Path, target: str, method: Method) -> Path:
    """Where the search of a method for a target is kept, in the folder of a comparison."""
    return comparison / "tuning" / target / method.key


def methods(config: CompareConfig) -> list[Method]:
    """Every scoring with every hold, all neurons, and the language vector, which any method has to beat."""
    chosen = [Method(scoring, hold) for scoring in config.scorings for hold in config.holds]
    return [*chosen, Method(ALL, "add diffmean"), Method(VECTOR, "add diffmean")]
