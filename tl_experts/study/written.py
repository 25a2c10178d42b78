"""How texts read: fluency and repetition, and when a text only repeats itself.

A repeated word has a high language-id probability and a low perplexity, so neither finds it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tl_experts.jobs.pieces import Arrays
from tl_experts.models import Model
from tl_experts.steering.writing.continuing import Decoding, continue_prompts
from tl_experts.steering.writing.fluency import text_perplexities
from tl_experts.steering.writing.measures import VARIETY_RATIO
from tl_experts.steering.writing.repetition import compression_ratio, distinct_bigrams

MEASURES = ("fluency", "distinct", "compression")
"""Median perplexity of a text under the model without steering; means of its distinct bigrams and compression ratio."""

_CHARACTER = 4
"""Tokens of a character, at most: its bytes."""


def text_arrays(model: Model, texts: Sequence[str], *, progress: bool, prompts: Sequence[str] | None = None) -> Arrays:
    """The measures of each text; NaN for what cannot be measured, such as an empty text.

    Call it outside `steer`.
    """
    return {
        "fluency": text_perplexities(model, texts, prompts=prompts, progress=progress),
        "distinct": np.array([distinct_bigrams(text) for text in texts]),
        "compression": np.array([compression_ratio(text) for text in texts]),
    }


def natural_texts(model: Model, sentences: Sequence[str], *, seed: int, tokens: int, progress: bool) -> Arrays:
    """The measures of the model's own continuations of the first halves of sentences.

    Decoding is that of `generate_texts`, so that the texts differ from free generations in their prompts only.
    """
    longest = max(0, (int(model.cfg.n_ctx) - tokens - 1) // _CHARACTER)
    prompts = [_beginning(sentence, longest) for sentence in sentences]
    decoding = Decoding(max_new_tokens=tokens, temperature=1.0, top_p=0.9)
    written = continue_prompts(model, prompts, seed=seed, decoding=decoding, progress=progress)
    return text_arrays(model, [text for (text,) in written], prompts=prompts, progress=progress)


def summary(arrays: Arrays) -> dict[str, float]:
    """One number per measure; NaN if no text could be measured."""
    found = {}
    for name in MEASURES:
        known = arrays[name][~np.isnan(arrays[name])]
        if len(known):
            found[name] = float(np.median(known) if name == "fluency" else known.mean())
        else:
            found[name] = float("nan")
    return found


def only_repeats(measures: Mapping[str, float], natural: Mapping[str, float]) -> bool:
    """Whether distinct bigrams or compression ratio are below 0.9 of those of natural texts, or there is no text.

    Examples:
        >>> natural = {"distinct": 0.9, "compression": 0.6}
        >>> only_repeats({"distinct": 0.85, "compression": 0.6}, natural)
        False
        >>> only_repeats({"distinct": 0.85, "compression": 0.3}, natural)
        True
    """
    bars = {name: VARIETY_RATIO * np.nan_to_num(natural[name]) for name in ("distinct", "compression")}
    return not all(measures[name] >= bar for name, bar in bars.items())


def _beginning(sentence: str, longest: int) -> str:
    """Half of a sentence, at a space if there is one."""
    half = sentence[: min(len(sentence) // 2, longest)]
    return half.rsplit(maxsplit=1)[0] if half.strip() else ""
