"""Steering: experts as hook functions, and what the steered model writes.

Inner order: `operations`, `norms`, `positions`, `generation`; `neurons`; `steering`; `interventions`.
"""

from tl_experts.steering.generation import LanguageIdentifier, Perplexity, generate_texts, text_perplexity
from tl_experts.steering.interventions import intervention_hooks, steer
from tl_experts.steering.operations import OPERATIONS
from tl_experts.steering.steering import Steering

__all__ = [
    "OPERATIONS",
    "LanguageIdentifier",
    "Perplexity",
    "Steering",
    "generate_texts",
    "intervention_hooks",
    "steer",
    "text_perplexity",
]
