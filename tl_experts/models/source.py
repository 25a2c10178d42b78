"""`ModelSource`: which model to load and how, as a value; and a model from whatever a user gives for one."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from tl_experts.errors import ModelError
from tl_experts.models.hooks import Model, require_model
from tl_experts.models.loading import load_model
from tl_experts.models.placement import DeviceMap


@dataclass(frozen=True)
class ModelSource:
    """Which model to load, and how: the arguments of `load_model` as a frozen value.

    Functions that take a model take one of these as well, and workers need one: each loads the model itself.

    Raises:
        ModelError: the name is neither a string nor a path.

    Examples:
        >>> from tl_experts import ModelSource
        >>> ModelSource("polyglot-mini", dtype="bfloat16").load().cfg.dtype
        torch.bfloat16
    """

    name: str | Path
    """A model of `available_models`, a local Hugging Face folder, or a hub name."""

    device: str | torch.device | None = None
    dtype: str | torch.dtype = "float32"
    n_devices: int = 1
    device_map: DeviceMap | None = None
    revision: str | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        """Check that the name is one."""
        if not isinstance(self.name, str | Path):
            raise ModelError(
                f"{type(self.name).__name__} is loaded already; give the name or the folder to load it from"
            )

    def load(self) -> Model:
        """The model.

        Raises:
            ModelError: as `load_model`.
        """
        return load_model(
            self.name,
            device=self.device,
            dtype=self.dtype,
            n_devices=self.n_devices,
            device_map=self.device_map,
            revision=self.revision,
            trust_remote_code=self.trust_remote_code,
        )

    def on_worker(self, gpus: float) -> "ModelSource":
        """The same model for a worker that owns some GPUs: where this process puts its own copy does not matter."""
        return replace(self, device=None, device_map=None, n_devices=max(1, int(gpus)))


ModelLike = Model | str | Path | ModelSource
"""A loaded model, or what loads one."""


def model_source(model: ModelLike) -> ModelSource:
    """Which model workers are to load.

    Raises:
        ModelError: the model is loaded already; workers cannot tell from where.
    """
    if isinstance(model, ModelSource):
        return model
    if isinstance(model, str | Path):
        return ModelSource(model)
    raise ModelError(
        "workers load the model themselves; give its name, its folder or a ModelSource instead of a loaded model"
    )


def as_model(model: ModelLike) -> Model:
    """A loaded model as it is; otherwise the one that a name, folder or `ModelSource` stands for.

    Raises:
        ModelError: as `load_model`, or the object is not a model.
    """
    if isinstance(model, str | Path | ModelSource):
        return model_source(model).load()
    require_model(model)
    return model
