"""Activations of every neuron at the tokens of some sentences, kept so that a neuron's histogram needs no pass."""

from collections.abc import Generator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from tl_experts import __version__
from tl_experts.corpus.sentences import Corpus
from tl_experts.jobs.job import Job
from tl_experts.models import Batching, Model, model_fingerprint, text_batches, text_pieces
from tl_experts.pages.inspector.gather import Neuron, TokenActivations, gather
from tl_experts.pages.inspector.kept import keep_activations, load_activations
from tl_experts.pages.inspector.turns import Turns
from tl_experts.responses.neurons import NeuronTable

KEPT_BYTES = 2**30
"""Activations that would need more memory are not kept: every question then takes a pass of the model."""

CHUNK = 16
"""Sentences that are run at a time: a question that needs the model waits no longer than for these."""


class Sampled:
    """The sentences that stand for the corpus in a neuron's histogram, and the activations at their tokens.

    Args:
        model: either class.
        corpus: of the run.
        neurons: every neuron of the run.
        site: theirs.
        turns: at the model.
        count: sentences, of all languages together.
        folder: where the activations are kept for the next time; None: in memory only.
    """

    def __init__(
        self,
        model: Model,
        corpus: Corpus,
        neurons: NeuronTable,
        site: str,
        turns: Turns,
        *,
        count: int,
        folder: Path | None = None,
    ) -> None:
        labels = np.array(corpus.labels)
        share = max(1, count // len(corpus.languages))
        self.rows = [int(row) for language in corpus.languages for row in np.flatnonzero(labels == language)[:share]]
        self._model, self._corpus, self._site, self._turns = model, corpus.take(self.rows), site, turns
        self._neurons, self._folder = neurons, folder
        self._kept: Float[np.ndarray, "neuron token"] = np.empty((neurons.total, 0), dtype=np.float32)
        self._done = 0  # sentences, in the order in which they are run, whose activations are in `_kept`

    @property
    def complete(self) -> bool:
        """Whether the activations at all sentences are kept."""
        return self._done == len(self.rows)

    def load(self) -> bool:
        """Split the sentences into tokens, and take the activations that were kept the last time, if there are any.

        Raises:
            ModelError: a sentence without a token.
        """
        _ = self._pieces, self._tokens
        found = None if self._folder is None else load_activations(self._folder, self._job, self._shape)
        if found is not None:
            self._kept, self._done = found, len(self.rows)
        return found is not None

    def fill(self) -> None:
        """Run the sentences and keep the activations of every neuron, unless they would take too much memory.

        A question goes first, and finds those of the sentences that were run. Stops when the program ends.

        Raises:
            ModelError: a sentence without a token.
        """
        if self.complete or 4 * self._shape[0] * self._shape[1] > KEPT_BYTES:
            return
        every = list(zip(self._neurons.layer_of.tolist(), self._neurons.neuron_of.tolist(), strict=True))
        self._kept = np.empty(self._shape, dtype=np.float32)
        while self._done < len(self.rows):
            upto = self._next(self._done)
            with self._turns.ahead() as goes_on:
                if not goes_on:
                    return
                self._kept[:, self._tokens_of(self._done, upto)] = self._run(every, self._done, upto).T
                self._done = upto
        if self._folder is not None:
            self._kept = keep_activations(self._folder, self._job, self._kept)

    def of(self, layer: int, neuron: int) -> Generator[dict[str, int], None, TokenActivations]:
        """The activations of one neuron of the run: those that are kept, the others by passes of the model.

        Yields:
            ``{"done": sentences, "of": all}`` before every pass.

        Returns:
            The activations at all tokens of the sentences.

        Raises:
            ModelError: a sentence without a token.
        """
        column = int(self._neurons.columns_of(np.array([layer]), np.array([neuron]))[0])
        values = np.empty(self._shape[1], dtype=np.float32)
        done = 0
        while done < len(self.rows):
            kept = self._done
            if kept > done:
                tokens = self._tokens_of(done, kept)
                values[tokens] = self._kept[column, tokens]
                done = kept
                continue
            yield {"done": done, "of": len(self.rows)}
            with self._turns.question():
                # What was being computed ahead may be there once it is this question's turn.
                if self._done <= done:
                    upto = self._next(done)
                    values[self._tokens_of(done, upto)] = self._run([(layer, neuron)], done, upto)[:, 0]
                    done = upto
        return TokenActivations(((layer, neuron),), self._corpus, values[:, None], self._starts, self._pieces)

    def _next(self, done: int) -> int:
        return min(done + CHUNK, len(self.rows))

    def _tokens_of(self, begin: int, end: int) -> NDArray[np.int64]:
        """The tokens of some sentences, by their numbers in the order in which they are run."""
        return np.concatenate(self._tokens[begin:end])

    def _run(self, neurons: Sequence[Neuron], begin: int, end: int) -> Float[np.ndarray, "token neuron"]:
        """The activations at the same tokens."""
        corpus = self._corpus.take(self._order[begin:end].tolist())
        return gather(self._model, corpus, neurons, self._site, progress=False).values

    @property
    def _shape(self) -> tuple[int, int]:
        """Neurons and tokens."""
        return self._neurons.total, int(self._starts[-1])

    @property
    def _job(self) -> Job:
        """Everything that decides the activations."""
        return Job(
            {
                "version": __version__,
                "model": model_fingerprint(self._model),
                "site": self._site,
                "layers": self._neurons.layers,
                "widths": self._neurons.widths,
                "corpus": self._corpus.fingerprint,
            }
        )

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """Index of each sentence's first token, and the number of tokens at the end."""
        counts = np.zeros(len(self.rows), dtype=np.int64)
        for batch in text_batches(self._model, self._corpus.texts, Batching(truncate=True)):
            counts[batch.indices.numpy()] = batch.pooled.sum(dim=1).numpy()
        return np.concatenate([[0], np.cumsum(counts)])

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """The sentences in the order in which they are run, by length: less of a batch is padding."""
        return np.argsort(np.diff(self._starts), kind="stable")

    @cached_property
    def _tokens(self) -> list[NDArray[np.int64]]:
        """The tokens of each sentence, in that order."""
        return [np.arange(self._starts[sentence], self._starts[sentence + 1]) for sentence in self._order]

    @cached_property
    def _pieces(self) -> tuple[tuple[str, ...], ...]:
        counts = np.diff(self._starts).tolist()
        return tuple(
            tuple(text_pieces(self._model, text, count)) for text, count in zip(self._corpus.texts, counts, strict=True)
        )
