"""Trials of a search for alignment: how often sentences found their translations under a setting."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from tl_experts.embeddings.embeddings import Layer
from tl_experts.jobs.pieces import Arrays
from tl_experts.steering.tuning.space import Setting
from tl_experts.study.spaces import Space, hits_of, layer_name

NO_INTERVENTION = "no intervention"


@dataclass(frozen=True)
class View:
    """How sentence vectors are read.

    Examples:
        >>> print(View(3, True))
        layer 3, centred
    """

    layer: Layer
    """A block; None: the last hidden state."""

    centred: bool
    """Whether each language's mean is subtracted."""

    def __str__(self) -> str:
        """The view in words."""
        return ("last layer" if self.layer is None else f"layer {self.layer}") + (", centred" if self.centred else "")


@dataclass(frozen=True)
class AlignmentTrial:
    """A setting and how often sentences found their translations on the dev split."""

    setting: Setting | None
    """None: no intervention."""

    stage: int
    """The last stage that it reached, from 0."""

    rows: int
    """How many rows were compared. Fewer rows are easier: only trials of the same number can be compared."""

    raw: float
    """Top-1 over all ordered pairs of languages, 0 to 1, in the best layer."""

    raw_layer: Layer
    centred: float
    """The same with each language's mean subtracted."""

    centred_layer: Layer
    seconds: float

    stopped: ClassVar[bool] = False
    """No trial is: a setting may do badly on few rows and well on more."""

    @property
    def view(self) -> View:
        """The better of the two; of equals, without centring."""
        return View(self.centred_layer, True) if self.centred > self.raw else View(self.raw_layer, False)

    @property
    def top1(self) -> float:
        """That of `view`."""
        return max(self.raw, self.centred)

    @property
    def rank(self) -> tuple[float, ...]:
        """The larger, the better: stages reached, then top-1, then fewer neurons."""
        return self.stage, self.top1, -((self.setting.count if self.setting else 0) or 0)

    def to_dict(self) -> dict[str, Any]:
        """A row of the table."""
        own = {"setting": NO_INTERVENTION if self.setting is None else str(self.setting)}
        names = ("stage", "rows", "top1", "raw", "raw_layer", "centred", "centred_layer", "seconds")
        row = own | {name: getattr(self, name) for name in names}
        return row | {name: layer_name(row[name]) for name in ("raw_layer", "centred_layer")}

    def to_document(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "AlignmentTrial":
        """What `to_document` gave.

        Raises:
            TLExpertsError, KeyError, TypeError, ValueError: something is missing or not defined.
        """
        setting = None if document["setting"] is None else Setting.from_dict(document["setting"])
        numbers: dict[str, Any] = {name: float(document[name]) for name in ("raw", "centred", "seconds")}
        layers: dict[str, Any] = {
            name: None if document[name] is None else int(document[name]) for name in ("raw_layer", "centred_layer")
        }
        return cls(setting, int(document["stage"]), int(document["rows"]), **numbers, **layers)


def packed(spaces: Mapping[Layer, Space]) -> Arrays:
    """Top-1 of the embeddings under one setting, raw and centred, each ``[layer]``."""
    return {
        name: np.array([float(hits_of(space, centred=name == "centred").mean()) for space in spaces.values()])
        for name in ("raw", "centred")
    }


def trial_of(setting: Setting | None, stage: int, rows: int, layers: Sequence[Layer], arrays: Arrays) -> AlignmentTrial:
    """The trial of what `packed` gave and its ``seconds``; each view in its best layer, the first of equals."""
    best = {name: int(arrays[name].argmax()) for name in ("raw", "centred")}
    return AlignmentTrial(
        setting,
        stage,
        rows,
        raw=float(arrays["raw"][best["raw"]]),
        raw_layer=layers[best["raw"]],
        centred=float(arrays["centred"][best["centred"]]),
        centred_layer=layers[best["centred"]],
        seconds=float(arrays["seconds"][0]),
    )
