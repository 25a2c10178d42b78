"""Everything known about the inspected experts, gathered in one pass over the corpus; renders as a single page."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from einops import einsum
from jaxtyping import Float
from numpy.typing import NDArray

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.errors import ResponseError, TLExpertsError
from tl_experts.experts.combine import at_most
from tl_experts.experts.experts import Experts
from tl_experts.jobs.files import write_text
from tl_experts.models import Model
from tl_experts.pages.inspector.gather import Neuron, TokenActivations, gather
from tl_experts.pages.inspector.measured import sentence_measures, token_measures
from tl_experts.pages.inspector.page import page
from tl_experts.pages.inspector.weight_view import WeightView, weight_views

K = 50
"""Default number of experts per language."""

NEIGHBOURS = 10


@dataclass(frozen=True, eq=False)
class Inspection:
    """Experts with everything that the inspector shows about them.

    Displayed as the last value of a notebook cell; `save` writes the same as one HTML file that needs no network.

    Examples:
        >>> from tl_experts import find_experts, inspect, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> experts = find_experts(model, sentences, k=5, progress=False)
        >>> seen = inspect(model, experts, sentences, progress=False)
        >>> top, bottom = seen.sentences(0, "en", count=1)
        >>> sentences.labels[top[0]]
        'en'
    """

    experts: Experts
    """The experts of every language; a neuron may be an expert of several."""

    neurons: tuple[Neuron, ...]
    """Each neuron once, in the order of the columns below."""

    activations: TokenActivations
    """Activations at every token of the corpus."""

    responses: Float[np.ndarray, "sentence neuron"]
    """Pooled as the experts' responses were."""

    measures: dict[str, Float[np.ndarray, "neuron language"]]
    """AUROC, average precision (``ap``), Cohen's d (``d``) and mean of the responses; Cohen's d, mean, and share above
    zero of the activations at tokens (``token_d``, ``token_mean``, ``token_share``). On this corpus, also if the
    experts were found on another."""

    correlations: Float[np.ndarray, "neuron neuron"]
    """Pearson's r between the responses of two neurons."""

    weights: tuple[WeightView, ...]
    """What each neuron's weights say."""

    title: str
    """The model's name."""

    @property
    def corpus(self) -> Corpus:
        """The sentences."""
        return self.activations.corpus

    @property
    def auroc(self) -> Float[np.ndarray, "neuron language"]:
        """AUROC on this corpus."""
        return self.measures["auroc"]

    @property
    def ap(self) -> Float[np.ndarray, "neuron language"]:
        """Average precision on this corpus."""
        return self.measures["ap"]

    @property
    def mean(self) -> Float[np.ndarray, "neuron language"]:
        """Mean response to each language's sentences."""
        return self.measures["mean"]

    def home(self, neuron: int) -> str:
        """The language of the corpus that a neuron (by its column) tells best from the others, by AUROC."""
        return self.corpus.languages[int(self.auroc[neuron].argmax())]

    def neighbours(self, neuron: int) -> list[tuple[int, float]]:
        """The inspected experts whose responses go most with those of one (by its column), with r."""
        row = self.correlations[neuron].copy()
        row[neuron] = -np.inf
        nearest = np.argsort(-row, kind="stable")[: min(NEIGHBOURS, len(row) - 1)]
        return [(int(other), float(row[other])) for other in nearest]

    def sentences(self, neuron: int, language: str, *, count: int = 4) -> tuple[list[int], list[int]]:
        """The sentences of a language with the largest and the smallest responses of a neuron (by its column)."""
        return extremes(self.responses[:, neuron], np.array(self.corpus.labels) == language, count)

    def to_html(self) -> str:
        """The page as HTML: it loads nothing, and texts of corpus and model appear as text."""
        return page(self)

    def save(self, path: str | Path, *, report: bool = False) -> Path:
        """Write the page.

        Args:
            path: of the page.
            report: link to ``report.html`` in the same folder.

        Raises:
            ArtefactError: the path cannot be written.
        """
        return write_text(path, page(self, report=report))

    def _repr_html_(self) -> str:
        # A separate frame keeps the styles of the page and of the notebook apart.
        return (
            f'<iframe srcdoc="{html.escape(self.to_html())}" style="width:100%;height:820px;border:1px solid #ddd" '
            'sandbox="allow-scripts allow-downloads" title="Expert inspector"></iframe>'
        )

    def __repr__(self) -> str:
        return (
            f"Inspection({len(self.neurons)} experts of {', '.join(self.experts.languages)}; "
            f"{len(self.corpus)} sentences; .save('inspector.html') to open it in a browser)"
        )


