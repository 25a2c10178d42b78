"""Expertise: how well each neuron's response tells one language from the others. One pass, exact.

Source: Sundar et al. 2025, section 3 (AUROC); Suau et al. 2022 and Kojima et al. 2024 (average precision).
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tl_experts.errors import ResponseError, TLExpertsWarning
from tl_experts.experts.auroc import STATISTICS, score
from tl_experts.responses.collect import Responses
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.store import StoredResponses

if TYPE_CHECKING:
    import pandas as pd

Metric = Literal["auroc", "ap"]
Scores = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Expertise:
    """Statistics of every neuron for every language (positives: its sentences; negatives: all others).

    Raises:
        ResponseError: arrays of unequal shape.

    Examples:
        >>> from tl_experts import collect_responses, load_model, load_sentences, score_responses
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> expertise = score_responses(collect_responses(model, sentences, progress=False), progress=False)
        >>> best = expertise.auroc[:, expertise.column("ja")].argmax()
        >>> expertise.neurons.describe(int(best)).startswith("L")
        True
    """

    languages: tuple[str, ...]
    """The languages of the columns."""

    neurons: NeuronTable
    """The neurons of the rows."""

    auroc: Scores
    """``[neuron language]``: P(positive > negative) + P(equal) / 2."""

    ap: Scores
    """``[neuron language]``: average precision; tied scores form one threshold."""

    mean: Scores
    """``[neuron language]``: mean response over the positives."""

    median: Scores
    """``[neuron language]``: median response over the positives."""

    p90: Scores
    """``[neuron language]``: 90th percentile of the responses to the positives."""

    negative_mean: Scores
    """``[neuron language]``: mean response over the negatives."""

    site: str
    """The hook site of the neurons."""

    pooling: str
    """How responses were pooled."""

    corpus: str
    """Fingerprint of the corpus."""

    fingerprint: dict[str, str]
    """Fingerprint of the model."""

    def __post_init__(self) -> None:
        """Check the shapes."""
        expected = (self.neurons.total, len(self.languages))
        for name in STATISTICS:
            if getattr(self, name).shape != expected:
                raise ResponseError(f"{name} has shape {getattr(self, name).shape}; expected {expected}")

    def to_pandas(self, language: str) -> "pd.DataFrame":
        """One row per neuron: layer, neuron and the statistics for a language."""
        import pandas as pd

        column = self.column(language)
        table = {"layer": self.neurons.layer_of, "neuron": self.neurons.neuron_of}
        table |= {name: getattr(self, name)[:, column] for name in STATISTICS}
        return pd.DataFrame(table)

    def column(self, language: str) -> int:
        """The column of a language.

        Raises:
            ResponseError: the language was not scored.
        """
        from tl_experts.corpus.languages import language_code
        from tl_experts.errors import near

        code = language_code(language)
        if code not in self.languages:
            raise ResponseError(f"language {language!r} was not scored; {near(code, self.languages)}")
        return self.languages.index(code)


def score_responses(responses: Responses | StoredResponses, *, progress: bool = True) -> Expertise:
    """Score every neuron for every language of the corpus, in one pass over the responses.

    Args:
        responses: responses to a corpus of two or more languages, in memory or on disk (`store_responses`); those on
            disk are read in chunks of neurons.
        progress: show a progress bar, in neurons.

    Returns:
        float32 statistics; AUROC and AP equal scikit-learn's (`roc_auc_score`, `average_precision_score`) to 1e-6.

    Raises:
        ResponseError: only one language, or a NaN (the message names layer, neuron and sentence).

    Warns:
        TLExpertsWarning: a language has only one sentence: many neurons separate one sentence from all others.

    Examples:
        >>> from tl_experts import collect_responses, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> expertise = score_responses(collect_responses(model, sentences, progress=False), progress=False)
        >>> expertise.auroc.shape
        (7168, 9)
    """
    languages = responses.corpus.languages
    if len(languages) < 2:
        raise ResponseError(
            f"the corpus has only one language ({languages[0]}); expertise compares a language with others: add some"
        )
    _warn_of_single_sentences(responses.corpus.labels)
    # Numbered by name: sums over the other languages must not depend on their order in the corpus.
    index_of = {language: index for index, language in enumerate(sorted(languages))}
    labels = np.array([index_of[label] for label in responses.corpus.labels], dtype=np.int64)
    from tqdm.auto import tqdm

    try:
        total = responses.neurons.total
        with tqdm(total=total, desc="expertise", unit="neuron", unit_scale=True, disable=not progress) as bar:
            statistics = score(responses, labels, len(languages), advance=bar.update)
    except FloatingPointError as error:
        row, column = error.args
        raise ResponseError(
            f"the response of neuron {responses.neurons.describe(column)} to sentence {row} "
            f"({responses.corpus.texts[row][:60]!r}) is NaN; does the model's dtype overflow? use float32"
        ) from error
    return Expertise(
        languages=languages,
        neurons=responses.neurons,
        **dict(zip(STATISTICS, statistics[:, :, [index_of[language] for language in languages]], strict=True)),
        site=responses.site,
        pooling=responses.pooling,
        corpus=responses.corpus.fingerprint,
        fingerprint=responses.fingerprint,
    )


def _warn_of_single_sentences(labels: Sequence[str]) -> None:
    single = sorted(language for language, count in Counter(labels).items() if count == 1)
    if single:
        warnings.warn(
            f"{', '.join(single)}: only one sentence; neurons that separate it may not be language-specific. Use at "
            "least a few dozen per language",
            TLExpertsWarning,
            stacklevel=3,
        )
