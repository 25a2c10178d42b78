"""Steering: experts as hook functions, and what the steered model writes.

Inner order: `operations`, `norms`, `positions`, `maps`, `sampling`, `matrix`, `choices`; `edits`, `generation`;
`neurons`; `steering`, `affine`, `subspaces`; `interventions`, `vectors`; `side_by_side`; `transport`, `directions`,
`silencing`, `fallback`, `writing`; `tuning`.
"""

from tl_experts.steering.affine import AffineMap
from tl_experts.steering.directions import language_direction
from tl_experts.steering.fallback import Fallback, fallback_languages
from tl_experts.steering.generation import LanguageIdentifier, Perplexity, generate_texts, text_perplexity
from tl_experts.steering.interventions import intervention_hooks, steer
from tl_experts.steering.matrix import SilencingMatrix
from tl_experts.steering.operations import OPERATIONS
from tl_experts.steering.side_by_side import SideBySide
from tl_experts.steering.silencing import silencing_matrix
from tl_experts.steering.steering import Steering
from tl_experts.steering.subspaces import SubspaceSwap, language_swap
from tl_experts.steering.transport import fit_transport, fit_transport_by_layer
from tl_experts.steering.tuning import (
    Budget,
    SearchSpace,
    Setting,
    TunedSetting,
    TuneResult,
    TuningPrompts,
    bundled_tuning_prompts,
    tune,
    tuned_setting,
    tuned_settings,
    tuned_steering,
)
from tl_experts.steering.vectors import language_dimensions, language_vector
from tl_experts.steering.writing import (
    Decoding,
    MeaningMeasures,
    MeaningScale,
    PassRates,
    TextMeasures,
    compression_ratio,
    continue_prompts,
    continue_side_by_side,
    distinct_bigrams,
    identify_lines,
    load_prompts,
    meaning_scale,
    measure_meaning,
    measure_texts,
    measure_writing,
    pass_rates,
    text_language,
    text_perplexities,
)

__all__ = [
    "OPERATIONS",
    "AffineMap",
    "Budget",
    "Decoding",
    "Fallback",
    "LanguageIdentifier",
    "MeaningMeasures",
    "MeaningScale",
    "PassRates",
    "Perplexity",
    "SearchSpace",
    "Setting",
    "SideBySide",
    "SilencingMatrix",
    "Steering",
    "SubspaceSwap",
    "TextMeasures",
    "TuneResult",
    "TunedSetting",
    "TuningPrompts",
    "bundled_tuning_prompts",
    "compression_ratio",
    "continue_prompts",
    "continue_side_by_side",
    "distinct_bigrams",
    "fallback_languages",
    "fit_transport",
    "fit_transport_by_layer",
    "generate_texts",
    "identify_lines",
    "intervention_hooks",
    "language_dimensions",
    "language_direction",
    "language_swap",
    "language_vector",
    "load_prompts",
    "meaning_scale",
    "measure_meaning",
    "measure_texts",
    "measure_writing",
    "pass_rates",
    "silencing_matrix",
    "steer",
    "text_language",
    "text_perplexities",
    "text_perplexity",
    "tune",
    "tuned_setting",
    "tuned_settings",
    "tuned_steering",
]
