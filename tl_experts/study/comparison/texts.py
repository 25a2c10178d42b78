"""What is written for one target: prompts, texts, and the rows of the tables that hold them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tl_experts.jobs.stages import Row
from tl_experts.steering.interventions import Steerable
from tl_experts.steering.tuning.space import Setting
from tl_experts.steering.writing.measures import TextMeasures, measure_writing
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.comparison.methods import Method
from tl_experts.study.comparison.prompts import WritingPrompts, writing_prompts

NOTHING = {"share": 0.0, "score": 0.0, "quality": 0.0, "reads_well": False}
"""The measures of a method of which no setting wrote a text in the language without repeating itself."""

UNKNOWN = {"share": float("nan"), "score": float("nan"), "quality": float("nan"), "reads_well": None}
"""The measures of a method of which no setting was measured."""


@dataclass(frozen=True, eq=False)
class Writer:
    """The texts of one target, all measured beside the same natural ones."""

    bench: CompareBench
    target: str

    @cached_property
    def prompts(self) -> WritingPrompts:
        """The prompts of the target."""
        return writing_prompts(self.bench.config, self.target)

    @cached_property
    def natural(self) -> TextMeasures:
        """The model's own texts after the prompts in the target language."""
        return self._measured(self.prompts.own, None, None)

    @cached_property
    def _natural_of_search(self) -> TextMeasures:
        """The model's own texts after the prompts of the search in the target language."""
        return self._measured(self.prompts.tuning.natural, None, None)

    def searched(self, steering: Steerable) -> TextMeasures:
        """The texts after the prompts of the search."""
        return self._measured(self.prompts.tuning.search, steering, self._natural_of_search)

    def measured(self, prompts: Sequence[str], steering: Steerable | None) -> TextMeasures:
        """The texts after some prompts; None: without steering."""
        return self._measured(prompts, steering, self.natural)

    def _measured(
        self, prompts: Sequence[str], steering: Steerable | None, natural: TextMeasures | None
    ) -> TextMeasures:
        config = self.bench.config
        return measure_writing(
            self.bench.model,
            list(prompts),
            self.target,
            steering=steering,
            texts=config.texts,
            seed=config.seed,
            decoding=self.bench.decoding,
            natural=natural,
            progress=False,
        )

    def row(self, method: Method | str, measures: TextMeasures | None, setting: Setting | None = None) -> Row:
        """A method, its setting and what its texts measured; None: it wrote none."""
        name, scoring = (method, "") if isinstance(method, str) else (method.name, method.scoring)
        told = "" if setting is None else json.dumps(setting.to_dict())
        row = {"target": self.target, "method": name, "scoring": scoring, "setting": told}
        if measures is None:
            return row | NOTHING
        quality = float(measures.quality.mean())
        return row | measures.to_dict() | {"quality": quality, "example": measures.texts[0]}

    def text_rows(self, method: str, measures: TextMeasures) -> list[Row]:
        """Every text: its prompt, the row of the prompt, and its quality, 0 in another language."""
        useful = np.where(measures.in_language, measures.quality, 0.0)
        columns = zip(measures.prompts, measures.texts, useful, strict=True)
        return [
            {
                "target": self.target,
                "method": method,
                "row": number // self.bench.config.texts,
                "prompt": prompt,
                "text": text,
                "useful": float(value),
            }
            for number, (prompt, text, value) in enumerate(columns)
        ]


def setting_of(row: Row) -> Setting | None:
    """The setting that `Writer.row` noted; None: there is none."""
    told: Any = row["setting"]
    return Setting.from_dict(json.loads(told)) if told else None
