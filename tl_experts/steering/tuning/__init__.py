"""Tuning: which neurons to hold, how many and how, so that a model writes a language well.

Inner order: `space`; `building`, `trials`; `search`, `result`; `tuner`.
"""

from tl_experts.steering.tuning.result import TuneResult
from tl_experts.steering.tuning.search import Budget
from tl_experts.steering.tuning.space import SearchSpace, Setting
from tl_experts.steering.tuning.trials import Trial
from tl_experts.steering.tuning.tuner import TuningPrompts, bundled_tuning_prompts, tune

__all__ = ["Budget", "SearchSpace", "Setting", "Trial", "TuneResult", "TuningPrompts", "bundled_tuning_prompts", "tune"]
