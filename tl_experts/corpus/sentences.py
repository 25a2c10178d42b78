"""`Corpus`: sentences labelled by language, aligned by row id where they are translations of each other."""

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tl_experts.corpus.identify import Mislabelled, find_mislabelled
from tl_experts.corpus.languages import language_code, require_distinct
from tl_experts.errors import CorpusError, near


@dataclass(frozen=True)
class Corpus:
    """Labelled sentences. Frozen: every selection is a new corpus.

    Raises:
        CorpusError: lengths differ, a sentence is empty or not text, a label is not a language code, two labels stand
            for one language, or a language has two sentences in one row.

    Examples:
        >>> texts = {"en": ["Good morning.", "Thank you."], "fr": ["Bonjour.", "Merci."]}
        >>> corpus = Corpus.from_texts(texts, aligned=True)
        >>> corpus.languages, len(corpus)
        (('en', 'fr'), 4)
    """

    texts: tuple[str, ...]
    """The sentences, any order."""

    labels: tuple[str, ...]
    """The language of each sentence, a BCP-47 short code (FLORES codes are translated)."""

    rows: tuple[str | None, ...] = ()
    """The row of each sentence: sentences of one row are translations of each other. None: not aligned."""

    name: str = "corpus"
    """The source of the sentences, for messages and artefacts."""

    def __post_init__(self) -> None:
        """Normalise the labels and check everything once, so that no later stage has to."""
        object.__setattr__(self, "texts", tuple(self.texts))
        object.__setattr__(self, "rows", tuple(self.rows) or (None,) * len(self.texts))
        wrong = next((label for label in self.labels if not isinstance(label, str)), None)
        if wrong is not None:
            raise CorpusError(f"{self.name}: the label {wrong!r} is not text; expected a language code such as 'en'")
        codes = require_distinct(self.labels, self.name)
        object.__setattr__(self, "labels", tuple(codes[label] for label in self.labels))
        if not len(self.texts) == len(self.labels) == len(self.rows):
            raise CorpusError(
                f"{self.name}: {len(self.texts)} texts, {len(self.labels)} labels and {len(self.rows)} row ids; "
                "give one label (and one row id, if any) per text"
            )
        if not self.texts:
            raise CorpusError(f"{self.name}: no sentence at all; expected at least one")
        for index, text in enumerate(self.texts):
            self._require_sentence(index, text)
        counted = Counter((row, label) for row, label in zip(self.rows, self.labels, strict=True) if row is not None)
        twice = next((key for key, count in counted.items() if count > 1), None)
        if twice:
            raise CorpusError(
                f"{self.name}: row {twice[0]!r} has {twice[1]!r} twice; row ids must be unique in each language. "
                "If they are not meant as alignment, read the table with columns=Columns(row=False)"
            )

    def _require_sentence(self, index: int, text: object) -> None:
        where = f"{self.name}: sentence {index} ({self.labels[index]}, row {self.rows[index]})"
        if not isinstance(text, str):
            raise CorpusError(f"{where} is {text!r}, not text; remove it or fill it in")
        if not text.strip():
            raise CorpusError(f"{where} is empty ({text!r}); remove it or fill it in")
        try:
            text.encode()
        except UnicodeEncodeError as error:  # half a surrogate pair, as broken JSON escapes leave it
            raise CorpusError(
                f"{where} is not valid text ({text!r} holds half a surrogate pair); correct it"
            ) from error

    @classmethod
    def from_texts(cls, texts: Mapping[str, Sequence[str]], *, aligned: bool = False, name: str = "corpus") -> "Corpus":
        """Make a corpus from a list of sentences per language.

        Args:
            texts: sentences by language code.
            aligned: the n-th sentences of all languages are translations of each other.
            name: for messages.

        Raises:
            CorpusError: a language has no sentence, or `aligned` and the lists differ in length.

        Examples:
            >>> Corpus.from_texts({"en": ["Good morning."], "de": ["Guten Morgen."]}, aligned=True).languages
            ('en', 'de')
        """
        for language, sentences in texts.items():
            if isinstance(sentences, str):
                raise CorpusError(f"{name}: {language!r} is one string; expected a list of sentences")
            if not sentences:
                raise CorpusError(f"{name}: language {language!r} has no sentence; add some or leave it out")
        lengths = {language: len(sentences) for language, sentences in texts.items()}
        if aligned and len(set(lengths.values())) > 1:
            raise CorpusError(f"{name}: rows of unequal length {lengths}; aligned text needs one sentence per row")
        return cls(
            texts=tuple(text for sentences in texts.values() for text in sentences),
            labels=tuple(language for language, sentences in texts.items() for _ in sentences),
            rows=tuple(str(i) if aligned else None for sentences in texts.values() for i in range(len(sentences))),
            name=name,
        )

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return zip(self.labels, self.texts, strict=True)

    def __repr__(self) -> str:
        counts = ", ".join(f"{language}: {count}" for language, count in self.counts.items())
        return f"Corpus({self.name}, {len(self)} sentences; {counts})"

    @property
    def languages(self) -> tuple[str, ...]:
        """The language codes, in order of first appearance."""
        return tuple(dict.fromkeys(self.labels))

    @property
    def counts(self) -> dict[str, int]:
        """The number of sentences of each language."""
        return dict(Counter(self.labels))

    @property
    def fingerprint(self) -> str:
        """SHA-256 (16 hex digits) of labels, row ids and texts in their order."""
        digest = hashlib.sha256()
        for parts in zip(self.labels, self.rows, self.texts, strict=True):
            digest.update(json.dumps(parts).encode())  # JSON, so that no text can pass for a separator
        return digest.hexdigest()[:16]

    def __getitem__(self, language: str) -> "Corpus":
        """The sentences of one language, in their order."""
        code = language_code(language)
        if code not in self.languages:
            raise CorpusError(f"{self.name}: language {language!r} has no sentence; {near(code, self.languages)}")
        return self.take([index for index, label in enumerate(self.labels) if label == code])

    def take(self, indices: Iterable[int]) -> "Corpus":
        """The sentences at these indices, in this order."""
        chosen = list(indices)
        return Corpus(
            texts=tuple(self.texts[i] for i in chosen),
            labels=tuple(self.labels[i] for i in chosen),
            rows=tuple(self.rows[i] for i in chosen),
            name=self.name,
        )

    def only(self, languages: Sequence[str]) -> "Corpus":
        """The sentences of some languages, languages in this order."""
        parts = [self[language] for language in dict.fromkeys(map(language_code, languages))]
        if not parts:
            raise CorpusError(f"{self.name}: no language was asked for; {near('', self.languages)}")
        return concatenate(parts, name=self.name)

    def head(self, per_language: int) -> "Corpus":
        """The first sentences of every language.

        Raises:
            CorpusError: `per_language` is below 1.
        """
        _require_positive(per_language, "per_language")
        seen: Counter[str] = Counter()
        kept = []
        for index, label in enumerate(self.labels):
            seen[label] += 1
            if seen[label] <= per_language:
                kept.append(index)
        return self.take(kept)

    def sample(self, per_language: int, *, seed: int) -> "Corpus":
        """A random sample without replacement of every language (all of it where it has fewer), in corpus order."""
        _require_positive(per_language, "per_language")
        by_language: dict[str, list[int]] = defaultdict(list)
        for index, label in enumerate(self.labels):
            by_language[label].append(index)
        generator = random.Random(seed)  # noqa: S311 (not for secrets)
        kept = [i for group in by_language.values() for i in generator.sample(group, min(per_language, len(group)))]
        return self.take(sorted(kept))

    def parallel(self, languages: Sequence[str] | None = None) -> dict[str, list[int]]:
        """Indices of the sentences of every language, position by position translations of each other.

        Rows that lack one of the languages are left out.

        Raises:
            CorpusError: no row has all of the languages.
        """
        wanted = tuple(dict.fromkeys(map(language_code, languages))) if languages else self.languages
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for index, (row, label) in enumerate(zip(self.rows, self.labels, strict=True)):
            if row is not None and label in wanted:
                found[row][label] = index
        complete = [row for row in found.values() if len(row) == len(wanted)]
        if not complete:
            raise CorpusError(
                f"{self.name}: no row has a sentence in all of {', '.join(wanted)}; "
                "aligned text is needed here: one row id shared by the translations of a sentence. If a column of the "
                "table holds it, name it with columns=Columns(row=...); for text files and lists say aligned=True"
            )
        return {language: [row[language] for row in complete] for language in wanted}

    def mislabelled(self, *, confidence: float = 0.5, min_characters: int = 20) -> Mislabelled:
        """The sentences that an identifier of 176 languages takes for another language than their label says.

        Experts found on text of mixed languages are spoilt: English inside other Wikipedias is the usual case.
        The identifier (fastText's lid.176) is unreliable on short sentences, which are therefore not judged. Suspects
        are hints, not errors: read some before you drop them. Script and region are not compared, and languages that
        are written alike (Croatian and Serbian, Indonesian and Malay) cannot be distinguished.

        Args:
            confidence: the least probability, between 0 and 1, at which a sentence becomes a suspect.
            min_characters: shorter sentences are not judged.

        Raises:
            CorpusError: `confidence` is not between 0 and 1.

        Examples:
            >>> texts = {"de": ["Die Katze schläft auf dem warmen Dach.", "The cat sleeps on the warm roof."]}
            >>> found = Corpus.from_texts(texts).mislabelled()
            >>> len(found), found.counts, found.indices
            (1, {('de', 'en'): 1}, (1,))
        """
        if not 0 <= confidence <= 1:
            raise CorpusError(f"confidence is {confidence}; expected a probability between 0 and 1")
        return find_mislabelled(self.texts, self.labels, confidence=confidence, min_characters=min_characters)

    def require_disjoint(self, other: "Corpus") -> None:
        """Refuse two splits that share a sentence.

        Raises:
            CorpusError: naming the first shared sentence and how many there are.
        """
        mine = set(zip(self.labels, self.texts, strict=True))
        shared = [pair for pair in other if pair in mine]
        if shared:
            raise CorpusError(
                f"{self.name} and {other.name} share {len(shared)} sentence(s), the first: {shared[0]!r}; "
                "a sentence may be in one split only"
            )


def concatenate(corpora: Sequence[Corpus], *, name: str) -> Corpus:
    """Join corpora, in order."""
    return Corpus(
        texts=tuple(text for corpus in corpora for text in corpus.texts),
        labels=tuple(label for corpus in corpora for label in corpus.labels),
        rows=tuple(row for corpus in corpora for row in corpus.rows),
        name=name,
    )


def require_corpus(sentences: object) -> None:
    """Refuse anything but a corpus (a list of strings, say).

    Raises:
        CorpusError: with the way to make one.
    """
    if not isinstance(sentences, Corpus):
        raise CorpusError(
            f"expected a Corpus, got {type(sentences).__name__}; "
            'make one with load_sentences(...) or Corpus.from_texts({"en": [...], "de": [...]})'
        )


def _require_positive(value: int, what: str) -> None:
    if value < 1:
        raise CorpusError(f"{what} is {value}; expected at least 1")
