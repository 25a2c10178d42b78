"""Tuning: which neurons to hold, how many and how, so that a model writes a language well.

Inner order: `space`; `building`, `trials`; `search`, `result`, `shipped`; `tuner`.
"""

from tl_experts.steering.tuning.result import TuneResult
from tl_experts.steering.tuning.search import Budget
from tl_experts.steering.tuning.shipped import TunedSetting, tuned_setting, tuned_settings, tuned_steering
from tl_experts.steering.tuning.space import SearchSpace, Setting
from tl_experts.steering.tuning.trials import Trial
from tl_experts.steering.tuning.tuner import TuningPrompts, bundled_tuning_prompts, tune

__all__ = [
    "Budget",
    "SearchSpace",
    "Setting",
    "Trial",
    "TuneResult",
    "TunedSetting",
    "TuningPrompts",
    "bundled_tuning_prompts",
    "tune",
    "tuned_setting",
    "tuned_settings",
    "tuned_steering",
]
