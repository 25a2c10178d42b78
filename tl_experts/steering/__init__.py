"""Steering: experts as hook functions, and what the steered model writes.

Inner order: `interventions`, `generation`.
"""

from tl_experts.steering.generation import LanguageIdentifier, Perplexity, generate_texts, text_perplexity
from tl_experts.steering.interventions import intervention_hooks, steer

__all__ = [
    "LanguageIdentifier",
    "Perplexity",
    "generate_texts",
    "intervention_hooks",
    "steer",
    "text_perplexity",
]
