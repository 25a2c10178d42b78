"""The sparse probe: L1 logistic regression of each language against all others over all neurons at once.

AUROC scores each neuron by itself. The probe asks which few neurons tell a language together: of neurons that say the
same, it keeps one or two. It is fitted by scikit-learn's liblinear on a working set, to which neurons are added until
the gradient shows that no other would get a weight: the weights are those of a fit over all neurons. Memory holds a
block of responses, and those of the working set of one language at a time.

Sources: Tibshirani 1996 (L1); Gurnee et al. 2023, "Finding Neurons in a Haystack" (sparse probes of neurons).
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from numpy.typing import NDArray

from tl_experts.errors import SelectionError
from tl_experts.experts.evidence import Evidence

_BLOCK_BYTES = 2**26
"""Responses that are read at once for the gradient."""

_ADDED = 200
"""Neurons that are added to a language's working set at once, those of the largest gradient first."""

_TOLERANCE = 1e-6
"""Of scikit-learn's solver."""

_ITERATIONS = 1000
"""Most iterations of the solver."""

_SLACK = 1e-3
"""Excess of the gradient over the penalty at which a neuron is added."""

Columns = Callable[[int, int], Float[np.ndarray, "sentence neuron"]]
"""The responses of the neurons from one column to another."""


@dataclass(frozen=True)
class SparseProbe:
    """Positive weights of an L1 logistic regression over the standardised responses of all neurons.

    For each language, with y = 1 for its sentences and -1 for all others, it minimises

        |w|_1 + |b| + c x sum of s log(1 + exp(-y (w z + b)))

    where z are the responses at mean 0 and standard deviation 1, and s = sentences / (2 x sentences of the class) gives
    both classes the same weight: scikit-learn's ``LogisticRegression(solver="liblinear", l1_ratio=1,
    class_weight="balanced")``.

    The score is the weight; -inf where that is not positive. Its own rule selects every neuron of positive weight.
    Neurons that repeat each other share one weight or get none, so these sets are small: a larger c gives more.

    Raises:
        SelectionError: c is not a positive number.

    Examples:
        >>> SparseProbe(c=10)
        SparseProbe(c=10)
    """

    needs_tokens: ClassVar[bool] = False

    c: float = 1.0
    """Weight of the errors against the penalty, scikit-learn's C."""

    def __post_init__(self) -> None:
        """Check c."""
        number = isinstance(self.c, int | float | np.number) and not isinstance(self.c, bool)
        if not number or not 0 < self.c < np.inf:
            raise SelectionError(f"c is {self.c!r}; expected a number above 0, such as 1.0")

    def require_library(self) -> None:
        """Refuse to begin without scikit-learn.

        Raises:
            SelectionError: it is not installed.
        """
        _solver()

    def __call__(self, evidence: Evidence) -> Float64[np.ndarray, "neuron language"]:
        """The positive weights.

        Raises:
            SelectionError: no responses, no scikit-learn, or a fit that does not converge.
        """
        responses = evidence.need_responses()
        labels = np.array(responses.corpus.labels)
        positive = labels == np.array(evidence.expertise.languages)[:, None]
        weights = probe_weights(responses.columns, evidence.expertise.neurons.total, positive, float(self.c))
        return np.where(weights > 0, weights, -np.inf).T

    def selected(
        self,
        evidence: Evidence,  # noqa: ARG002 (other rules need it)
        scores: Float[np.ndarray, "neuron language"],
    ) -> Bool[np.ndarray, "neuron language"]:
        """The neurons of positive weight."""
        return scores > 0


def probe_weights(
    columns: Columns, neurons: int, positive: Bool[np.ndarray, "language sentence"], c: float
) -> Float64[np.ndarray, "language neuron"]:
    """The weights of one-against-all L1 logistic regressions over standardised responses; see `SparseProbe`.

    Args:
        columns: reads responses.
        neurons: the number of them.
        positive: which sentences are of the language.
        c: weight of the errors.

    Raises:
        SelectionError: no scikit-learn, or a fit that does not converge.
    """
    solver = _solver()
    languages, sentences = positive.shape
    own = positive.sum(axis=1, keepdims=True)
    importance = sentences / (2 * np.where(positive, own, sentences - own))
    weights, margins = np.zeros((languages, neurons)), np.zeros((languages, sentences))
    working: list[Int64[np.ndarray, " chosen"]] = [np.empty(0, dtype=np.int64) for _ in range(languages)]
    pending = list(range(languages))
    while pending:
        errors = importance[pending] * (_logistic(margins[pending]) - positive[pending])
        slopes = np.abs(c * _gradients(columns, neurons, errors))
        unfinished = []
        for at, slope in zip(pending, slopes, strict=True):
            slope[working[at]] = 0.0
            added = np.argsort(-slope, kind="stable")[:_ADDED]
            added = added[slope[added] > 1 + _SLACK]
            if not len(added):
                continue
            working[at] = np.sort(np.concatenate([working[at], added]))
            values = _standardised(np.concatenate([columns(j, j + 1) for j in working[at].tolist()], axis=1))
            weights[at, working[at]], margins[at] = _fit(solver, values, positive[at], c)
            unfinished.append(at)
        pending = unfinished
    return weights


def _fit(
    solver: Any, values: Float64[np.ndarray, "sentence chosen"], positive: Bool[np.ndarray, " sentence"], c: float
) -> tuple[Float64[np.ndarray, " chosen"], Float64[np.ndarray, " sentence"]]:
    """Weights, and the margin of every sentence."""
    model = solver(
        C=c,
        l1_ratio=1,
        solver="liblinear",
        class_weight="balanced",
        tol=_TOLERANCE,
        max_iter=_ITERATIONS,
        random_state=0,
    )
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        model.fit(values, positive)
    failed = [str(warning.message) for warning in raised if "converge" in str(warning.message)]
    if failed:
        raise SelectionError(f"the sparse probe does not converge at c = {c} ({failed[0]:.100}); lower c")
    return model.coef_[0], model.decision_function(values)


def _gradients(
    columns: Columns, neurons: int, errors: Float64[np.ndarray, "language sentence"]
) -> Float64[np.ndarray, "language neuron"]:
    width = max(1, _BLOCK_BYTES // (8 * errors.shape[1]))
    starts = range(0, neurons, width)
    return np.concatenate([errors @ _standardised(columns(at, min(at + width, neurons))) for at in starts], axis=1)


def _standardised(block: Float[np.ndarray, "sentence neuron"]) -> Float64[np.ndarray, "sentence neuron"]:
    """Mean 0 and standard deviation 1; a neuron without any spread is 0."""
    values = block.astype(np.float64)
    values -= values.mean(axis=0)
    spread = values.std(axis=0)
    return values / np.where(spread > 0, spread, 1.0)


def _logistic(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 0.5 * (1 + np.tanh(margins / 2))  # without overflow
    return found


def _solver() -> Any:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise SelectionError("the sparse probe needs scikit-learn; pip install 'tl-experts[probe]'") from error
    return LogisticRegression
