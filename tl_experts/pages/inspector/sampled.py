"""Activations of every neuron at the tokens of some sentences, kept so that a neuron's histogram needs no pass."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
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

GOLDEN = (5**0.5 - 1) / 2


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
        self._written = False

    @property
    def complete(self) -> bool:
        """Whether the activations at all sentences are kept."""
        return self._done == len(self.rows)

    @property
    def begun(self) -> bool:
        """Whether those at some sentences are: a question is then answered without waiting for the model."""
        return self._done > 0

    def load(self) -> bool:
        """Take the activations that were kept the last time; if there are none, run the first sentences.

        Returns:
            Whether there were any.

        Raises:
            ModelError: a sentence without a token.
        """
        _ = self._pieces
        found = None if self._folder is None else load_activations(self._folder, self._job, self._shape)
        if found is not None:
            self._kept, self._done, self._written = found, len(self.rows), True
        elif self._fits:
            with self._turns.question():
                self._advance()
        return found is not None

    def fill(self) -> None:
        """Run the sentences and keep the activations of every neuron, unless they would take too much memory.

        A question goes first, and finds those of the sentences that were run. Stops when the program ends.

        Raises:
            ModelError: a sentence without a token.
        """
        if not self._fits:
            return
        while not self.complete:
            with self._turns.ahead() as goes_on:
                if not goes_on:
                    return
                self._advance()
        self._keep()

    def of(self, layer: int, neuron: int) -> Iterator[TokenActivations]:
        """The activations of one neuron of the run at the tokens of ever more sentences.

        What is kept is there at once; the model is run for the rest, a few sentences at a time. Every run is kept for
        all neurons, so that no question and no work ahead repeats it, unless they would take too much memory.

        Yields:
            The activations at all tokens of the sentences so far, the last time of all.

        Raises:
            ModelError: a sentence without a token.
        """
        column = int(self._neurons.columns_of(np.array([layer]), np.array([neuron]))[0])
        values, done = np.empty(self._shape[1], dtype=np.float32), 0
        while done < len(self.rows):
            begin = done
            if self._done > done:
                done = self._done
                values[self._slots(begin, done)] = self._kept[column, self._slots(begin, done)]
            else:
                with self._turns.question():
                    # What was being computed ahead may be there once it is this question's turn.
                    if self._done > begin:
                        continue
                    if self._fits:
                        self._advance()
                        continue
                    done = self._next(begin)
                    values[self._slots(begin, done)] = self._run([(layer, neuron)], begin, done)[:, 0]
            yield self._so_far((layer, neuron), values, done)

    def names(self, activations: TokenActivations) -> list[int]:
        """The index in the run's corpus of every sentence of what `of` yields."""
        return [self.rows[sentence] for sentence in self._read(len(activations.corpus))]

    def _advance(self) -> None:
        """Run the next sentences, in a turn at the model, and keep the activations of every neuron."""
        if self.complete:
            return
        if not self.begun:
            self._kept = np.empty(self._shape, dtype=np.float32)
        begin, end = self._done, self._next(self._done)
        every = list(zip(self._neurons.layer_of.tolist(), self._neurons.neuron_of.tolist(), strict=True))
        found = torch.from_numpy(self._run(every, begin, end))
        # PyTorch transposes many times faster than NumPy.
        self._kept[:, self._slots(begin, end)] = found.T.contiguous().numpy()
        self._done = end

    def _keep(self) -> None:
        """Write what was computed for the next time, once."""
        if self._folder is not None and not self._written:
            self._kept = keep_activations(self._folder, self._job, self._kept)
            self._written = True

    @property
    def _fits(self) -> bool:
        """Whether the activations of all neurons may be kept."""
        return 4 * self._shape[0] * self._shape[1] <= KEPT_BYTES

    def _next(self, done: int) -> int:
        return min(done + CHUNK, len(self.rows))

    def _read(self, done: int) -> list[int]:
        """The sentences that were run so far, in the order of the corpus."""
        return sorted(self._order[:done].tolist())

    def _so_far(self, neuron: Neuron, values: Float[np.ndarray, " token"], done: int) -> TokenActivations:
        """Activations of the sentences that were run, from values in the order of the runs."""
        read = self._read(done)
        place = {int(sentence): at for at, sentence in enumerate(self._order)}
        parts = [values[self._slots(place[sentence], place[sentence] + 1)] for sentence in read]
        starts = np.concatenate([[0], np.cumsum(self._counts[read])])
        pieces = tuple(self._pieces[sentence] for sentence in read)
        return TokenActivations((neuron,), self._corpus.take(read), np.concatenate(parts)[:, None], starts, pieces)

    def _slots(self, begin: int, end: int) -> slice:
        """The tokens of some sentences by their numbers in the order of the runs, in which they are kept."""
        return slice(int(self._ends[begin]), int(self._ends[end]))

    def _run(self, neurons: Sequence[Neuron], begin: int, end: int) -> Float[np.ndarray, "token neuron"]:
        """The activations at the same tokens."""
        corpus = self._corpus.take(self._order[begin:end].tolist())
        return gather(self._model, corpus, neurons, self._site, progress=False).values

    @property
    def _shape(self) -> tuple[int, int]:
        """Neurons and tokens."""
        return self._neurons.total, int(self._ends[-1])

    @property
    def _job(self) -> Job:
        """Everything that decides the activations, and the order of the tokens."""
        return Job(
            {
                "version": __version__,
                "model": model_fingerprint(self._model),
                "site": self._site,
                "layers": self._neurons.layers,
                "widths": self._neurons.widths,
                "corpus": self._corpus.fingerprint,
                "order": self._order.tolist(),
            }
        )

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """The number of tokens of each sentence."""
        counts = np.zeros(len(self.rows), dtype=np.int64)
        for batch in text_batches(self._model, self._corpus.texts, Batching(truncate=True)):
            counts[batch.indices.numpy()] = batch.pooled.sum(dim=1).numpy()
        return counts

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """The sentences in the order in which they are run: so that those so far stand for all, in length and language.

        Those that are run together are of all languages, and about equally long in each, since padding costs time. The
        shortest are the first, for the first answer; the lengths that follow are spread evenly.
        """
        return run_order(self._counts, self._corpus.labels)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """In that order, the index of each sentence's first token, and the number of tokens at the end."""
        return np.concatenate([[0], np.cumsum(self._counts[self._order])])

    @cached_property
    def _pieces(self) -> tuple[tuple[str, ...], ...]:
        counts = self._counts.tolist()
        return tuple(
            tuple(text_pieces(self._model, text, count)) for text, count in zip(self._corpus.texts, counts, strict=True)
        )


def run_order(lengths: NDArray[np.int64], labels: Sequence[str]) -> NDArray[np.int64]:
    """Sentences in an order in which every beginning stands for all of them.

    Args:
        lengths: of the sentences, in tokens.
        labels: their languages.

    Examples:
        >>> run_order(np.array([5, 9, 7, 4, 6, 8]), ["de", "de", "de", "ja", "ja", "ja"]).tolist()
        [3, 0, 4, 2, 5, 1]
    """
    share = np.empty(len(lengths))
    for language in dict.fromkeys(labels):
        mine = np.flatnonzero(np.array(labels) == language)
        ranked = mine[np.argsort(lengths[mine], kind="stable")]
        share[ranked] = (np.arange(len(mine)) + 0.5) / len(mine)
    by_share = np.lexsort((lengths, share))
    runs = [by_share[at : at + CHUNK] for at in range(0, len(by_share), CHUNK)]
    whole, rest = (runs[:-1], runs[-1:]) if len(by_share) % CHUNK else (runs, [])
    # Multiples of the golden ratio, without their whole parts, are spread evenly at every count.
    spread = np.argsort(np.argsort(np.arange(len(whole)) * GOLDEN % 1))
    return np.concatenate([*(whole[at] for at in spread), *rest])
