"""Reads the corpora of a search for alignment under settings, every piece once."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.embeddings import Layer
from tl_experts.jobs.pieces import Arrays, Pieces, once_together
from tl_experts.models import Model
from tl_experts.steering.tuning.building import Builder
from tl_experts.steering.tuning.search import stage_bounds
from tl_experts.steering.tuning.space import SearchSpace, Setting
from tl_experts.study.aligning.trials import AlignmentTrial, View, packed, trial_of
from tl_experts.study.spaces import hits_of, setting_spaces

HITS = ("steered", "same view", "baseline")
"""What the test corpus is read as: under the best setting; without intervention in its view, and in the best view."""


@dataclass(frozen=True)
class Reader:
    """Reads both corpora; what a folder keeps is not read again."""

    model: Model
    building: Builder
    dev: Corpus
    test: Corpus
    layers: Sequence[Layer]
    """Each once."""

    numbers: Mapping[Setting | None, int]
    """Of the settings, from 0."""

    pieces: Pieces | None

    @classmethod
    def of(
        cls,
        model: Model,
        building: Builder,
        corpora: tuple[Corpus, Corpus],
        space: SearchSpace,
        layers: Sequence[Layer],
        pieces: Pieces | None,
    ) -> "Reader":
        """A reader of the settings of a space; the pieces are of one search in it."""
        settings: list[Setting | None] = [None, *space.settings()]
        numbers = {setting: number for number, setting in enumerate(settings)}
        return cls(model, building, *corpora, layers, numbers, pieces)

    @property
    def ends(self) -> list[int]:
        """The rows of the dev split that each stage reads."""
        return [end for _, end in stage_bounds(len(next(iter(self.dev.parallel().values()))))]

    def measure(self, settings: Sequence[Setting | None], stage: int) -> list[tuple[AlignmentTrial, float]]:
        """The trial of each setting at a stage, and the seconds that it took."""
        rows = self.ends[stage]

        def read() -> list[Arrays]:
            begun = time.perf_counter()
            spaces = setting_spaces(self.model, self.building, settings, self.dev.head(rows), self.layers)
            found = {setting: packed(own) for setting, own in spaces}
            seconds = np.array([(time.perf_counter() - begun) / len(settings)])
            return [found[setting] | {"seconds": seconds} for setting in settings]

        kept = once_together(self.pieces, [self._number(setting, stage) for setting in settings], read)
        trials = [
            trial_of(setting, stage, rows, self.layers, arrays) for setting, arrays in zip(settings, kept, strict=True)
        ]
        return [(trial, trial.seconds) for trial in trials]

    def baseline(self, stage: int) -> AlignmentTrial:
        """No intervention at a stage."""
        return self.measure([None], stage)[0][0]

    def report(self, best: AlignmentTrial, unsteered: AlignmentTrial) -> dict[str, Any]:
        """The hits of the test corpus.

        Args:
            best: the trial that is reported.
            unsteered: no intervention on the same rows of the dev split.
        """
        same = View(unsteered.centred_layer if best.view.centred else unsteered.raw_layer, best.view.centred)
        views = dict(zip(HITS, (best.view, same, unsteered.view), strict=True))

        def measure() -> list[Arrays]:
            layers = list(dict.fromkeys(view.layer for view in views.values()))
            read = dict(setting_spaces(self.model, self.building, [best.setting, None], self.test, layers))
            spaces = {name: read[best.setting if name == HITS[0] else None] for name in views}
            return [
                {name: hits_of(spaces[name][view.layer], centred=view.centred).numpy() for name, view in views.items()}
            ]

        # The views follow from the setting, the stage and what is kept of the dev split.
        number = self._number(best.setting, len(self.ends) + best.stage)
        [hits] = once_together(self.pieces, [number], measure)
        return hits

    def _number(self, setting: Setting | None, part: int) -> int:
        """Of a piece; the parts of a setting are the stages, then the reports after each."""
        return self.numbers[setting] * 2 * len(self.ends) + part
