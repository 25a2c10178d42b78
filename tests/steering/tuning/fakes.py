"""Measures of texts that nobody wrote."""

import numpy as np

from tl_experts.steering.tuning import Setting, Trial
from tl_experts.steering.writing.measures import TextMeasures


def measures(share, perplexity=10.0, bigrams=1.0, *, count=4, natural=None, language="es") -> TextMeasures:
    """Texts that all measure the same; the first of them are in the language."""
    columns = [np.full(count, value, dtype=float) for value in (perplexity, bigrams, 0.8)]
    texts = tuple(f"text {number}" for number in range(count))
    inside = np.arange(count) < round(share * count)
    return TextMeasures(language, texts, ("a prompt",) * count, inside, *columns, natural)


NATURAL = measures(1.0)


def setting(count=5, strength=1.0, **options) -> Setting:
    return Setting("auroc", count, **{"operation": "add", "value": "mean", "strength": strength} | options)


def trial(share, quality, *, stage=0, stopped=False, count=5) -> Trial:
    return Trial(setting(count), stage, 4, 4, share, 10.0, 0.9, 0.8, quality, stopped, 1.0, "text")
