"""Steering: experts as hook functions, and what the steered model writes.

Inner order: `operations`, `norms` and `generation`, then `interventions`.
"""

from tl_experts.steering.generation import LanguageIdentifier, Perplexity, generate_texts, text_perplexity
from tl_experts.steering.interventions import intervention_hooks, steer
from tl_experts.steering.operations import OPERATIONS

__all__ = [
    "OPERATIONS",
    "LanguageIdentifier",
    "Perplexity",
    "generate_texts",
    "intervention_hooks",
    "steer",
    "text_perplexity",
]
