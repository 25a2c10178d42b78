"""What an intervention costs text: the change of log-perplexity, language by language."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np

from tl_experts.corpus.sentences import Corpus
from tl_experts.models import Model
from tl_experts.models.losses import loss_batches, loss_batching, text_losses
from tl_experts.steering.interventions import Steerable, steer

SENTENCES = 8
"""Of each language: an answer in seconds, with an uncertainty that allows to see large effects only."""


@dataclass(frozen=True)
class Effect:
    """The log-perplexity of one language's sentences, in nats per token."""

    language: str
    tokens: int
    before: float
    after: float


class Effects:
    """Measures effects on the first sentences of each language; those of the model as it is are measured once.

    Args:
        model: either class.
        corpus: where the sentences are taken from.
        sentences: of each language.
    """

    def __init__(self, model: Model, corpus: Corpus, *, sentences: int = SENTENCES) -> None:
        self._model = model
        labels = np.array(corpus.labels)
        self._texts = {
            language: [corpus.texts[index] for index in np.flatnonzero(labels == language)[:sentences]]
            for language in corpus.languages
        }
        self._before: dict[str, float] = {}

    def measure(self, steering: Steerable) -> Iterator[Effect]:
        """The effect on each language, one after the other.

        Raises:
            ModelError: a sentence without a token to predict.
            InterventionError: as `steer`.
        """
        for language in self._texts:
            if language not in self._before:
                self._before[language], _ = self._losses(language, nullcontext())
            after, tokens = self._losses(language, steer(self._model, steering, check=False))
            yield Effect(language, tokens, self._before[language], after)

    def _losses(self, language: str, context: AbstractContextManager[object]) -> tuple[float, int]:
        texts = self._texts[language]
        batches = loss_batches(self._model, texts, loss_batching(self._model, truncate=True))
        with context:
            found = text_losses(self._model, texts, batches, progress=False)
        tokens = int(found.tokens.sum())
        return float(found.nats.sum() / tokens), tokens
