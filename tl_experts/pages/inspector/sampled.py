"""Activations of every neuron at the tokens of some sentences, kept so that a neuron's histogram needs no pass."""

import threading
import time
from collections.abc import Sequence

import numpy as np

from tl_experts.corpus.sentences import Corpus
from tl_experts.models import Batching, Model, text_batches
from tl_experts.pages.inspector.gather import Neuron, TokenActivations, gather, joined
from tl_experts.responses.neurons import NeuronTable

KEPT_BYTES = 2**30
"""Activations that would need more memory are not kept: every question then takes a pass of the model."""

CHUNK = 16
"""Sentences that are run at a time: a question that needs the model waits no longer than for these."""

_PAUSE = 0.005
"""Seconds for whoever waits for the lock: a thread that takes it again at once would keep it."""


class Sampled:
    """The sentences that stand for the corpus in a neuron's histogram, and the activations at their tokens.

    Args:
        model: either class.
        corpus: of the run.
        neurons: every neuron of the run.
        site: theirs.
        lock: held while the model runs.
        count: sentences, of all languages together.
    """

    def __init__(
        self, model: Model, corpus: Corpus, neurons: NeuronTable, site: str, lock: threading.Lock, *, count: int
    ) -> None:
        labels = np.array(corpus.labels)
        share = max(1, count // len(corpus.languages))
        self.rows = [int(row) for language in corpus.languages for row in np.flatnonzero(labels == language)[:share]]
        self._model, self._corpus, self._site, self._lock = model, corpus.take(self.rows), site, lock
        self._neurons = neurons
        self._kept: list[TokenActivations] = []

    def fill(self) -> None:
        """Run the sentences and keep the activations of every neuron, unless they would take too much memory.

        Stops when the program ends.

        Raises:
            ModelError: a sentence without a token.
        """
        batches = text_batches(self._model, self._corpus.texts, Batching(truncate=True))
        tokens = sum(int(batch.pooled.sum()) for batch in batches)
        if 4 * tokens * self._neurons.total > KEPT_BYTES:
            return
        every = list(zip(self._neurons.layer_of.tolist(), self._neurons.neuron_of.tolist(), strict=True))
        parts = []
        for begin in range(0, len(self.rows), CHUNK):
            if not threading.main_thread().is_alive():
                return
            parts.append(self._gather(every, range(begin, min(begin + CHUNK, len(self.rows)))))
            time.sleep(_PAUSE)
        self._kept = parts

    def of(self, layer: int, neuron: int) -> TokenActivations:
        """The activations of one neuron of the run: those that are kept, or by a pass of the model."""
        if not self._kept:
            return self._gather([(layer, neuron)], range(len(self.rows)))
        column = int(self._neurons.columns_of(np.array([layer]), np.array([neuron]))[0])
        return joined([part.only(column) for part in self._kept])

    def _gather(self, neurons: Sequence[Neuron], numbers: range) -> TokenActivations:
        with self._lock:
            return gather(self._model, self._corpus.take(numbers), neurons, self._site, progress=False)
