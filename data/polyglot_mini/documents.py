"""Windows of training tokens: monolingual pages, translation pairs, and pages whose paragraphs change language.

The windows of a step depend only on the seed and the step, so a resumed run reads the same windows as an uninterrupted
one.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from help_text import LANGUAGES, Paragraph
from numpy.typing import NDArray

from tl_experts.errors import TLExpertsError

Ids = NDArray[np.int64]
Encode = Callable[[list[str]], list[list[int]]]
_Segments = list[tuple[str, list[int]]]
KINDS = ("monolingual", "pairs", "switching")


@dataclass(frozen=True)
class Mixture:
    """Composition of the windows, in shares of the documents' tokens."""

    monolingual: float = 0.35
    """Successive paragraphs of one page in one language."""

    pairs: float = 0.45
    """A paragraph and its translation, in random order (a translation language model)."""

    switching: float = 0.2
    """Successive paragraphs of one page, with a language drawn for each."""

    languages: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LANGUAGES, 1.0))
    """Relative share of each language."""

    def __post_init__(self) -> None:
        shares = (self.monolingual, self.pairs, self.switching)
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise TLExpertsError(f"shares {shares} do not fit; expected three numbers from 0 that add up to 1")
        unknown = set(self.languages) - set(LANGUAGES)
        if unknown or len(self.languages) < 2 or min(self.languages.values()) <= 0:
            raise TLExpertsError(
                f"language shares {self.languages} do not fit; expected positive numbers for two or more of "
                f"{', '.join(LANGUAGES)}"
            )


class Documents:
    """Draws windows of `window` tokens, each beginning with a document.

    Args:
        paragraphs: the training text.
        encode: maps texts to lists of token ids, without BOS.
        bos: id of the token that starts a document.
        mixture: shares of kinds and languages.
        window: tokens per window.
        seed: of every draw.
    """

    def __init__(
        self,
        paragraphs: Sequence[Paragraph],
        encode: Encode,
        *,
        bos: int,
        mixture: Mixture,
        window: int,
        seed: int,
    ) -> None:
        self.mixture, self.window, self.seed = mixture, window, seed
        self._bos, self._newline = [bos], encode(["\n"])[0]
        self._languages = list(mixture.languages)
        self._tokens: list[dict[str, list[int]]] = [{} for _ in paragraphs]
        for language in self._languages:
            having = [index for index, paragraph in enumerate(paragraphs) if language in paragraph.text]
            for index, ids in zip(having, encode([paragraphs[index].text[language] for index in having]), strict=True):
                self._tokens[index][language] = ids
        self._pages = _pages(paragraphs)
        # Paragraphs that each language has, and those that at least two languages share.
        self._starts = {
            language: [index for index, versions in enumerate(self._tokens) if language in versions]
            for language in self._languages
        }
        self._paired = [index for index, versions in enumerate(self._tokens) if len(versions) > 1]
        self._makers = (self._monolingual, self._pair, self._switching)
        # Shares count tokens, so a kind with long documents is drawn less often.
        shares = np.array([mixture.monolingual, mixture.pairs, mixture.switching]) / self._mean_lengths()
        self._kinds = shares / shares.sum()

    def windows(self, step: int, count: int) -> Ids:
        """The windows of a step: ``[count, window]``."""
        rng = np.random.default_rng((self.seed, step))
        return np.stack([self._window(rng) for _ in range(count)])

    def drawn_shares(self, documents: int = 5000) -> dict[str, float]:
        """Actual share of the tokens of each kind of document and each language, from a sample."""
        rng = np.random.default_rng(self.seed)
        tokens: Counter[str] = Counter()
        for _ in range(documents):
            kind, segments = self._draw(rng)
            tokens[KINDS[kind]] += sum(len(ids) for _, ids in segments)
            for language, ids in segments:
                tokens[language] += len(ids)
        total = sum(tokens[kind] for kind in KINDS)
        return {name: tokens[name] / total for name in (*KINDS, *self._languages)}

    def _window(self, rng: np.random.Generator) -> Ids:
        ids: list[int] = []
        while len(ids) < self.window:
            _, segments = self._draw(rng)
            ids += self._bos + self._join(segments)
        return np.array(ids[: self.window], np.int64)

    def _draw(self, rng: np.random.Generator) -> tuple[int, _Segments]:
        kind = int(rng.choice(3, p=self._kinds))
        return kind, self._makers[kind](rng)

    def _mean_lengths(self) -> NDArray[np.float64]:
        rng = np.random.default_rng(self.seed)
        return np.array([np.mean([len(self._join(make(rng))) for _ in range(500)]) for make in self._makers])

    def _join(self, segments: _Segments) -> list[int]:
        ids: list[int] = []
        for _, segment in segments:
            ids += self._newline * bool(ids) + segment
        return ids[: self.window - 1]

    def _language(self, rng: np.random.Generator, among: Sequence[str]) -> str:
        weights = np.array([self.mixture.languages[language] for language in among])
        return among[rng.choice(len(among), p=weights / weights.sum())]

    def _monolingual(self, rng: np.random.Generator) -> _Segments:
        language = self._language(rng, self._languages)
        start = self._starts[language][rng.integers(len(self._starts[language]))]
        return self._stretch(start, lambda versions: language if language in versions else None)

    def _switching(self, rng: np.random.Generator) -> _Segments:
        start = self._paired[rng.integers(len(self._paired))]
        return self._stretch(start, lambda versions: self._language(rng, list(versions)) if versions else None)

    def _stretch(self, start: int, choose: Callable[[dict[str, list[int]]], str | None]) -> _Segments:
        """Paragraphs from `start` to the end of the page, or until they fill half a window."""
        segments: _Segments = []
        for index in range(start, self._pages[start]):
            language = choose(self._tokens[index])
            if language is not None:
                segments.append((language, self._tokens[index][language]))
            if sum(len(ids) + 1 for _, ids in segments) > self.window // 2:
                break
        return segments

    def _pair(self, rng: np.random.Generator) -> _Segments:
        while True:
            versions = self._tokens[self._paired[rng.integers(len(self._paired))]]
            first = self._language(rng, list(versions))
            second = self._language(rng, [language for language in versions if language != first])
            # In a pair that does not fit, the translation would be cut.
            if len(versions[first]) + len(versions[second]) + 1 < self.window:
                return [(first, versions[first]), (second, versions[second])]


def _pages(paragraphs: Sequence[Paragraph]) -> list[int]:
    """For every paragraph, the index just after the last paragraph of its page."""
    ends: dict[str, int] = defaultdict(int)
    for index, paragraph in enumerate(paragraphs):
        ends[paragraph.page] = index + 1
    return [ends[paragraph.page] for paragraph in paragraphs]
