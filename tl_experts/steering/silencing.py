"""Measure the silencing matrix: the neurons of each language at zero, and text in every language (Tang et al. 2024)."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from tqdm import tqdm

from tl_experts.analysis.statistics import RESAMPLES
from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.errors import InterventionError, require_least
from tl_experts.experts.experts import Experts
from tl_experts.models import Model, ModelLike, as_model
from tl_experts.models.batches import Batching
from tl_experts.models.losses import TextLosses, loss_batches, text_losses
from tl_experts.steering.interventions import steer
from tl_experts.steering.matrix import SilencingMatrix, require_text
from tl_experts.steering.steering import Steering

Measure = Callable[[Experts | None], TextLosses]
"""The losses of the texts with the neurons of some experts at zero; None: of the model as it is."""


def silencing_matrix(
    model: ModelLike,
    experts: Experts,
    texts: Corpus,
    *,
    control_seeds: int = 3,
    seed: int = 0,
    resamples: int = RESAMPLES,
    batching: Batching | None = None,
    check: bool = True,
    progress: bool = True,
) -> SilencingMatrix:
    """Silence the neurons of every language in turn, and measure what it costs text in every language.

    Every sentence is read once by the model as it is, once for each language that is silenced, and once for each draw
    of random neurons. Source: Tang et al. 2024, figure 3.

    Args:
        model: the model the experts were found in, or what loads it.
        experts: of one or more languages; each is a row. A language without experts has changes of 0.
        texts: held-out sentences in these languages, and in others if you like: the columns.
        control_seeds: draws of as many random neurons of the same layers (`Experts.random_control`).
        seed: of the first draw, and of the bootstrap.
        resamples: of the bootstrap.
        batching: how the text is batched; None: a token budget at which the logits of a batch fit in 512 MiB.
        check: refuse experts of another model.
        progress: show a progress bar, in passes over the texts.

    Raises:
        InterventionError: a language of the experts has no text, or there is text in one language only.
        SelectionError: too few other neurons in a layer for a random draw.
        ArtefactError: the experts are of another model.
        ModelError: a sentence without a token to predict, or longer than the context.

    Examples:
        >>> from tl_experts import find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> experts = find_experts(model, load_sentences("bundled", split="dev", limit=10), k=20, progress=False)
        >>> texts = load_sentences("bundled", split="test", limit=5).only(["es", "ja"])
        >>> matrix = silencing_matrix(model, experts.only(["es", "ja"]), texts, control_seeds=1, progress=False)
        >>> matrix.change.shape, matrix.control_change.shape
        ((2, 2), (1, 2, 2))
    """
    require_corpus(texts)
    require_silenced(experts, texts, control_seeds=control_seeds, seed=seed, resamples=resamples)
    loaded = as_model(model)
    if check:
        experts.require_model(loaded)
    batches = loss_batches(loaded, texts.texts, batching)
    passes = 1 + sum(1 for count in experts.counts.values() if count) * (1 + control_seeds)
    with tqdm(total=passes, desc="silencing", unit="pass", disable=not progress) as bar:

        def measure(silenced: Experts | None) -> TextLosses:
            with silencing(loaded, silenced):
                losses = text_losses(loaded, texts.texts, batches, progress=False)
            bar.update()
            return losses

        return measured_matrix(experts, texts, measure, control_seeds=control_seeds, seed=seed, resamples=resamples)


def silencing(model: Model, experts: Experts | None) -> AbstractContextManager[object]:
    """A context in which the experts' neurons are at zero; None: one in which nothing is."""
    return nullcontext() if experts is None else steer(model, Steering(experts, operation="zero"), check=False)


def measured_matrix(
    experts: Experts,
    texts: Corpus,
    measure: Measure,
    *,
    control_seeds: int,
    seed: int,
    resamples: int,
) -> SilencingMatrix:
    """The matrix from losses that the caller measures, and may keep."""
    languages = (*experts.languages, *(code for code in texts.languages if code not in experts.languages))
    base = measure(None)
    after, control = [], []
    for language in experts.languages:
        mine = experts[language]
        draws = [mine.random_control(seed=seed + draw, match_layers=True) for draw in range(control_seeds)]
        # Nothing is silenced where there are no neurons.
        found = [measure(one).nats if one.total else base.nats for one in (mine, *draws)]
        after.append(found[0])
        control.append(found[1:])
    return SilencingMatrix(
        silenced=experts.languages,
        languages=languages,
        neurons=np.array(list(experts.counts.values()), dtype=np.int64),
        language_of=np.array([languages.index(label) for label in texts.labels], dtype=np.int64),
        tokens=base.tokens,
        before=base.nats,
        after=np.stack(after),
        control=np.array(control, dtype=np.float64).swapaxes(0, 1),
        selection=f"{experts.selection} by {experts.metric} at {experts.site}",
        corpus=texts.fingerprint,
        fingerprint=experts.fingerprint,
        seed=seed,
        resamples=resamples,
    )


def require_silenced(experts: object, texts: Corpus, *, control_seeds: int, seed: int, resamples: int) -> None:
    """Refuse experts that cannot be silenced on these texts, and options out of range, before any pass.

    Raises:
        InterventionError: naming what cannot be.
    """
    if not isinstance(experts, Experts):
        raise InterventionError(f"expected Experts, got {type(experts).__name__}; they come from find_experts(...)")
    require_text(experts.languages, texts.languages)
    if len(texts.languages) < 2:
        raise InterventionError(f"the texts are in {texts.languages[0]} only; a matrix needs two languages or more")
    for name, value, least in (("control_seeds", control_seeds, 1), ("seed", seed, 0), ("resamples", resamples, 1)):
        require_least(value, name, least, InterventionError)
