"""`TokenStatistics`: counts and sums over the tokens of each language, from which scorings and interventions are made.

A language's statistics cover every token of its sentences, BOS and padding excepted. Those over the other languages
are differences of sums, so that one pass serves every language. Counts are integers and sums float64: two parts of a
corpus are merged by adding them.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, Num, Shaped

from tl_experts.corpus.languages import language_code
from tl_experts.errors import ArtefactError, ResponseError, near
from tl_experts.jobs.artefacts import load_artefact, save_artefact
from tl_experts.responses.exact import ByLanguage, by_language, exact_quantile, fits, joined
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.sketch import BINS, quantile_of

ARRAYS = ("tokens", "over_zero", "gate_over_zero", "total", "total_of_squares")
HISTOGRAMS = ("histogram", "gate_histogram")
OPTIONAL = (*HISTOGRAMS, "activations")
"""Arrays that are empty unless ``quantiles=True``."""

HEADER = ("site", "gate_site", "fingerprint")
_MOST = 2**24
"""Layers of a model, or neurons of a layer: no file may declare more."""


@dataclass(frozen=True, eq=False)
class TokenStatistics:
    """Statistics of every neuron's activation over the tokens of every language.

    Raises:
        ResponseError: an array whose shape does not fit the languages and neurons, a count above the number of
            tokens, or a language without a token.

    Examples:
        >>> from tl_experts import collect_statistics, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> statistics = collect_statistics(model, sentences, progress=False)
        >>> statistics.mean.shape, statistics.gate_site
        ((9, 7168), 'mlp.hook_pre')
    """

    languages: tuple[str, ...]
    """The rows."""

    neurons: NeuronTable
    """The columns."""

    tokens: Int64[np.ndarray, " language"]
    """The number of tokens of each language."""

    over_zero: Int64[np.ndarray, "language neuron"]
    """The number of tokens at which the activation at `site` is above zero."""

    gate_over_zero: Int64[np.ndarray, "language neuron"]
    """The same at `gate_site`: what LAPE counts."""

    total: Float64[np.ndarray, "language neuron"]
    """Sum of the activation at `site` over the tokens."""

    total_of_squares: Float64[np.ndarray, "language neuron"]
    """Sum of its squares."""

    site: str
    """The hook site."""

    gate_site: str
    """The site whose sign LAPE counts: ``mlp.hook_pre`` for `mlp.hook_post` of a gated MLP, else `site`."""

    corpora: tuple[str, ...]
    """Fingerprints of the corpora that were counted, ascending."""

    fingerprint: dict[str, str]
    """Fingerprint of the model (`tl_experts.models.model_fingerprint`)."""

    histogram: Int32[np.ndarray, "_ _ _"] = field(default_factory=lambda: _no_histogram())
    """``[language neuron bin]``, the number of tokens in each bin of the activation at `site` (the edges:
    `tl_experts.responses.sketch.EDGES`); empty unless ``quantiles=True``."""

    gate_histogram: Int32[np.ndarray, "_ _ _"] = field(default_factory=lambda: _no_histogram())
    """The same of the gate after its activation function; empty where `gate_site` is `site`."""

    activations: Float32[np.ndarray, "_ _"] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    """``[neuron token]``, the activation at `site` at every token as float32: the languages one after the other, each
    neuron's values ascending within a language. Empty unless ``quantiles=True``, and where they take more than 1 GiB
    (`tl_experts.responses.exact.EXACT_BYTES`)."""

    def __post_init__(self) -> None:
        """Check shapes and counts, and close the arrays for writing."""
        shape = (len(self.languages), self.neurons.total)
        for name in ARRAYS:
            array, expected = getattr(self, name), shape[:1] if name == "tokens" else shape
            if array.shape != expected:
                raise ResponseError(f"{name} has shape {array.shape}; expected {expected}: languages x neurons")
            array.setflags(write=False)
        for name in HISTOGRAMS:
            array = getattr(self, name)
            if array.size and array.shape != (*shape, BINS):
                raise ResponseError(
                    f"{name} has shape {array.shape}; expected {(*shape, BINS)}: languages x neurons x bins"
                )
            if array.size and (array < 0).any():
                raise ResponseError(f"{name} counts fewer than 0 tokens in a bin")
            if array.size and not (array.sum(axis=2, dtype=np.int64) == self.tokens[:, None]).all():
                raise ResponseError(f"{name} does not count each of the language's tokens once")
            array.setflags(write=False)
        if not (self.tokens > 0).all():
            empty = self.languages[int(np.argmin(self.tokens))]
            raise ResponseError(f"{empty} has {self.tokens.min()} tokens; expected at least 1 of each language")
        if self.exact:
            self._check_activations()
        for name in ("over_zero", "gate_over_zero"):
            counts = getattr(self, name)
            if (counts < 0).any() or (counts > self.tokens[:, None]).any():
                raise ResponseError(f"{name} counts fewer than 0 tokens, or more than its language has")

    def _check_activations(self) -> None:
        expected = (self.neurons.total, int(self.tokens.sum()))
        if not self.histogram.size or self.activations.shape != expected:
            raise ResponseError(
                f"activations has shape {self.activations.shape}; expected {expected}: neurons x tokens, beside a "
                "histogram"
            )
        for own in self._by_language().values():
            if not (np.isfinite(own[:, [0, -1]]).all() and (own[:, 1:] >= own[:, :-1]).all()):
                raise ResponseError("activations are not finite and ascending within each language")
        self.activations.setflags(write=False)

    def __repr__(self) -> str:
        shape = f"{len(self.languages)} languages x {self.neurons.total:,} neurons of {self.site}"
        kind = f", {'exact' if self.exact else 'sketched'} quantiles" if self.histogram.size else ""
        return f"TokenStatistics({shape}, {int(self.tokens.sum()):,} tokens{kind})"

    @property
    def mean(self) -> Float64[np.ndarray, "language neuron"]:
        """Mean activation over the language's tokens."""
        return np.asarray(self.total / self.tokens[:, None])

    @property
    def std(self) -> Float64[np.ndarray, "language neuron"]:
        """Standard deviation over the language's tokens (of the population: divided by their number)."""
        return _deviation(self.total, self.total_of_squares, self.tokens)

    @property
    def share_over_zero(self) -> Float64[np.ndarray, "language neuron"]:
        """Share of the language's tokens at which the activation is above zero."""
        return np.asarray(self.over_zero / self.tokens[:, None])

    @property
    def other_tokens(self) -> Int64[np.ndarray, " language"]:
        """The number of tokens of all other languages together.

        Raises:
            ResponseError: there is one language only.
        """
        if len(self.languages) < 2:
            raise ResponseError(f"the statistics have one language only ({self.languages[0]}); there are no others")
        return np.asarray(self.tokens.sum() - self.tokens)

    @property
    def other_mean(self) -> Float64[np.ndarray, "language neuron"]:
        """Mean activation over all tokens of the other languages."""
        return np.asarray(_of_others(self.total) / self.other_tokens[:, None])

    @property
    def other_std(self) -> Float64[np.ndarray, "language neuron"]:
        """Standard deviation over all tokens of the other languages."""
        return _deviation(_of_others(self.total), _of_others(self.total_of_squares), self.other_tokens)

    @property
    def other_share_over_zero(self) -> Float64[np.ndarray, "language neuron"]:
        """Share of the other languages' tokens at which the activation is above zero."""
        return np.asarray(_of_others(self.over_zero) / self.other_tokens[:, None])

    @property
    def exact(self) -> bool:
        """Whether `quantile` and `other_quantile` are exact, or come from counts in fixed bins."""
        return bool(self.activations.size)

    def quantile(self, q: float) -> Float64[np.ndarray, "language neuron"]:
        """The q-quantile of the activation over the language's tokens, interpolated linearly.

        If the statistics are `exact`, it is NumPy's of the activations. Else it comes from counts in fixed bins: within
        an eighth of the exact value, or within 2**-12 near zero, for values up to 4096.

        Args:
            q: between 0 and 1; 0.5 is the median.

        Raises:
            ResponseError: q is out of range, or the statistics were collected without quantiles.
        """
        counts = self._need_histogram(q)
        if not self.exact:
            return quantile_of(counts, q)
        return np.stack([exact_quantile([own], q) for own in self._by_language().values()])

    def other_quantile(self, q: float) -> Float64[np.ndarray, "language neuron"]:
        """The q-quantile of the activation over all tokens of the other languages; see `quantile`."""
        found = self._need_histogram(q)
        self.other_tokens  # noqa: B018 (raises where there is one language only)
        if not self.exact:
            return quantile_of(_of_others(found), q)
        parts = list(self._by_language().values())
        return np.stack([exact_quantile(parts[:row] + parts[row + 1 :], q) for row in range(len(parts))])

    def _by_language(self) -> ByLanguage:
        return by_language(self.activations, self.languages, self.tokens)

    def gate_counts(self) -> Int32[np.ndarray, "language neuron bin"]:
        """The histogram of the gate after its activation function; of the activation itself where there is no gate.

        Raises:
            ResponseError: the statistics were collected without quantiles.
        """
        return self._need_histogram() if self.gate_site == self.site else self._need_histogram(name="gate_histogram")

    def _need_histogram(self, q: float = 0.5, name: str = "histogram") -> Int32[np.ndarray, "language neuron bin"]:
        if isinstance(q, bool) or not isinstance(q, int | float | np.number) or not 0 <= q <= 1:
            raise ResponseError(f"q is {q!r}; expected a number between 0 and 1, such as 0.5 for the median")
        found: Int32[np.ndarray, "language neuron bin"] = getattr(self, name)
        if not found.size:
            raise ResponseError("these statistics have no quantiles; collect them with quantiles=True")
        return found

    def row(self, language: str) -> int:
        """The row of a language.

        Raises:
            ResponseError: it was not counted.
        """
        code = language_code(language)
        if code not in self.languages:
            raise ResponseError(f"language {language!r} was not counted; {near(code, self.languages)}")
        return self.languages.index(code)

    def merge(self, other: "TokenStatistics") -> "TokenStatistics":
        """The statistics of two corpora together, for example of two parts of one.

        Counts are the same in whatever order parts are merged; sums are to rounding. Quantiles are exact if those of
        both are and the activations of both fit in 1 GiB together.

        Raises:
            ResponseError: the other is of another model, site or set of neurons, or counts the same corpus.
        """
        for name in ("neurons", *HEADER):
            if getattr(self, name) != getattr(other, name):
                raise ResponseError(
                    f"the statistics differ in {name}: {getattr(self, name)!r} and {getattr(other, name)!r}; merge "
                    "those of one model and reading"
                )
        for name in HISTOGRAMS:
            if bool(getattr(self, name).size) != bool(getattr(other, name).size):
                raise ResponseError("only one of the statistics has quantiles; collect both with quantiles=True")
        twice = sorted(set(self.corpora) & set(other.corpora))
        if twice:
            raise ResponseError(f"corpus {twice[0]} is in both statistics; each part must be counted once")
        languages = tuple(dict.fromkeys((*self.languages, *other.languages)))
        fields: dict[str, Any] = {name: _added(name, languages, (self, other)) for name in (*ARRAYS, *HISTOGRAMS)}
        fields |= {name: getattr(self, name) for name in HEADER}
        if self.exact and other.exact and fits(int(fields["tokens"].sum()), self.neurons.total):
            fields["activations"] = joined(languages, [self._by_language(), other._by_language()])
        corpora = tuple(sorted((*self.corpora, *other.corpora)))
        return TokenStatistics(languages=languages, neurons=self.neurons, corpora=corpora, **fields)

    def save_pretrained(self, path: str | Path) -> Path:
        """Save as a folder, or as one file if named ``*.safetensors``. Nothing is pickled.

        Raises:
            ArtefactError: the path cannot be written.
        """
        header = {
            "languages": self.languages,
            "layers": self.neurons.layers,
            "widths": self.neurons.widths,
            "corpora": self.corpora,
            **{name: getattr(self, name) for name in HEADER},
        }
        return save_artefact(path, "token_statistics", self._arrays(), header)

    def _arrays(self) -> dict[str, Num[np.ndarray, "..."]]:
        """The arrays that are saved: all but empty ones of quantiles."""
        arrays = {name: getattr(self, name) for name in (*ARRAYS, *OPTIONAL)}
        return {name: array for name, array in arrays.items() if array.size or name in ARRAYS}

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "TokenStatistics":
        """Load what `save_pretrained` wrote.

        Raises:
            ArtefactError: nothing is there, or it is damaged or something else.
        """
        arrays, header = load_artefact(path, "token_statistics")
        try:
            layers, widths = tuple(header["layers"]), tuple(header["widths"])
            if len(layers) != len(widths) or not all(type(n) is int and 0 <= n < _MOST for n in (*layers, *widths)):
                raise ValueError(f"layers {layers!r:.80} and widths {widths!r:.80} are not those of a model")
            for name in ("languages", "corpora"):
                if not all(isinstance(value, str) for value in header[name]):
                    raise ValueError(f"{name} {header[name]!r:.80}; expected text")
            for name in ARRAYS:
                expected = "f" if name.startswith("total") else "i"
                if arrays[name].dtype.kind != expected or arrays[name].dtype.itemsize != 8:
                    raise ValueError(f"{name} has dtype {arrays[name].dtype}")
            for name in OPTIONAL:
                if name in arrays and arrays[name].dtype != (np.int32 if name in HISTOGRAMS else np.float32):
                    raise ValueError(f"{name} has dtype {arrays[name].dtype}")
            fields: dict[str, Any] = {name: arrays[name] for name in (*ARRAYS, *OPTIONAL) if name in arrays}
            fields |= {name: header[name] for name in HEADER}
            languages, corpora = tuple(header["languages"]), tuple(header["corpora"])
            return cls(languages=languages, neurons=NeuronTable(layers, widths), corpora=corpora, **fields)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError, ResponseError) as error:
            raise ArtefactError(f"{path} does not hold statistics of tokens ({error!r}); create it again") from error


