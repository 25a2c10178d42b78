"""A study that kills its own process: `tests.forks` imports this."""

import os
import signal
import warnings
from typing import Any

import transformer_lens  # noqa: F401 (with what a study imports, so that it begins at once)
import transformers.models.llama.modeling_llama  # noqa: F401

import tl_experts.study.run  # noqa: F401
from tl_experts.jobs.pieces import Pieces
from tl_experts.study import StudyConfig, run_study


def run(options: dict[str, Any], folder: str, saves: int) -> None:
    """Run a study that is killed by SIGKILL as it saves the piece after so many."""
    save, left = Pieces.save, saves

    def counting(self: Pieces, number: int, arrays: Any) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        save(self, number, arrays)

    Pieces.save = counting  # type: ignore[method-assign]
    warnings.simplefilter("ignore")
    run_study(StudyConfig.from_dict(options), folder, progress=False)
