"""The search for the setting under which sentences find their translations: `tune_alignment`."""

from tl_experts.study.aligning.result import AlignmentResult
from tl_experts.study.aligning.space import AlignmentSpace
from tl_experts.study.aligning.trials import AlignmentTrial, View
from tl_experts.study.aligning.tuner import tune_alignment

__all__ = ["AlignmentResult", "AlignmentSpace", "AlignmentTrial", "View", "tune_alignment"]
