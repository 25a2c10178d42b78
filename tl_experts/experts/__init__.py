"""Experts: how well each neuron tells each language, and the neurons that tell it best.

Inner order: `auroc` (the kernel), `expertise`, `experts`, `find`.
"""

from tl_experts.experts.expertise import Expertise, score_responses
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import find_experts, select_experts

__all__ = ["Expertise", "Experts", "find_experts", "score_responses", "select_experts"]
