"""What a model writes: many prompts continued at once, measures of the texts.

Inner order: `words`, `language`, `prompts`, `fluency`, `meaning`; `repetition`, `passes`, `continuing`;
`measures`.
"""

from tl_experts.steering.writing.continuing import Decoding, continue_prompts, continue_side_by_side
from tl_experts.steering.writing.fluency import text_perplexities
from tl_experts.steering.writing.language import identify_lines, text_language
from tl_experts.steering.writing.meaning import MeaningMeasures, MeaningScale, meaning_scale, measure_meaning
from tl_experts.steering.writing.measures import TextMeasures, measure_texts, measure_writing
from tl_experts.steering.writing.passes import PassRates, pass_rates
from tl_experts.steering.writing.prompts import load_prompts
from tl_experts.steering.writing.repetition import compression_ratio, distinct_bigrams

__all__ = [
    "Decoding",
    "MeaningMeasures",
    "MeaningScale",
    "PassRates",
    "TextMeasures",
    "compression_ratio",
    "continue_prompts",
    "continue_side_by_side",
    "distinct_bigrams",
    "identify_lines",
    "load_prompts",
    "meaning_scale",
    "measure_meaning",
    "measure_texts",
    "measure_writing",
    "pass_rates",
    "text_language",
    "text_perplexities",
]
