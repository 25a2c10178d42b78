"""Experts: how well each neuron identifies each language, and the neurons that identify it best.

Inner order: `auroc` (the kernel), `hub` and `card` (sharing), `expertise`, `experts`, `find`.
"""

from tl_experts.experts.expertise import Expertise, score_responses
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import find_experts, select_experts

__all__ = ["Expertise", "Experts", "find_experts", "score_responses", "select_experts"]