def _deviation(
    total: Float64[np.ndarray, "language neuron"],
    squares: Float64[np.ndarray, "language neuron"],
    tokens: Int64[np.ndarray, " language"],
) -> Float64[np.ndarray, "language neuron"]:
    mean = total / tokens[:, None]
    # Rounding may leave a variance of zero a little below it.
    deviation: Float64[np.ndarray, "language neuron"] = np.sqrt(np.maximum(squares / tokens[:, None] - mean**2, 0.0))
    return deviation


def _no_histogram() -> Int32[np.ndarray, "_ _ _"]:
    return np.zeros((0, 0, 0), dtype=np.int32)


def _of_others(counts: Num[np.ndarray, "language neuron *bin"]) -> Num[np.ndarray, "language neuron *bin"]:
    """Sums over all languages but the row's own."""
    sums: Num[np.ndarray, "language neuron *bin"] = counts.sum(axis=0) - counts
    return sums


def _added(
    name: str, languages: tuple[str, ...], parts: tuple[TokenStatistics, ...]
) -> Shaped[np.ndarray, "language ..."]:
    """One array of the parts, added by language."""
    first = getattr(parts[0], name)
    if not first.size:
        return first  # type: ignore[no-any-return]
    found = np.zeros((len(languages), *first.shape[1:]), dtype=first.dtype)
    for part in parts:
        found[[languages.index(language) for language in part.languages]] += getattr(part, name)
    return found
