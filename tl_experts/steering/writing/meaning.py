"""Meaning: how near texts come to references that say what they should say, by a sentence encoder.

The encoder's cosines lie close together: about .78 for sentences that have nothing to do with each other, .89 for
translations. `MeaningScale` maps the one to 0 and the other to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Float64
from numpy.typing import NDArray

from tl_experts.analysis.statistics import Estimate, ratio_interval
from tl_experts.analysis.vectors import normalise
from tl_experts.corpus.languages import language_code
from tl_experts.corpus.pairs import load_paraphrases
from tl_experts.corpus.readers import load_sentences
from tl_experts.corpus.sentence_encoder import encoded
from tl_experts.errors import TLExpertsError, near

if TYPE_CHECKING:
    import pandas as pd

SCALE_ROWS = 60
"""Rows of the bundled text from which a scale is measured."""

LEAST_SPREAD = 0.01
"""Cosines of pairs and of other sentences must differ by more than this: else a scale measures noise."""


@dataclass(frozen=True)
class MeaningScale:
    """Which cosines of the encoder mean "nothing in common" and "says the same".

    Raises:
        TLExpertsError: `same` is not clearly above `unrelated`.

    Examples:
        >>> MeaningScale(unrelated=0.8, same=0.9)
        MeaningScale(unrelated=0.8, same=0.9)
    """

    unrelated: float
    """Mean cosine of sentences of different rows: 0 of the scale."""

    same: float
    """Mean cosine of sentences that say the same: 1 of the scale."""

    def __post_init__(self) -> None:
        """Check that the two differ."""
        if not self.same - self.unrelated > LEAST_SPREAD:
            raise TLExpertsError(
                f"the cosine of pairs is {self.same:.3f}, that of other sentences {self.unrelated:.3f}: no scale; give "
                "sentences that say the same row by row, and different things in different rows"
            )

    @classmethod
    def of(cls, first: Sequence[str], second: Sequence[str]) -> "MeaningScale":
        """The scale of sentences that say the same row by row: translations, or paraphrases.

        Args:
            first: sentences in the language of the texts.
            second: the same in the language of the references.

        Raises:
            TLExpertsError: fewer than two rows, lists of unequal length, an empty sentence, no clear difference, or the
                extra ``ceiling`` is not installed.
        """
        _require_rows({"first": first, "second": second}, least=2, empty=())
        cosines = _unit(first) @ _unit(second).T
        rows = len(first)
        same = float(np.trace(cosines))
        return cls(unrelated=float(cosines.sum() - same) / (rows * (rows - 1)), same=same / rows)


def meaning_scale(language: str, reference_language: str) -> MeaningScale:
    """The scale of two of the bundled languages, from 60 rows of bundled text.

    Translations of the dev split; in one language paraphrases, which are bundled for six languages.

    Args:
        language: of the texts.
        reference_language: of the references.

    Raises:
        TLExpertsError: a language without such text, or the extra ``ceiling`` is not installed.
    """
    return _bundled_scale(language_code(language), language_code(reference_language))


@dataclass(frozen=True, eq=False)
class MeaningMeasures:
    """What `measure_meaning` found. The interval is of 95%, by a bootstrap over references: some have several texts."""

    texts: tuple[str, ...]
    references: tuple[str, ...]

    cosines: Float64[np.ndarray, " text"]
    """Of each text's vector and its reference's; NaN for an empty text."""

    scale: MeaningScale

    seed: int = 0
    """Seed of the bootstrap."""

    @cached_property
    def similarities(self) -> Float64[np.ndarray, " text"]:
        """Each cosine on the scale: 0 nothing in common, 1 as near as translations are on average; 0 if empty.

        Not cut at 0 and 1, since the mean would be biased.
        """
        spread = self.scale.same - self.scale.unrelated
        found: NDArray[np.float64] = np.nan_to_num((self.cosines - self.scale.unrelated) / spread, nan=0.0)
        return found

    @property
    def similarity(self) -> Estimate:
        """The mean of `similarities`."""
        numbers = {reference: number for number, reference in enumerate(dict.fromkeys(self.references))}
        groups = [numbers[reference] for reference in self.references]
        sums, counts = np.bincount(groups, weights=self.similarities), np.bincount(groups)
        return ratio_interval(sums, counts, seed=self.seed)

    def to_dict(self) -> dict[str, Any]:
        """The numbers, for a table or JSON."""
        found = self.similarity
        row = {"texts": len(self.texts), "similarity": found.value}
        row |= {"similarity_low": found.low, "similarity_high": found.high}
        return row | {"unrelated_cosine": self.scale.unrelated, "same_cosine": self.scale.same}

    def to_pandas(self) -> "pd.DataFrame":
        """One row per text."""
        import pandas as pd

        columns = {"text": self.texts, "reference": self.references}
        return pd.DataFrame({**columns, "cosine": self.cosines, "similarity": self.similarities})

    def __str__(self) -> str:
        """The measures in a line."""
        return f"{len(self.texts)} texts, similarity to their references {self.similarity}"


def measure_meaning(
    texts: Sequence[str],
    references: Sequence[str],
    *,
    language: str | None = None,
    reference_language: str | None = None,
    scale: MeaningScale | None = None,
    seed: int = 0,
) -> MeaningMeasures:
    """How near texts come in meaning to their references: answers to the right ones, translations to their originals.

    By the cosine of multilingual-e5-small (Wang et al. 2024, arXiv 2402.05672; extra ``ceiling``), brought to a scale.
    It sees topics and words, not statements: a sentence in which two roles are exchanged comes out nearer than a
    paraphrase.

    Args:
        texts: what was written.
        references: what each should say, one a text, in any language.
        language: of the texts, one of the bundled languages; needed without `scale`.
        reference_language: of the references; None: that of the texts.
        scale: instead of the languages: `MeaningScale.of` pairs of sentences that say the same.
        seed: of the bootstrap.

    Raises:
        TLExpertsError: no text, not one reference a text, an empty reference, neither `language` nor `scale`, both, or
            the extra ``ceiling`` is not installed.

    Examples:
        >>> scale = MeaningScale(unrelated=0.787, same=0.908)
        >>> measure_meaning(["Die Katze schläft."], ["The cat is asleep."], scale=scale)  # doctest: +SKIP
        >>> measure_meaning(texts, references, language="de", reference_language="en")  # doctest: +SKIP
    """
    _require_rows({"texts": texts, "references": references}, least=1, empty=("texts",))
    if (language is None) == (scale is None) or (language is None and reference_language is not None):
        raise TLExpertsError(
            f"language is {language!r}, reference_language {reference_language!r}, scale {scale!r}; give the language "
            "of the texts, or a scale"
        )
    used = scale or meaning_scale(str(language), reference_language or str(language))
    full = [row for row, text in enumerate(texts) if text.strip()]
    cosines = np.full(len(texts), np.nan)
    if full:
        own, wanted = (_unit([side[row] for row in full]) for side in (texts, references))
        cosines[full] = (own * wanted).sum(axis=1)
    return MeaningMeasures(tuple(texts), tuple(references), cosines, used, seed)


def _require_rows(columns: dict[str, Sequence[str]], *, least: int, empty: tuple[str, ...]) -> None:
    """Refuse what is not two lists of texts, row by row; empty ones are allowed in the columns `empty`."""
    for name, column in columns.items():
        if isinstance(column, str) or not isinstance(column, Sequence) or len(column) < least:
            raise TLExpertsError(f"{name} is {column!r:.60}; give a list of {least} or more")
        for row, text in enumerate(column):
            if not isinstance(text, str) or not (text.strip() or name in empty):
                raise TLExpertsError(f"row {row} of {name} is {text!r:.60}; expected text")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise TLExpertsError(f"{lengths}: give as many of one as of the other, row by row")


@cache
def _bundled_scale(language: str, reference_language: str) -> MeaningScale:
    if language == reference_language:
        paraphrases = load_paraphrases()
        if language not in paraphrases:
            raise TLExpertsError(
                f"no paraphrases for {language!r} are bundled; {near(language, sorted(paraphrases))}; give "
                "scale=MeaningScale.of(sentences, paraphrases)"
            )
        own = paraphrases[language]
        return MeaningScale.of(own.sentences[:SCALE_ROWS], own.paraphrases[:SCALE_ROWS])
    corpus = load_sentences("bundled", split="dev", limit=SCALE_ROWS)
    for code in (language, reference_language):
        if code not in corpus.languages:
            raise TLExpertsError(
                f"no translations into {code!r} are bundled; {near(code, corpus.languages)}; give "
                "scale=MeaningScale.of(sentences, translations)"
            )
    rows = corpus.parallel()
    first, second = ([corpus.texts[row] for row in rows[code]] for code in (language, reference_language))
    return MeaningScale.of(first, second)


def _unit(texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
    """Vectors of length 1."""
    return normalise(encoded(texts)).double().numpy()
