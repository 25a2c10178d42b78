"""The paper's study of one model and corpus, whole: stages in, tables out, resumable.

Source: Sundar et al. 2025, sections 4 to 7, with the baselines and controls it leaves out.
"""

from tl_experts.study.aligning import AlignmentResult, AlignmentSpace, AlignmentTrial, View, tune_alignment
from tl_experts.study.config import StudyConfig, load_config, shipped_configs
from tl_experts.study.result import StudyResult
from tl_experts.study.run import run_study

__all__ = [
    "AlignmentResult",
    "AlignmentSpace",
    "AlignmentTrial",
    "StudyConfig",
    "StudyResult",
    "View",
    "load_config",
    "run_study",
    "shipped_configs",
    "tune_alignment",
]
