"""Interventions on whole layers from means over tokens: language vectors and language dimensions.

Both read `TokenStatistics`: for the residual stream, statistics of the site ``hook_resid_post``. A language's mean is
over all tokens of its sentences, BOS and padding excepted.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from tl_experts.corpus.languages import language_code
from tl_experts.errors import InterventionError, require_whole
from tl_experts.models.hooks import RESIDUAL
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.token_statistics import TokenStatistics
from tl_experts.steering.affine import OTHERS, AffineMap

DIMENSIONS = 400
"""Residual dimensions that ku-nlp overwrite (arXiv 2510.07213)."""


def language_vector(
    statistics: TokenStatistics,
    target: str,
    *,
    source: str | None = None,
    layers: Sequence[int] | None = None,
    unit: bool = False,
) -> AffineMap:
    """What is added to every token: ``strength x (mean(target) - mean(source))``, at one layer or several.

    Source: DiffMean as in CLaS-Bench (Gurgurov et al. 2026, arXiv 2601.08331), ActAdd and CAA. For the residual stream
    give statistics of ``hook_resid_post``; those of ``mlp.hook_post`` shift every neuron by its difference of means.

    Args:
        statistics: of tokens, from `collect_statistics`.
        target: the language to steer to.
        source: the language whose mean is subtracted; None: the mean over the tokens of all others.
        layers: where it is added; None: at every layer of the statistics.
        unit: each layer's vector at length 1, so that the strength is the length of what is added.

    Returns:
        A map of strength 1; ``dataclasses.replace(vector, strength=2.0)`` changes it.

    Raises:
        InterventionError: an unknown layer, source and target are one, or a vector of length 0 at ``unit=True``.
        ResponseError: a language that was not counted.

    Examples:
        >>> from dataclasses import replace
        >>> from tl_experts import Reading, collect_statistics, load_model, load_sentences, steer
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> residual = Reading(site="hook_resid_post")
        >>> statistics = collect_statistics(model, sentences, reading=residual, progress=False)
        >>> spanish = language_vector(statistics, "es", layers=[4], unit=True)
        >>> with steer(model, replace(spanish, strength=5.0)):
        ...     steered = model("To open a file,")
    """
    difference = _difference(statistics, target, source)
    if unit:
        difference = unit_length(difference, statistics.neurons)
    whole = _map(statistics, target, source, "vector", np.ones_like(difference), difference)
    return whole if layers is None else whole.only(layers)


def language_dimensions(
    statistics: TokenStatistics,
    target: str,
    *,
    source: str | None = None,
    layer: int,
    count: int = DIMENSIONS,
    coefficient: float = 1.0,
) -> AffineMap:
    """Overwrite the residual dimensions that tell the target from the source, and restore each token's norm.

    The dimensions are the `count` of largest ``|mean(target) - mean(source)|`` at the last layer of the statistics; at
    `layer` each is set to ``coefficient x mean(target)``. Source: ku-nlp/language-specific-dimensions
    (arXiv 2510.07213).

    Args:
        statistics: of tokens at ``hook_resid_post``, of the model's last layer and of `layer`.
        target: the language to steer to.
        source: the language whose mean is subtracted (English there); None: the mean of all others.
        layer: the middle layer that is steered.
        count: how many dimensions.
        coefficient: factor of the target's mean.

    Raises:
        InterventionError: an unknown layer, or a count or coefficient that is not possible.
        ResponseError: a language that was not counted.
    """
    table = statistics.neurons
    if statistics.site != RESIDUAL or layer not in table.layers:
        raise InterventionError(
            f"layer {layer} at {statistics.site!r}; expected statistics of 'hook_resid_post', and one of its layers "
            f"{', '.join(map(str, table.layers))}"
        )
    last, here = table.span(table.layers[-1]), table.span(layer)
    if not 1 <= require_whole(count, "count", InterventionError) <= here.stop - here.start:
        raise InterventionError(f"count is {count}; expected 1 to {here.stop - here.start} dimensions")
    chosen = np.argsort(-np.abs(_difference(statistics, target, source)[last]), kind="stable")[:count]
    slope, intercept = np.ones(table.total), np.zeros(table.total)
    slope[here.start + chosen] = 0.0
    intercept[here.start + chosen] = coefficient * statistics.mean[statistics.row(target)][here.start + chosen]
    return _map(statistics, target, source, "dimensions", slope, intercept, keep_norm=True).only([layer])


def unit_length(vector: Float64[np.ndarray, " neuron"], table: NeuronTable) -> Float64[np.ndarray, " neuron"]:
    """Each layer's part at length 1.

    Raises:
        InterventionError: a layer's part has length 0.
    """
    scaled = vector.copy()
    for layer in table.layers:
        length = np.linalg.norm(vector[table.span(layer)])
        if length == 0:
            raise InterventionError(f"the vector of layer {layer} has length 0; unit=True cannot scale it to 1")
        scaled[table.span(layer)] /= length
    return scaled


def _difference(statistics: TokenStatistics, target: str, source: str | None) -> Float64[np.ndarray, " neuron"]:
    row = statistics.row(target)
    if source is not None and statistics.row(source) == row:
        raise InterventionError(f"target and source are both {language_code(target)}; give two languages")
    rest = statistics.other_mean[row] if source is None else statistics.mean[statistics.row(source)]
    difference: Float64[np.ndarray, " neuron"] = statistics.mean[row] - rest
    return difference


def _map(
    statistics: TokenStatistics,
    target: str,
    source: str | None,
    kind: str,
    slope: Float64[np.ndarray, " neuron"],
    intercept: Float64[np.ndarray, " neuron"],
    *,
    keep_norm: bool = False,
) -> AffineMap:
    infinite = np.full(len(slope), np.inf, dtype=np.float32)
    return AffineMap(
        kind=kind,
        target=language_code(target),
        source=OTHERS if source is None else language_code(source),
        neurons=statistics.neurons,
        site=statistics.site,
        slope=slope.astype(np.float32),
        intercept=intercept.astype(np.float32),
        lowest=-infinite,
        highest=infinite,
        fingerprint=statistics.fingerprint,
        keep_norm=keep_norm,
    )
