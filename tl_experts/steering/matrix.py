"""`SilencingMatrix`: what text in each language loses when the neurons of each language are silenced.

Source: Tang et al., ACL 2024 (arXiv 2402.16438), figure 3. A cell is the change of log-perplexity (mean cross-entropy
in nats per token) of text in one language when the neurons of another are set to zero. The control is the change when
as many random neurons of the same layers are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from einops import rearrange
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from tl_experts.analysis.diagonality import Diagonality, contrast, diagonality, share_on_diagonal
from tl_experts.analysis.statistics import LEVEL, RESAMPLES, Estimate, bootstrap_means
from tl_experts.errors import InterventionError, not_finite, require_least
from tl_experts.jobs.artefacts import complete, load_artefact, save_artefact

if TYPE_CHECKING:
    import pandas as pd

_KIND = "silencing_matrix"
_ARRAYS = ("neurons", "language_of", "tokens", "before", "after", "control")
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SilencingMatrix:
    """Change of log-perplexity of text in every language with each language's neurons at zero. Frozen.

    Cross-entropies are kept by sentence, from which all changes and intervals follow. Intervals are percentiles (95%)
    over resampled sentences. Sentences of the same position in several languages are resampled together, so that rows
    of aligned text stay whole.

    Raises:
        InterventionError: arrays that do not fit each other, or a silenced language without text.

    Examples:
        >>> from tl_experts import find_experts, load_model, load_sentences, silencing_matrix
        >>> model = load_model("polyglot-mini")
        >>> experts = find_experts(model, load_sentences("bundled", split="dev", limit=10), k=20, progress=False)
        >>> texts = load_sentences("bundled", split="test", limit=5).only(["es", "ja", "en"])
        >>> matrix = silencing_matrix(model, experts.only(["es", "ja"]), texts, control_seeds=1, progress=False)
        >>> matrix
        SilencingMatrix(es, ja silenced, texts in es, ja, en; top 20 by auroc at mlp.hook_post)
        >>> matrix.change.shape, matrix.to_pandas().shape
        ((2, 3), (6, 14))
    """

    silenced: tuple[str, ...]
    """The rows: languages whose neurons are silenced."""

    languages: tuple[str, ...]
    """The columns: languages of the texts, those of the rows first."""

    neurons: Int64[np.ndarray, " silenced"]
    """The number of neurons that are silenced."""

    language_of: Int64[np.ndarray, " sentence"]
    """The language of each sentence, as an index into `languages`."""

    tokens: Int64[np.ndarray, " sentence"]
    """The number of tokens that were predicted."""

    before: Float64[np.ndarray, " sentence"]
    """Cross-entropy in nats, summed over the sentence's tokens, of the model as it is."""

    after: Float64[np.ndarray, "silenced sentence"]
    """The same with each language's neurons at zero."""

    control: Float64[np.ndarray, "draw silenced sentence"]
    """The same with as many random neurons of the same layers at zero, for each draw."""

    selection: str
    """How the neurons were chosen."""

    corpus: str
    """Fingerprint of the texts."""

    fingerprint: dict[str, str]
    """Fingerprint of the model."""

    seed: int = 0
    """Seed of the first draw of random neurons and of the bootstrap."""

    resamples: int = RESAMPLES
    """Number of resamples of the bootstrap."""

    def __post_init__(self) -> None:
        """Check that the arrays fit each other, and make them read-only."""
        rows, sentences = len(self.silenced), len(self.tokens)
        expected: dict[str, tuple[type, tuple[int, ...]]] = {
            "neurons": (np.int64, (rows,)),
            "language_of": (np.int64, (sentences,)),
            "tokens": (np.int64, (sentences,)),
            "before": (np.float64, (sentences,)),
            "after": (np.float64, (rows, sentences)),
            "control": (np.float64, (len(self.control), rows, sentences)),
        }
        for name, (dtype, shape) in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != dtype:
                raise InterventionError(f"{name} is {array.dtype} {array.shape}; expected {dtype.__name__} {shape}")
        if not all(np.isfinite(array).all() for array in (self.before, self.after, self.control)):
            raise InterventionError(not_finite("a cross-entropy"))
        if not rows or not len(self.control) or len(self.languages) < 2:
            raise InterventionError(
                f"{rows} silenced languages, texts in {len(self.languages)} and {len(self.control)} draws of random "
                "neurons; expected at least one, two and one"
            )
        if len(set(self.silenced)) < rows or len(set(self.languages)) < len(self.languages):
            raise InterventionError(f"{self.silenced} silenced, texts in {self.languages}; a language is there twice")
        require_text(self.silenced, self.languages)
        if sorted(set(self.language_of.tolist())) != list(range(len(self.languages))):
            raise InterventionError(f"language_of is not an index of each of {', '.join(self.languages)}")
        if (self.tokens < 1).any() or (self.neurons < 0).any():
            raise InterventionError("a sentence has no token, or a language fewer than 0 neurons")
        require_least(self.resamples, "resamples", 1, InterventionError)
        require_least(self.seed, "seed", 0, InterventionError)
        for name in _ARRAYS:
            getattr(self, name).setflags(write=False)

    def __repr__(self) -> str:
        rows, columns = ", ".join(self.silenced), ", ".join(self.languages)
        return f"SilencingMatrix({rows} silenced, texts in {columns}; {self.selection})"

    @property
    def log_perplexity(self) -> Float64[np.ndarray, " language"]:
        """Mean cross-entropy in nats per token of the model as it is."""
        return self._per_token(self.before)

    @property
    def change(self) -> Float64[np.ndarray, "silenced language"]:
        """Change of log-perplexity in nats per token: rows are silenced, columns are read."""
        return self._per_token(self.after - self.before)

    @property
    def control_change(self) -> Float64[np.ndarray, "draw silenced language"]:
        """The same for each draw of random neurons."""
        return self._per_token(self.control - self.before)

    @property
    def diagonality(self) -> Diagonality:
        """How diagonal the matrix is; formulas in `tl_experts.analysis.diagonality`.

        Languages without neurons are left out.

        Raises:
            InterventionError: no language has a neuron.
        """
        return self._diagonality(self.change[None], self._resampled[None])

    @property
    def control_diagonality(self) -> Diagonality:
        """The same of the matrices of random neurons: the mean over draws."""
        return self._diagonality(self.control_change, self._control_resampled)

    def to_pandas(self) -> "pd.DataFrame":
        """One row per cell.

        ``silenced`` and ``text`` are languages; ``log_perplexity`` is that of the model as it is; ``change`` has the
        interval ``low`` to ``high``; ``control`` is the mean change over draws of random neurons, ``control_spread``
        its standard deviation over draws (0 for one); ``excess`` is the change less the control's, with the interval
        ``excess_low`` to ``excess_high``.
        """
        import pandas as pd

        draws = self.control_change
        control = draws.mean(axis=0)
        spread = draws.std(axis=0, ddof=1) if len(draws) > 1 else np.zeros_like(control)
        low, high = _limits(self._resampled)
        excess_low, excess_high = _limits(self._resampled - self._control_resampled.mean(axis=0))
        cells = [(row, column) for row in range(len(self.silenced)) for column in range(len(self.languages))]
        of_cells: dict[str, Floats] = {
            "change": self.change,
            "low": low,
            "high": high,
            "control": control,
            "control_spread": spread,
            "excess": self.change - control,
            "excess_low": excess_low,
            "excess_high": excess_high,
        }
        found: dict[str, Any] = {
            "silenced": [self.silenced[row] for row, _ in cells],
            "text": [self.languages[column] for _, column in cells],
            "neurons": [int(self.neurons[row]) for row, _ in cells],
            "sentences": [int((self.language_of == column).sum()) for _, column in cells],
            "tokens": [int(self.tokens[self.language_of == column].sum()) for _, column in cells],
            "log_perplexity": [float(self.log_perplexity[column]) for _, column in cells],
        }
        return pd.DataFrame(found | {name: values.ravel() for name, values in of_cells.items()})

    def save_pretrained(self, path: str | Path) -> Path:
        """Save as a folder, or as one file if named ``*.safetensors``. Nothing is pickled.

        Raises:
            ArtefactError: the path cannot be written.
        """
        header = {name: getattr(self, name) for name in _HEADER}
        return save_artefact(path, _KIND, {name: getattr(self, name) for name in _ARRAYS}, header)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "SilencingMatrix":
        """Load what `save_pretrained` wrote.

        Raises:
            ArtefactError: the artefact is missing, damaged, or something else.
        """
        arrays, header = load_artefact(path, _KIND)
        with complete(path, "silencing matrix"):
            options: dict[str, Any] = {name: header[name] for name in _HEADER} | {
                name: arrays[name] for name in _ARRAYS
            }
            for name in ("silenced", "languages"):
                options[name] = tuple(options[name])
                if not all(isinstance(language, str) for language in options[name]):
                    raise ValueError(f"{name} {options[name]!r:.80}; expected language codes")
            return cls(**options)

    def _per_token(self, nats: Floats) -> Floats:
        """Sums over the sentences of each language, by token: the last axis becomes the languages."""
        mine = [self.language_of == column for column in range(len(self.languages))]
        return np.stack([nats[..., own].sum(axis=-1) / self.tokens[own].sum() for own in mine], axis=-1)

    @cached_property
    def _resampled(self) -> Float64[np.ndarray, "silenced language resample"]:
        return self._resample(self.after - self.before)

    @cached_property
    def _control_resampled(self) -> Float64[np.ndarray, "draw silenced language resample"]:
        changes = rearrange(self.control - self.before, "draw silenced sentence -> (draw silenced) sentence")
        return rearrange(self._resample(changes), "(draw silenced) ... -> draw silenced ...", draw=len(self.control))

    def _resample(self, nats: Float64[np.ndarray, "row sentence"]) -> Float64[np.ndarray, "row language resample"]:
        """Changes per token over resampled sentences: nats and tokens are resampled together."""
        found = []
        for column in range(len(self.languages)):
            own = self.language_of == column
            rows = np.vstack([nats[:, own], self.tokens[own]])
            means = bootstrap_means(rows, seed=self.seed, resamples=self.resamples)
            found.append(means[:-1] / means[-1])
        return np.stack(found, axis=1)

    def _diagonality(
        self,
        change: Float64[np.ndarray, "draw silenced language"],
        resampled: Float64[np.ndarray, "draw silenced language resample"],
    ) -> Diagonality:
        """The mean over draws."""
        rows = np.flatnonzero(self.neurons)
        if not len(rows):
            raise InterventionError(f"none of {', '.join(self.silenced)} has a neuron that could be silenced")
        own = [self.languages.index(self.silenced[row]) for row in rows]

        def estimate(measure: Callable[[Any, Sequence[int]], Any]) -> Estimate:
            value = np.mean([measure(one[rows], own) for one in change])
            low, high = _limits(np.mean([measure(one[rows], own) for one in resampled], axis=0))
            return Estimate(float(value), float(low), float(high))

        share = float(np.mean([share_on_diagonal(one[rows], own) for one in change]))
        return Diagonality(estimate(diagonality), estimate(contrast), share)


_HEADER = tuple(field.name for field in fields(SilencingMatrix) if field.name not in _ARRAYS)


def require_text(silenced: Sequence[str], languages: Sequence[str]) -> None:
    """Refuse languages without text.

    Raises:
        InterventionError: naming them.
    """
    missing = [language for language in silenced if language not in languages]
    if missing:
        shared = [language for language in silenced if language in languages]
        raise InterventionError(
            f"there is no text in {', '.join(missing)}, whose neurons are silenced; add some, or silence only others: "
            f"experts.only({shared})"
        )


def _limits(samples: Floats) -> Floats:
    """The interval over the last axis: lower and upper limits."""
    found: Floats = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=-1)
    return found
