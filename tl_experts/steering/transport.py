"""Fit transport maps (AcT) to responses, all layers at once or one after the other."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from tl_experts.corpus.languages import language_code
from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.errors import InterventionError, require_choice
from tl_experts.models import Model
from tl_experts.responses.collect import Responses, collect_responses
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.reading import DEFAULT_READING, Reading
from tl_experts.steering.affine import COLUMNS, OTHERS, AffineMap
from tl_experts.steering.choices import language_rows
from tl_experts.steering.interventions import steer
from tl_experts.steering.maps import KINDS, source_range

Quantiles = tuple[float, float] | None


def fit_transport(
    responses: Responses,
    target: str,
    *,
    source: str | None = None,
    kind: str = "linear",
    quantiles: Quantiles = (0.0, 1.0),
) -> AffineMap:
    """Fit each neuron's transport map from its responses to one language to its responses to another.

    Source: Rodriguez et al. 2025 (arXiv 2410.23054; apple/ml-act); formulas in `tl_experts.steering.maps`.

    Args:
        responses: from `collect_responses`.
        target: the language to transport to.
        source: the language to transport from; None: all others.
        kind: ``"linear"`` (Linear-AcT), ``"gaussian"`` or ``"mean"`` (Mean-AcT).
        quantiles: an activation is mapped only between these quantiles of the source's responses; None: everywhere.

    Raises:
        InterventionError: a language without sentences, source and target are one, or an unknown option.

    Examples:
        >>> from tl_experts import collect_responses, load_model, load_sentences, steer
        >>> model = load_model("polyglot-mini")
        >>> responses = collect_responses(model, load_sentences("bundled", split="dev", limit=10), progress=False)
        >>> spanish = fit_transport(responses, "es", source="en")
        >>> print(spanish)
        Linear-AcT from en to es at strength 1, all positions: mlp.hook_post of layers 0, 1, 2, 3, 4, 5, 6, 7
        >>> with steer(model, spanish):
        ...     steered = model("To open a file,")
    """
    require_choice(kind, KINDS, "kind", InterventionError)
    after, before = language_rows(responses.corpus, target, source)
    values = responses.values.double().numpy()
    return _fitted(responses, values[before], values[after], (target, source), kind, quantiles)


def fit_transport_by_layer(
    model: Model,
    sentences: Corpus,
    target: str,
    *,
    source: str | None = None,
    kind: str = "linear",
    quantiles: Quantiles = (0.0, 1.0),
    reading: Reading = DEFAULT_READING,
    progress: bool = True,
) -> AffineMap:
    """Fit the layers in order, each on source responses of a model whose earlier layers are already transported.

    The source is read once for each layer, the target once.

    Args:
        model: either class.
        sentences: of both languages.
        target: as in `fit_transport`.
        source: as in `fit_transport`.
        kind: as in `fit_transport`.
        quantiles: as in `fit_transport`.
        reading: site, layers and pooling.
        progress: show progress bars.

    Raises:
        InterventionError: as `fit_transport`.
    """
    require_corpus(sentences)
    require_choice(kind, KINDS, "kind", InterventionError)
    after, before = (sentences.take(rows) for rows in language_rows(sentences, target, source))
    goal = collect_responses(model, after, reading=reading, progress=progress)
    wanted = goal.values.double().numpy()
    fitted: AffineMap | None = None
    for layer in goal.neurons.layers:
        span = goal.neurons.span(layer)
        only = Reading(reading.site, reading.pooling, (layer,), reading.dtype, reading.batching)
        found = _steered_responses(model, fitted, before, only, progress)
        here = _fitted(found, found.values.double().numpy(), wanted[:, span], (target, source), kind, quantiles)
        fitted = here if fitted is None else _joined(fitted, here)
    if fitted is None:
        raise InterventionError("no layer to fit; give layers in reading")
    return fitted


def _steered_responses(
    model: Model, steering: AffineMap | None, corpus: Corpus, reading: Reading, progress: bool
) -> Responses:
    if steering is None:
        return collect_responses(model, corpus, reading=reading, progress=progress)
    with steer(model, steering):
        return collect_responses(model, corpus, reading=reading, progress=progress)


def _fitted(
    responses: Responses,
    before: Float64[np.ndarray, "sentence neuron"],
    after: Float64[np.ndarray, "other_sentence neuron"],
    languages: tuple[str, str | None],
    kind: str,
    quantiles: Quantiles,
) -> AffineMap:
    slope, intercept = KINDS[kind](before, after)
    lowest, highest = source_range(before, quantiles)
    target, source = languages
    found = (column.astype(np.float32) for column in (slope, intercept, lowest, highest))
    columns: dict[str, Any] = dict(zip(COLUMNS, found, strict=True))
    return AffineMap(
        kind=kind,
        target=language_code(target),
        source=OTHERS if source is None else language_code(source),
        neurons=responses.neurons,
        site=responses.site,
        **columns,
        fingerprint=responses.fingerprint,
    )


def _joined(first: AffineMap, second: AffineMap) -> AffineMap:
    """The maps of the layers of both, side by side."""
    layers = (*first.neurons.layers, *second.neurons.layers)
    table = NeuronTable(layers, (*first.neurons.widths, *second.neurons.widths))
    columns: dict[str, Any] = {name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in COLUMNS}
    return replace(first, neurons=table, **columns)
