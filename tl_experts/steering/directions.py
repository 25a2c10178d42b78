"""Directions that separate a language from others: of a linear discriminant (LDA), or of a logistic probe.

Both are fitted to the responses of sentences, layer by layer, target against source. In the residual stream, take
responses of ``hook_resid_post`` pooled by the mean. A language vector is the difference of the two means; LDA divides
it by the covariance within the two classes, so that a dimension that varies a lot counts less.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from tl_experts.corpus.languages import language_code
from tl_experts.errors import InterventionError, TLExpertsWarning, require_choice
from tl_experts.responses.collect import Responses
from tl_experts.steering.affine import OTHERS, AffineMap
from tl_experts.steering.choices import language_rows
from tl_experts.steering.vectors import unit_length

Sample = Float64[np.ndarray, "sentence dim"]
Other = Float64[np.ndarray, "other_sentence dim"]
Direction = Float64[np.ndarray, " dim"]

SHRINKAGE = 0.1
PENALTY = 1.0
_STEPS = 1000
_FLAT = 1e-6
"""Largest slope, relative to the number of sentences, at which the probe has converged."""


def language_direction(
    responses: Responses,
    target: str,
    *,
    source: str | None = None,
    kind: str = "lda",
    layers: Sequence[int] | None = None,
    unit: bool = True,
    regularisation: float | None = None,
) -> AffineMap:
    """What is added to every token: ``strength x w``, the direction that separates the target from the source.

    ``"lda"``: ``w = ((1 - s) S + s tr(S) / d I)^-1 (mean(target) - mean(source))``, S the covariance within the two
    classes, d the dimensions and s the shrinkage: Fisher's linear discriminant, as
    ``LinearDiscriminantAnalysis(solver="lsqr", shrinkage=s)`` of scikit-learn. ``"probe"``: the weights of a logistic
    regression, ``sum of log losses + penalty / 2 |w|^2`` at its least, as ``LogisticRegression(C=1 / penalty)``.

    Args:
        responses: from `collect_responses`; of the residual stream with
            ``Reading(site="hook_resid_post", pooling="mean")``.
        target: the language to steer to.
        source: the language to steer from; None: all others.
        kind: ``"lda"`` or ``"probe"``.
        layers: where it is added; None: at every layer of the responses.
        unit: each layer's direction at length 1, so that the strength is the length of what is added; False: w as it
            is.
        regularisation: the shrinkage, 0 to 1 (default 0.1), or the penalty, above 0 (default 1).

    Returns:
        A map of strength 1; ``dataclasses.replace(direction, strength=2.0)`` changes it.

    Raises:
        InterventionError: a language without sentences, source and target are one, an unknown layer or option, or a
            layer at which nothing varies.

    Warns:
        TLExpertsWarning: the probe has not converged.

    Examples:
        >>> from dataclasses import replace
        >>> from tl_experts import Reading, collect_responses, load_model, load_sentences, steer
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> residual = Reading(site="hook_resid_post", pooling="mean")
        >>> responses = collect_responses(model, sentences, reading=residual, progress=False)
        >>> spanish = language_direction(responses, "es", source="en", layers=[4])
        >>> print(replace(spanish, strength=5.0))
        LDA direction from en to es at strength 5, all positions: hook_resid_post of layers 4
        >>> with steer(model, replace(spanish, strength=5.0)):
        ...     steered = model("To open a file,")
    """
    require_choice(kind, FITS, "kind", InterventionError)
    fit, default, most = FITS[kind]
    amount = default if regularisation is None else _regularisation(kind, regularisation, most)
    after, before = language_rows(responses.corpus, target, source)
    table = responses.neurons
    vector = np.zeros(table.total)
    for layer in table.layers if layers is None else [layer for layer in table.layers if layer in layers]:
        columns = responses.columns(table.span(layer).start, table.span(layer).stop).astype(np.float64)
        vector[table.span(layer)] = fit(columns[after], columns[before], amount)
    infinite = np.full(table.total, np.inf, dtype=np.float32)
    whole = AffineMap(
        kind=kind,
        target=language_code(target),
        source=OTHERS if source is None else language_code(source),
        neurons=table,
        site=responses.site,
        slope=np.ones(table.total, dtype=np.float32),
        intercept=vector.astype(np.float32),
        lowest=-infinite,
        highest=infinite,
        fingerprint=responses.fingerprint,
    )
    chosen = whole if layers is None else whole.only(layers)
    if not unit:
        return chosen
    scaled = unit_length(chosen.intercept.astype(np.float64), chosen.neurons)
    return replace(chosen, intercept=scaled.astype(np.float32))


def fit_lda(target: Sample, source: Other, shrinkage: float) -> Direction:
    """Fisher's discriminant of two samples, with the covariance within them shrunk towards a multiple of the identity.

    Raises:
        InterventionError: the samples do not vary.
    """
    centred = np.concatenate([sample - sample.mean(axis=0) for sample in (target, source)])
    covariance = centred.T @ centred / len(centred)
    spread = np.trace(covariance) / len(covariance)
    if spread == 0:
        raise InterventionError("the responses of a layer do not vary within the languages; LDA needs more sentences")
    covariance *= 1 - shrinkage
    covariance[np.diag_indices_from(covariance)] += shrinkage * spread
    difference = target.mean(axis=0) - source.mean(axis=0)
    if shrinkage > 0:
        return np.asarray(np.linalg.solve(covariance, difference))
    # Without shrinkage the covariance of few sentences is singular: the shortest solution.
    return np.asarray(np.linalg.lstsq(covariance, difference, rcond=None)[0])


def fit_probe(target: Sample, source: Other, penalty: float) -> Direction:
    """The weights of a logistic regression with an L2 penalty; its constant is not penalised."""
    values = torch.from_numpy(np.concatenate([target, source]))
    signs = torch.ones(len(values), dtype=torch.float64)
    signs[len(target) :] = -1
    # Around the mean and at unit scale the same problem is well conditioned: w = v / scale.
    scale = float((values - values.mean(dim=0)).square().mean().sqrt()) or 1.0
    scaled = (values - values.mean(dim=0)) / scale
    weights = torch.zeros(values.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights], max_iter=_STEPS, tolerance_grad=1e-9, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def loss_of(weights: Tensor) -> Tensor:
        margins = signs * (scaled @ weights[:-1] + weights[-1])
        penalised: Tensor = penalty / scale**2 / 2 * weights[:-1].square().sum()
        return torch.nn.functional.softplus(-margins).sum() + penalised

    def loss() -> Tensor:
        optimiser.zero_grad()
        found = loss_of(weights)
        found.backward()  # type: ignore[no-untyped-call]
        return found

    with torch.inference_mode(False), torch.enable_grad():
        optimiser.step(loss)  # type: ignore[no-untyped-call]
        (gradient,) = torch.autograd.grad(loss_of(weights), weights)
    slope = float(gradient.abs().max()) / len(values)
    if not slope <= _FLAT:
        warnings.warn(
            f"the probe has not converged (slope {slope:.1g}); raise regularisation above {penalty:g}",
            TLExpertsWarning,
            stacklevel=3,
        )
    return np.asarray(weights.detach()[:-1].numpy() / scale)


Fit = Callable[[Any, Any, float], Any]

FITS: dict[str, tuple[Fit, float, float]] = {"lda": (fit_lda, SHRINKAGE, 1.0), "probe": (fit_probe, PENALTY, np.inf)}
"""By kind: the fit, the default of its regularisation, and its largest value."""


def _regularisation(kind: str, value: object, most: float) -> float:
    least_allowed = kind == "lda"
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not (0 <= value <= most and value < np.inf) or (value == 0 and not least_allowed):  # type: ignore[operator]
        wanted = "a shrinkage from 0 to 1" if kind == "lda" else "a penalty above 0"
        raise InterventionError(f"regularisation is {value!r}; expected {wanted}, or None for the default")
    return float(value)  # type: ignore[arg-type]
