"""Experts: the neurons of highest expertise for each language, over all layers together.

Source: Sundar et al. 2025, section 3 (k = 100 for Bloom-7b, 2000 for Aya-8b and PolyLM-13b).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tl_experts.errors import ArtefactError, SelectionError, near, require_choice
from tl_experts.expertise import METRICS, Expertise, score_responses
from tl_experts.languages import language_code
from tl_experts.models import Model, model_fingerprint
from tl_experts.ranking import STATISTICS
from tl_experts.responses import DEFAULT_SITE, NeuronTable, Pooling, collect_responses
from tl_experts.sentences import Corpus
from tl_experts.storage import Arrays, load_artefact, save_artefact

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_K = 500
Metric = Literal["auroc", "ap"]
How = Literal["top", "bottom", "random"]
Integers = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Experts:
    """Selected neurons of one or more languages, best first, with their statistics. Frozen.

    ``experts["es"]`` is the `Experts` of one language.
    """

    languages: tuple[str, ...]
    """The languages, in the corpus's order."""

    language_of: Integers
    """``[expert]``: which language (a place in `languages`) each row belongs to."""

    layer: Integers
    """``[expert]``"""

    neuron: Integers
    """``[expert]``: place within the layer."""

    statistics: dict[str, Floats]
    """``[expert]`` each: auroc, ap, mean, median, p90 (of the positives), negative_mean."""

    candidates: NeuronTable
    """The neurons they were chosen from."""

    site: str
    """Hook site."""

    pooling: str
    """How responses were pooled."""

    metric: str
    """What they were ranked by."""

    selection: str
    """How they were selected, in words."""

    corpus: str
    """Fingerprint of the corpus they were found on."""

    fingerprint: dict[str, str]
    """Of the model they belong to."""

    def __len__(self) -> int:
        return len(self.layer)

    def __repr__(self) -> str:
        counts = ", ".join(f"{language}: {count}" for language, count in self.counts.items())
        return f"Experts({self.selection} by {self.metric} at {self.site}; {counts})"

    @property
    def counts(self) -> dict[str, int]:
        """The number of experts of each language."""
        numbers = np.bincount(self.language_of, minlength=len(self.languages))
        return {language: int(number) for language, number in zip(self.languages, numbers, strict=True)}

    def __getitem__(self, language: str) -> "Experts":
        """The experts of one language.

        Raises:
            SelectionError: the language was not scored.
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

    def head(self, k: int) -> "Experts":
        """The k best of every language.

        Raises:
            SelectionError: there are fewer.
        """
        rows: list[Integers] = []
        for place, language in enumerate(self.languages):
            mine = np.flatnonzero(self.language_of == place)
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

    def to_pandas(self) -> "pd.DataFrame":
        """One row per expert: language, rank (from 1), layer, neuron and the statistics."""
        import pandas as pd

        ranks = [rank for count in self.counts.values() for rank in range(1, count + 1)]
        table: dict[str, Any] = {
            "language": [self.languages[place] for place in self.language_of],
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
        table = [[len(a & b) / max(1, len(a | b)) for b in sets.values()] for a in sets.values()]
        return pd.DataFrame(table, index=pd.Index(self.languages), columns=pd.Index(self.languages))

    def random_control(self, *, seed: int) -> "Experts":
        """As many random neurons, given these experts' own response values (Sundar et al. 2025, section 7).

        Drawn evenly, without replacement, from the candidates that are not experts of the language. They have no
        AUROC or AP of their own here (NaN).

        Raises:
            SelectionError: more experts than other neurons.
        """
        draws: list[Integers] = []
        for place, language in enumerate(self.languages):
            mine = self.language_of == place
            taken = set(_columns(self.candidates, self.layer[mine], self.neuron[mine]).tolist())
            free = np.array([c for c in range(self.candidates.total) if c not in taken], dtype=np.int64)
            if len(free) < int(mine.sum()):
                raise SelectionError(f"{int(mine.sum())} {language} experts leave {len(free)} other neurons; lower k")
            generator = np.random.default_rng([seed, place])
            draws.append(generator.choice(free, size=int(mine.sum()), replace=False))
        columns = np.concatenate(draws)
        none = np.full(len(self), np.nan, dtype=np.float32)
        return replace(
            self,
            layer=self.candidates.layer_of[columns],
            neuron=self.candidates.neuron_of[columns],
            statistics=self.statistics | {"auroc": none, "ap": none},
            selection=f"random neurons (seed {seed}) at the values of: {self.selection}",
        )

    def require_model(self, model: Model) -> None:
        """Refuse a model that these experts were not found in.

        Raises:
            ArtefactError: naming what differs.
        """
        found = model_fingerprint(model)
        differing = [field for field in found if found[field] != self.fingerprint.get(field)]
        if differing:
            raise ArtefactError(
                f"these experts are of another model: {' and '.join(differing)} differ "
                f"({', '.join(f'{f} {self.fingerprint.get(f)} against {found[f]}' for f in differing)}); "
                "find the experts of this model, or pass check=False if you mean it"
            )

    def save_pretrained(self, path: str | Path) -> Path:
        """Save as a folder (``experts.safetensors`` and ``experts.json``), or as one file if named ``*.safetensors``.

        Raises:
            ArtefactError: the place cannot be written.
        """
        arrays: Arrays = {
            "language_of": self.language_of,
            "layer": self.layer,
            "neuron": self.neuron,
            **self.statistics,
        }
        header = {
            "languages": self.languages,
            "layers": self.candidates.layers,
            "widths": self.candidates.widths,
            "site": self.site,
            "pooling": self.pooling,
            "metric": self.metric,
            "selection": self.selection,
            "corpus": self.corpus,
            "fingerprint": self.fingerprint,
            "tl_experts": _version(),
        }
        return save_artefact(path, "experts", arrays, header)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "Experts":
        """Load what `save_pretrained` wrote.

        Raises:
            ArtefactError: nothing there, damaged, or no experts.
        """
        arrays, header = load_artefact(path, "experts")
        try:
            experts = cls(
                languages=tuple(header["languages"]),
                language_of=arrays.pop("language_of"),
                layer=arrays.pop("layer"),
                neuron=arrays.pop("neuron"),
                statistics={name: arrays[name] for name in STATISTICS},
                candidates=NeuronTable(tuple(header["layers"]), tuple(header["widths"])),
                **{name: header[name] for name in ("site", "pooling", "metric", "selection", "corpus", "fingerprint")},
            )
            _require_consistent(experts)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"{path} is not a complete set of experts ({error!r}); make it again") from error
        return experts


def find_experts(
    model: Model,
    sentences: Corpus,
    *,
    k: int | None = None,
    threshold: float | None = None,
    metric: Metric = "auroc",
    how: How = "top",
    site: str = DEFAULT_SITE,
    pooling: Pooling = "max",
    layers: Sequence[int] | None = None,
    seed: int = 0,
    prepend_bos: bool | None = None,
    truncate: bool = False,
    store: torch.dtype = torch.float32,
    progress: bool = True,
) -> Experts:
    """Find the experts of every language of a corpus, in one pass of the model.

    `collect_responses`, `score_responses` and `select_experts` in a row; call those to keep what lies between.

    Args:
        model: from `load_model`, or any `HookedTransformer` or `TransformerBridge`.
        sentences: labelled sentences of two languages or more.
        k: experts per language; default 500, or all above the threshold.
        threshold: only neurons whose metric reaches this (for ``how="bottom"``: stays below).
        metric: ``"auroc"`` (the paper's) or ``"ap"``.
        how: ``"top"``, ``"bottom"`` or ``"random"``.
        site: where responses are read: see `tl_experts.models.SITES`.
        pooling: ``"max"`` or ``"mean"`` over tokens.
        layers: only these.
        seed: of ``how="random"``.
        prepend_bos: None: as the model is used to. BOS never counts.
        truncate: cut sentences that are longer than the model's context.
        store: dtype of the responses held in memory.
        progress: show progress bars.

    Raises:
        TLExpertsError: of the stage that refuses its input.
    """
    _require_selection(k, threshold, metric, how)
    responses = collect_responses(
        model,
        sentences,
        site=site,
        pooling=pooling,
        layers=layers,
        prepend_bos=prepend_bos,
        truncate=truncate,
        store=store,
        progress=progress,
    )
    expertise = score_responses(responses, progress=progress)
    return select_experts(expertise, k=k, threshold=threshold, metric=metric, how=how, seed=seed)


def select_experts(
    expertise: Expertise,
    *,
    k: int | None = None,
    threshold: float | None = None,
    metric: Metric = "auroc",
    how: How = "top",
    layers: Sequence[int] | None = None,
    seed: int = 0,
) -> Experts:
    """Select experts of every language by their expertise.

    Equal scores are taken in the order of layer and neuron, so that the result is always the same.

    Args:
        expertise: from `score_responses`.
        k: per language; default 500, or all that pass the threshold.
        threshold: of the metric.
        metric: ``"auroc"`` or ``"ap"``.
        how: ``"top"`` (best first), ``"bottom"`` (worst first) or ``"random"`` (with their own statistics; for the
            paper's control see `Experts.random_control`).
        layers: only neurons of these layers.
        seed: of ``how="random"``.

    Raises:
        SelectionError: k beyond the neurons, a threshold nobody reaches, an unknown metric or layer.
    """
    _require_selection(k, threshold, metric, how)
    scores: Floats = getattr(expertise, metric)
    allowed = _allowed(expertise.neurons, layers)
    chosen = [
        _choose(scores[:, place], allowed, k, threshold, how, (seed, place), language)
        for place, language in enumerate(expertise.languages)
    ]
    columns = np.concatenate(chosen)
    language_of = np.repeat(np.arange(len(chosen)), [len(part) for part in chosen])
    return Experts(
        languages=expertise.languages,
        language_of=language_of,
        layer=expertise.neurons.layer_of[columns],
        neuron=expertise.neurons.neuron_of[columns],
        statistics={name: getattr(expertise, name)[columns, language_of] for name in STATISTICS},
        candidates=expertise.neurons,
        site=expertise.site,
        pooling=expertise.pooling,
        metric=metric,
        selection=_words(k, threshold, how, seed, layers),
        corpus=expertise.corpus,
        fingerprint=expertise.fingerprint,
    )


def _require_selection(k: int | None, threshold: float | None, metric: str, how: str) -> None:
    require_choice(metric, METRICS, "metric", SelectionError)
    require_choice(how, ("top", "bottom", "random"), "how", SelectionError)
    if k is not None and k < 1:
        raise SelectionError(f"k is {k}; expected at least 1 expert per language")
    if threshold is not None and not 0 <= threshold <= 1:
        raise SelectionError(f"threshold is {threshold}; AUROC and AP lie between 0 and 1")
    if threshold is not None and how == "random":
        raise SelectionError("how='random' takes k, not a threshold")


def _allowed(neurons: NeuronTable, layers: Sequence[int] | None) -> Integers:
    if layers is None:
        return np.arange(neurons.total)
    unknown = sorted(set(layers) - set(neurons.layers))
    if unknown or not layers:
        raise SelectionError(f"layers {list(layers)}: scored were layers {neurons.layers[0]} to {neurons.layers[-1]}")
    return np.flatnonzero(np.isin(neurons.layer_of, list(layers)))


def _choose(
    scores: Floats,
    allowed: Integers,
    k: int | None,
    threshold: float | None,
    how: str,
    seed: tuple[int, int],
    language: str,
) -> Integers:
    if threshold is not None:
        kept = scores[allowed] >= threshold if how == "top" else scores[allowed] <= threshold
        allowed = allowed[kept]
        if not len(allowed):
            raise SelectionError(
                f"no neuron reaches threshold {threshold} for {language}; its best is {scores.max():.3f}"
            )
        k = min(k or len(allowed), len(allowed))
    k = k or DEFAULT_K
    if k > len(allowed):
        raise SelectionError(f"k is {k}, but there are {len(allowed)} neurons to choose from; lower k")
    if how == "random":
        return np.random.default_rng(list(seed)).choice(allowed, size=k, replace=False)
    order = np.argsort(-scores[allowed] if how == "top" else scores[allowed], kind="stable")
    return allowed[order[:k]]


def _words(k: int | None, threshold: float | None, how: str, seed: int, layers: Sequence[int] | None) -> str:
    amount = (
        f"{how} {k or DEFAULT_K}" if threshold is None else f"{how} at {threshold}" + (f", at most {k}" if k else "")
    )
    return amount + (f" (seed {seed})" if how == "random" else "") + (f" of layers {sorted(layers)}" if layers else "")


def _columns(neurons: NeuronTable, layer: Integers, neuron: Integers) -> Integers:
    starts = {number: neurons.span(number).start for number in neurons.layers}
    return np.array([starts[int(number)] for number in layer], dtype=np.int64) + neuron


def _require_consistent(experts: Experts) -> None:
    columns: list[NDArray[Any]] = [experts.language_of, experts.layer, experts.neuron, *experts.statistics.values()]
    if len({column.shape for column in columns}) != 1:
        raise ValueError("columns of unequal length")
    if len(experts) and not (experts.language_of.min() >= 0 and experts.language_of.max() < len(experts.languages)):
        raise ValueError("a row of an unknown language")
    widths = dict(zip(experts.candidates.layers, experts.candidates.widths, strict=True))
    for layer, neuron in zip(experts.layer.tolist(), experts.neuron.tolist(), strict=True):
        if not 0 <= neuron < widths[layer]:
            raise ValueError(f"neuron {neuron} of layer {layer}")


def _version() -> str:
    from tl_experts import __version__

    return __version__