def inspect(
    model: Model,
    experts: Experts,
    corpus: Corpus,
    *,
    k: int | None = None,
    languages: Sequence[str] | None = None,
    progress: bool = True,
) -> Inspection:
    """Gather everything that the inspector shows about experts, in one pass of the model over the corpus.

    Args:
        model: the model that the experts belong to.
        experts: from `find_experts`.
        corpus: sentences in two languages or more; AUROC and AP are computed on these.
        k: experts per language; None: at most 50, and all of a language that has fewer.
        languages: only experts of these; None: of all.
        progress: show a progress bar, in tokens.

    Raises:
        ArtefactError: the experts belong to another model.
        ResponseError: an activation is not finite (the message names neuron and sentence).
        SelectionError: fewer than k experts of a language, or none at all.
        TLExpertsError: the corpus has only one language.

    Examples:
        >>> from tl_experts import find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> experts = find_experts(model, sentences, k=5, progress=False)
        >>> inspect(model, experts, sentences, progress=False).save("inspector.html")  # doctest: +SKIP
    """
    require_corpus(corpus)
    experts.require_model(model)
    if len(corpus.languages) < 2:
        raise TLExpertsError(f"the corpus has only one language ({corpus.languages[0]}); experts tell one from others")
    chosen = _chosen(experts, k, languages)
    neurons = tuple(dict.fromkeys(zip(chosen.layer.tolist(), chosen.neuron.tolist(), strict=True)))
    activations = gather(model, corpus, neurons, chosen.site, progress=progress)
    responses = activations.pooled(chosen.pooling)
    _require_finite(responses, neurons, corpus)
    return Inspection(
        experts=chosen,
        neurons=neurons,
        activations=activations,
        responses=responses,
        measures=_measures(activations, responses),
        correlations=_correlations(responses),
        weights=tuple(weight_views(model, neurons, chosen.site)),
        title=str(model.cfg.model_name),
    )


def extremes(responses: NDArray[np.float32], mine: NDArray[np.bool_], count: int) -> tuple[list[int], list[int]]:
    """The sentences of a language with the largest and with the smallest responses, each sentence once.

    Args:
        responses: of one neuron to every sentence.
        mine: the sentences of the language.
        count: sentences at each end.
    """
    rows = np.flatnonzero(mine)
    order = rows[np.argsort(-responses[rows], kind="stable")]
    top = order[:count]
    return top.tolist(), order[max(len(top), len(order) - count) :][::-1].tolist()


def _chosen(experts: Experts, k: int | None, languages: Sequence[str] | None) -> Experts:
    if languages is not None:
        experts = experts.only(languages)
    return at_most(experts, K) if k is None else experts.head(k)


def _require_finite(responses: NDArray[np.float32], neurons: Sequence[Neuron], corpus: Corpus) -> None:
    bad = np.argwhere(~np.isfinite(responses))
    if len(bad):
        sentence, column = bad[0]
        layer, neuron = neurons[column]
        raise ResponseError(
            f"the response of neuron L{layer} N{neuron} to sentence {sentence} ({corpus.texts[sentence][:60]!r}) is "
            f"{responses[sentence, column]}; does the model's dtype overflow? use float32"
        )


def _measures(
    activations: TokenActivations, responses: NDArray[np.float32]
) -> dict[str, Float[np.ndarray, "neuron language"]]:
    """Every measure, with the languages in the corpus's order."""
    corpus = activations.corpus
    labels = np.array([corpus.languages.index(label) for label in corpus.labels])
    of_tokens = np.repeat(labels, np.diff(activations.starts))
    count = len(corpus.languages)
    return sentence_measures(responses, labels, count) | token_measures(activations.values, of_tokens, count)


def _correlations(responses: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = responses - responses.mean(axis=0)
    scale = np.sqrt((shifted**2).sum(axis=0))
    # A neuron that never varies correlates with no other.
    unit = np.divide(shifted, scale, out=np.zeros_like(shifted), where=scale > 0)
    return np.asarray(einsum(unit, unit, "sentence neuron, sentence other -> neuron other"), dtype=np.float32)
