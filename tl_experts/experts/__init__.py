"""Experts: how well each neuron identifies each language, and the neurons that identify it best.

Inner order: `auroc` and `lape` (the kernels), `hub` and `card` (sharing), `control` and `combine`, `masks` (a reader);
`expertise`; `evidence` (what scorings use); the scorings `differences`, `dln`, `entropy` and
`probe`; `experts` and `scorings`
(their names); `find`, `own`, `leave_out` (a control) and `overlap`.
"""

from tl_experts.experts.dln import Dln
from tl_experts.experts.entropy import AlignedLape, Lape
from tl_experts.experts.evidence import Evidence
from tl_experts.experts.expertise import Expertise, score_responses
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import find_experts, select_experts
from tl_experts.experts.leave_out import LeaveOut
from tl_experts.experts.overlap import scoring_overlap
from tl_experts.experts.own import experts_from_list, experts_from_masks
from tl_experts.experts.probe import SparseProbe
from tl_experts.experts.scorings import SCORINGS

__all__ = [
    "SCORINGS",
    "AlignedLape",
    "Dln",
    "Evidence",
    "Expertise",
    "Experts",
    "Lape",
    "LeaveOut",
    "SparseProbe",
    "experts_from_list",
    "experts_from_masks",
    "find_experts",
    "score_responses",
    "scoring_overlap",
    "select_experts",
]
