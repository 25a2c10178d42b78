"""`Experts`: selected neurons of each language with their statistics; saved, loaded, shared, compared."""

from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tl_experts.corpus.languages import language_code
from tl_experts.errors import ArtefactError, SelectionError, TLExpertsError, near, whole_count
from tl_experts.experts.auroc import OPTIONAL, STATISTICS
from tl_experts.experts.card import card
from tl_experts.experts.combine import difference, intersection, shared, union
from tl_experts.experts.control import control_columns
from tl_experts.experts.evidence import Evidence
from tl_experts.experts.expertise import Expertise
from tl_experts.experts.hub import download, is_repository, upload
from tl_experts.experts.measured import measured
from tl_experts.experts.saved import arrays_of, fields_of
from tl_experts.jobs.artefacts import Arrays, load_artefact, save_artefact
from tl_experts.jobs.files import write_text
from tl_experts.jobs.paths import user_path
from tl_experts.models import Model, require_same_model
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.token_statistics import TokenStatistics

if TYPE_CHECKING:
    import pandas as pd

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]
_KIND, _FILES = "experts", ("experts.json", "experts.safetensors")


@dataclass(frozen=True, eq=False)
class Experts:
    """Selected neurons of one or more languages, best first, with their statistics. Frozen.

    A mapping from languages to their experts: ``experts["es"]`` is the `Experts` of one language, ``"es" in experts``
    asks for it by any of its codes, ``for language in experts`` goes through the languages, and ``len(experts)`` is
    their number. `total` is the number of experts, `counts` that of each language.

    ``a | b``, ``a & b`` and ``a - b`` are the union, intersection and difference, language by language. A neuron in
    both keeps its order and statistics from the left. A union has the languages of both, the others those of the left:
    a language without experts keeps its index.

    Examples:
        >>> from tl_experts import find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> experts = find_experts(model, sentences, k=5, progress=False)
        >>> experts["es"].counts
        {'es': 5}
        >>> bool((experts["es"].statistics["auroc"] > 0.9).all())
        True
        >>> "spa_Latn" in experts, len(experts), experts.total
        (True, 9, 45)
        >>> (experts.head(3) | experts).total, (experts & experts.head(3)).total, (experts - experts.head(3)).total
        (45, 27, 18)
    """

    languages: tuple[str, ...]
    """The languages, in the corpus's order."""

    language_of: Integers
    """``[expert]``: the language of each row, as an index into `languages`."""

    layer: Integers
    """``[expert]``: index of the layer in the model."""

    neuron: Integers
    """``[expert]``: index within the layer."""

    statistics: dict[str, Floats]
    """``[expert]`` each: auroc and ap; mean, median and p90 of the positives; negative_mean; at times `OPTIONAL`."""

    candidates: NeuronTable
    """The neurons they were chosen from."""

    site: str
    """Hook site."""

    pooling: str
    """How responses were pooled."""

    metric: str
    """The statistic they were ranked by."""

    selection: str
    """How they were selected, in words."""

    corpus: str
    """Fingerprint of the corpus they were found on."""

    fingerprint: dict[str, str]
    """Fingerprint of the model they belong to."""

    def __post_init__(self) -> None:
        """Check that the columns fit each other, and make them read-only."""
        columns: list[NDArray[Any]] = [self.language_of, self.layer, self.neuron, *self.statistics.values()]
        if len({column.shape for column in columns}) != 1 or set(self.statistics) - set(OPTIONAL) != set(STATISTICS):
            raise SelectionError(
                f"experts need the columns language_of, layer, neuron, {', '.join(STATISTICS)}, all of one length"
            )
        if any(column.dtype.kind != "i" for column in columns[:3]):
            raise SelectionError("language_of, layer and neuron must be integers")
        outside = self.language_of[(self.language_of < 0) | (self.language_of >= len(self.languages))]
        if len(outside):
            raise SelectionError(f"a row has language index {outside[0]}; expected 0 to {len(self.languages) - 1}")
        if (np.diff(self.language_of) < 0).any():
            raise SelectionError("the rows must be grouped by language, in the order of `languages`")
        if not self.candidates.holds(self.layer, self.neuron):
            raise SelectionError("an expert's layer or neuron is not among the candidates")
        for column in columns:
            column.setflags(write=False)

    def __len__(self) -> int:
        return len(self.languages)

    def __iter__(self) -> Iterator[str]:
        return iter(self.languages)

    def __contains__(self, language: object) -> bool:
        try:
            return language_code(language) in self.languages  # type: ignore[arg-type]
        except TLExpertsError:
            return False

    def keys(self) -> KeysView[str]:
        """The languages."""
        return dict.fromkeys(self.languages).keys()

    def values(self) -> "ValuesView[Experts]":
        """The experts of each language."""
        return dict(self).values()

    def items(self) -> "ItemsView[str, Experts]":
        """Each language with its experts."""
        return dict(self).items()

    def __or__(self, other: "Experts") -> "Experts":
        return union(self, other)

    def __and__(self, other: "Experts") -> "Experts":
        return intersection(self, other)

    def __sub__(self, other: "Experts") -> "Experts":
        return difference(self, other)

    def __repr__(self) -> str:
        counts = ", ".join(f"{language}: {count}" for language, count in self.counts.items())
        return f"Experts({self.selection} by {self.metric} at {self.site}; {counts})"

    @property
    def total(self) -> int:
        """The number of experts of all languages together."""
        return len(self.layer)

    @property
    def counts(self) -> dict[str, int]:
        """The number of experts of each language."""
        numbers = np.bincount(self.language_of, minlength=len(self.languages))
        return {language: int(number) for language, number in zip(self.languages, numbers, strict=True)}

    def __getitem__(self, language: str) -> "Experts":
        """The experts of one language.

        Raises:
            SelectionError: it has none here.
        """
        code = language_code(language)
        if code not in self.languages:
            raise SelectionError(f"no experts of {language!r} here; {near(code, self.languages)}")
        rows = np.flatnonzero(self.language_of == self.languages.index(code))
        return replace(
            self,
            languages=(code,),
            language_of=np.zeros(len(rows), dtype=np.int64),
            layer=self.layer[rows],
            neuron=self.neuron[rows],
            statistics={name: column[rows] for name, column in self.statistics.items()},
        )

    def only(self, languages: Sequence[str]) -> "Experts":
        """The experts of some languages, in the order given.

        Raises:
            SelectionError: a language without experts here, or no language.
        """
        parts = [self[language] for language in dict.fromkeys(languages)]
        if not parts:
            raise SelectionError(f"only([]): name at least one of {', '.join(self.languages)}")
        return replace(
            self,
            languages=tuple(part.languages[0] for part in parts),
            language_of=np.repeat(np.arange(len(parts)), [part.total for part in parts]),
            layer=np.concatenate([part.layer for part in parts]),
            neuron=np.concatenate([part.neuron for part in parts]),
            statistics={name: np.concatenate([part.statistics[name] for part in parts]) for name in self.statistics},
        )

    def head(self, k: int) -> "Experts":
        """The k best of every language.

        Raises:
            SelectionError: a language has fewer, or k is not a whole number.
        """
        k = whole_count(k, "k", SelectionError)
        rows: list[Integers] = []
        for index, language in enumerate(self.languages):
            mine = np.flatnonzero(self.language_of == index)
            if not 1 <= k <= len(mine):
                raise SelectionError(f"head({k}): {language} has {len(mine)} experts; give 1 to {len(mine)}")
            rows.append(mine[:k])
        chosen = np.concatenate(rows)
        return replace(
            self,
            language_of=self.language_of[chosen],
            layer=self.layer[chosen],
            neuron=self.neuron[chosen],
            statistics={name: column[chosen] for name, column in self.statistics.items()},
            selection=f"{self.selection}, first {k}",
        )

    def shared(self, by: int, up_to: int | None = None) -> "Experts":
        """The experts whose neuron is an expert of `by` languages, or of `by` to `up_to`: of one, several, all.

        Source: the language-specific (1), language-related (2 to K - 1) and general (K) neurons of Zhu et al. 2026.

        Raises:
            SelectionError: a number of languages that these experts cannot have.
        """
        return shared(self, by, up_to)

    def to_pandas(self) -> "pd.DataFrame":
        """One row per expert: language, rank (from 1), layer, neuron and the statistics."""
        import pandas as pd

        ranks = [rank for count in self.counts.values() for rank in range(1, count + 1)]
        table: dict[str, Any] = {
            "language": [self.languages[index] for index in self.language_of],
            "rank": ranks,
            "layer": self.layer,
            "neuron": self.neuron,
        }
        return pd.DataFrame(table | self.statistics)

    def neurons_of(self, language: str) -> set[tuple[int, int]]:
        """The (layer, neuron) pairs of a language."""
        one = self[language]
        return set(zip(one.layer.tolist(), one.neuron.tolist(), strict=True))

    def overlap(self) -> "pd.DataFrame":
        """The Jaccard index (shared / all) of every pair of languages' expert sets."""
        import pandas as pd

        sets = {language: self.neurons_of(language) for language in self.languages}
        table = [[jaccard(a, b) for b in sets.values()] for a in sets.values()]
        return pd.DataFrame(table, index=pd.Index(self.languages), columns=pd.Index(self.languages))

    def random_control(self, *, seed: int, match_layers: bool = False) -> "Experts":
        """The same number of random neurons, with these experts' response values (Sundar et al. 2025, section 7).

        Drawn uniformly, without replacement, from the candidates that are not experts of the language. Their AUROC and
        AP are not known here (NaN).

        Args:
            seed: seed of the draw; results differ a lot between seeds, so use several.
            match_layers: each expert is replaced by a neuron of its own layer; False: by a neuron of any layer.

        Raises:
            SelectionError: more experts than other neurons, or a negative seed.
        """
        columns = control_columns(self, seed=seed, match_layers=match_layers)
        unknown = np.full(self.total, np.nan, dtype=np.float32)
        kind = "random neurons of the same layers" if match_layers else "random neurons"
        return replace(
            self,
            layer=self.candidates.layer_of[columns],
            neuron=self.candidates.neuron_of[columns],
            statistics=self.statistics | dict.fromkeys({"auroc", "ap", "score"} & set(self.statistics), unknown),
            selection=f"{kind} (seed {seed}) at the values of: {self.selection}",
        )

    def with_statistics(self, expertise: Expertise, tokens: TokenStatistics | None = None) -> "Experts":
        """The same neurons with statistics measured on a corpus, for experts that were listed by hand or elsewhere.

        Args:
            expertise: from `score_responses`, of this model and site and with these languages.
            tokens: of the same pass; the experts then hold means over tokens as well.

        Raises:
            SelectionError: of another model, site or pooling, or without one of the languages or layers.
        """
        found = measured(self, Evidence(expertise, tokens=tokens))
        return replace(self, statistics=found, corpus=expertise.corpus)

    def require_model(self, model: Model) -> None:
        """Check that these experts were found in this model.

        Raises:
            ArtefactError: they were not; the message names what differs.
        """
        fix = "find the experts of this model, or pass check=False if you mean it"
        require_same_model(model, self.fingerprint, "these experts", fix)

    def as_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and a header that JSON can hold: what is saved."""
        return arrays_of(self, _version())

    @classmethod
    def from_arrays(cls, arrays: Arrays, header: Mapping[str, Any], source: str | Path) -> "Experts":
        """Experts from what `as_arrays` gave.

        Raises:
            ArtefactError: the arrays are incomplete or do not fit each other; `source` names where they come from.
        """
        try:
            return cls(**fields_of(arrays, header))
        except (KeyError, TypeError, ValueError, IndexError, OverflowError, SelectionError) as error:
            raise ArtefactError(f"{source} is not a complete set of experts ({error!r}); create it again") from error

    def save_pretrained(self, path: str | Path) -> Path:
        """Save as a folder (``experts.safetensors`` and ``experts.json``), or as one file if named ``*.safetensors``.

        Raises:
            ArtefactError: the path cannot be written.
        """
        return save_artefact(path, _KIND, *self.as_arrays())

    @classmethod
    def from_pretrained(cls, path: str | Path, *, revision: str | None = None, token: str | None = None) -> "Experts":
        """Load what `save_pretrained` wrote or `push_to_hub` uploaded.

        Args:
            path: a folder or file. Where a string names neither, a repository on the Hugging Face Hub (``user/repo``).
            revision: branch, tag or commit of the repository.
            token: access token for the hub; None: the one that ``hf auth login`` saved, if any.

        Raises:
            ArtefactError: not found, damaged, or not experts.
        """
        folder = user_path(path)
        if not folder.exists() and is_repository(path):
            folder = download(str(path), _FILES, revision=revision, token=token)
        elif revision is not None:
            raise ArtefactError(f"revision is {revision!r}, but {folder} is a path on this machine; leave it out")
        return cls.from_arrays(*load_artefact(folder, _KIND), source=path)

    def push_to_hub(
        self,
        repository: str,
        *,
        model: str | None = None,
        corpus: str | None = None,
        private: bool = False,
        token: str | None = None,
    ) -> str:
        """Upload to the Hugging Face Hub, with a card on model, corpus and use; returns the repository's address.

        Args:
            repository: ``user/repo``; created if it does not exist.
            model: name of the model for the card, as `load_model` takes it.
            corpus: name of the corpus for the card.
            private: whether a new repository is private.
            token: access token; None: the one that ``hf auth login`` saved.

        Raises:
            ArtefactError: not the name of a repository, or the hub cannot be reached or refuses.
        """
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            about = card(self, repository, model=model, corpus=corpus, version=_version())
            write_text(Path(folder) / "README.md", about)
            message = f"Upload experts of {', '.join(self)} with tl-experts"
            return upload(Path(folder), repository, private=private, token=token, message=message)


def jaccard(one: set[tuple[int, int]], other: set[tuple[int, int]]) -> float:
    """Shared / all; 0 for two empty sets.

    >>> jaccard({(0, 1), (0, 2)}, {(0, 2)})
    0.5
    """
    return len(one & other) / max(1, len(one | other))


def _version() -> str:
    from tl_experts import __version__

    return __version__
