"""A control for any scoring: neurons that respond as much to random token sequences are left out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Float64

from tl_experts.errors import SelectionError, require_choice
from tl_experts.experts.evidence import Evidence, Scoring, needs_quantiles, require_library
from tl_experts.experts.scorings import scored, scoring_name, scoring_of
from tl_experts.responses.token_statistics import TokenStatistics

By = Literal["rate", "mean"]
"""``"rate"``: the share of tokens at which the neuron is above zero (of a gated MLP: the gate); ``"mean"``: the mean
activation."""

Selected = Callable[[Evidence, Float[np.ndarray, "neuron language"]], Bool[np.ndarray, "neuron language"]]


@dataclass(frozen=True, eq=False)
class LeaveOut:
    """A scoring without the neurons that respond at least as much to random token sequences as to the language.

    Their score is -inf for that language; with a rule of its own, the scoring selects first and they are left out of
    what it selected. Source: the filter of LangFIR (arXiv 2604.03532), for neurons instead of its sparse features.

    Raises:
        SelectionError: an unknown scoring or measure, or something other than statistics of random sequences.

    Examples:
        >>> from tl_experts import collect_random_statistics, find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> random = collect_random_statistics(model, sentences, progress=False)
        >>> find_experts(model, sentences, k=5, scoring=LeaveOut("auroc", random), progress=False)["es"]
        Experts(top 5 by auroc without random-active neurons (rate) at mlp.hook_post; es: 5)
    """

    needs_tokens: ClassVar[bool] = True

    scoring: str | Scoring
    """A name or a function."""

    random: TokenStatistics
    """From `collect_random_statistics`, of the same model and reading."""

    by: By = "rate"
    """The statistic that is compared."""

    def __post_init__(self) -> None:
        """Check every option."""
        scoring_of(self.scoring)
        require_choice(self.by, get_args(By), "by", SelectionError)
        if not isinstance(self.random, TokenStatistics) or len(self.random.languages) != 1:
            given = ", ".join(getattr(self.random, "languages", ())) or type(self.random).__name__
            raise SelectionError(
                f"random is {given}; expected statistics of random sequences: collect_random_statistics(...)"
            )

    def __str__(self) -> str:
        """The name that experts keep."""
        return f"{scoring_name(self.scoring)} without random-active neurons ({self.by})"

    def __call__(self, evidence: Evidence) -> Float64[np.ndarray, "neuron language"]:
        """The scores; -inf for what is left out."""
        scores = scored(scoring_of(self.scoring), evidence)
        return np.where(self._kept(evidence), scores.astype(np.float64), -np.inf)

    def require_library(self) -> None:
        """Check what the scoring needs."""
        require_library(scoring_of(self.scoring))

    @property
    def needs_quantiles(self) -> bool:
        """Whether the scoring needs counts for quantiles."""
        return needs_quantiles(scoring_of(self.scoring))

    @property
    def selected(self) -> Selected:
        """The scoring's own rule, less what is left out.

        Raises:
            AttributeError: the scoring has none, so that this has none.
        """
        rule: Any = scoring_of(self.scoring).selected  # type: ignore[attr-defined]
        return lambda evidence, scores: rule(evidence, scores) & self._kept(evidence)

    def _kept(self, evidence: Evidence) -> Bool[np.ndarray, "neuron language"]:
        tokens = evidence.need_tokens()
        for name in ("neurons", "site", "fingerprint"):
            mine, theirs = getattr(self.random, name), getattr(tokens, name)
            if mine != theirs:
                raise SelectionError(
                    f"random sequences and sentences differ in {name}: {mine!r:.200} and {theirs!r:.200}; collect both "
                    "from one model with one Reading"
                )
        return (_measure(tokens, self.by) > _measure(self.random, self.by)).T


def _measure(tokens: TokenStatistics, by: str) -> Float64[np.ndarray, "language neuron"]:
    return tokens.mean if by == "mean" else tokens.gate_over_zero / tokens.tokens[:, None]
