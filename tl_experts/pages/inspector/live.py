"""Views that need a loaded model: any neuron, and generation before and after an intervention."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tl_experts.errors import SelectionError, TLExpertsError
from tl_experts.experts.auroc import STATISTICS, score
from tl_experts.experts.experts import Experts
from tl_experts.models import Batching, Model, attached, hook_name, text_batches
from tl_experts.pages.inspector.gather import TokenActivations, gather
from tl_experts.pages.inspector.weight_view import WeightView, weight_views
from tl_experts.responses.collect import Responses
from tl_experts.steering.generation import LanguageIdentifier, generate_texts
from tl_experts.steering.interventions import steer


@dataclass(frozen=True)
class Comparison:
    """A prompt continued without and with an intervention."""

    before: str
    after: str

    languages: tuple[str, ...]
    probability_before: tuple[float, ...]
    """Probability of each language for the continuation, by langid.py."""

    probability_after: tuple[float, ...]

    logits: tuple[tuple[str, float], ...]
    """The tokens whose next-token logits changed most, with the change; largest gain first, largest loss last."""


@dataclass(frozen=True, eq=False)
class NeuronView:
    """One neuron on the run's corpus."""

    layer: int
    neuron: int
    auroc: dict[str, float]
    ap: dict[str, float]
    low: float
    high: float
    """Smallest and largest response: the range of the slider."""


class Live:
    """A model with the responses of a run. It answers one question at a time, since hooks belong to the model.

    Args:
        model: the run's model.
        experts: experts of every language.
        responses: responses of all neurons to the run's corpus.
    """

    def __init__(self, model: Model, experts: Experts, responses: Responses) -> None:
        self.model = model
        self.experts = experts
        self.responses = responses
        self._lock = threading.Lock()

    @cached_property
    def _identifier(self) -> LanguageIdentifier:
        return LanguageIdentifier(self.responses.corpus.languages)

    @cached_property
    def _labels(self) -> np.ndarray:
        languages = self.responses.corpus.languages
        return np.array([languages.index(label) for label in self.responses.corpus.labels])

    def view(self, layer: int, neuron: int) -> NeuronView:
        """How well a neuron identifies each language.

        Raises:
            SelectionError: the model has no such neuron.
        """
        column = self._column(layer, neuron)
        values = self.responses.values[:, [column]].float().numpy()
        languages = self.responses.corpus.languages
        found = dict(zip(STATISTICS, score(values, self._labels, len(languages)), strict=True))
        return NeuronView(
            layer,
            neuron,
            dict(zip(languages, found["auroc"][0].tolist(), strict=True)),
            dict(zip(languages, found["ap"][0].tolist(), strict=True)),
            float(values.min()),
            float(values.max()),
        )

    def tokens(self, layer: int, neuron: int, *, count: int = 3) -> list[tuple[str, float, TokenActivations, int]]:
        """The sentences with the largest responses of each language.

        Returns:
            For each sentence: language, response, activations, and its index in the activations.
        """
        column = self._column(layer, neuron)
        values = self.responses.values[:, column].float().numpy()
        corpus = self.responses.corpus
        chosen = []
        for language in range(len(corpus.languages)):
            mine = np.flatnonzero(self._labels == language)
            chosen += mine[np.argsort(-values[mine], kind="stable")[:count]].tolist()
        with self._lock:
            found = gather(self.model, corpus.take(chosen), [(layer, neuron)], self.responses.site, progress=False)
        return [(corpus.labels[index], float(values[index]), found, row) for row, index in enumerate(chosen)]

    def weights(self, layer: int, neuron: int) -> WeightView:
        """What a neuron's weights say."""
        self._column(layer, neuron)
        return weight_views(self.model, [(layer, neuron)], self.responses.site)[0]

    def compare_experts(self, prompt: str, language: str, k: int, *, seed: int = 0, tokens: int = 40) -> Comparison:
        """Continue a prompt without and with the k best experts of a language at their mean.

        Raises:
            SelectionError: a language without experts, or fewer than k.
        """
        chosen = self.experts[language].head(k)
        return self._compare(prompt, lambda: steer(self.model, chosen), seed, tokens)

    def compare_neuron(
        self, prompt: str, layer: int, neuron: int, value: float, *, seed: int = 0, tokens: int = 40
    ) -> Comparison:
        """Continue a prompt without and with one neuron set to a value at every token.

        Raises:
            SelectionError: the model has no such neuron.
        """
        self._column(layer, neuron)
        if not np.isfinite(value):
            raise TLExpertsError(f"value is {value}; expected a finite number")
        return self._compare(prompt, lambda: _set(self.model, layer, neuron, value, self.responses.site), seed, tokens)

    def _compare(
        self, prompt: str, intervention: Callable[[], AbstractContextManager[Any]], seed: int, tokens: int
    ) -> Comparison:
        with self._lock:
            texts, logits = [], []
            for context in (nullcontext, intervention):
                with context():
                    logits.append(self._next_logits(prompt))
                    texts += generate_texts(
                        self.model, 1, seed=seed, prompt=prompt, max_new_tokens=tokens, progress=False
                    )
        before, after = texts
        table = self._identifier.probabilities([before, after])
        return Comparison(
            before,
            after,
            self._identifier.languages,
            tuple(table[0].tolist()),
            tuple(table[1].tolist()),
            self._changes(logits[1] - logits[0]),
        )

    def _next_logits(self, prompt: str) -> Float[Tensor, " token"]:
        if not prompt:
            raise TLExpertsError("the prompt is empty; write the beginning of a text")
        (batch,) = text_batches(self.model, [prompt], Batching(truncate=True))
        with torch.inference_mode():
            logits: Tensor = self.model(batch.tokens.to(next(self.model.parameters()).device))[0, -1]
        return logits.float().cpu()

    def _changes(self, change: Tensor, count: int = 8) -> tuple[tuple[str, float], ...]:
        order = change[: len(self.model.tokenizer)].argsort(descending=True).tolist()
        return tuple(
            (self.model.tokenizer.decode([token]), float(change[token])) for token in order[:count] + order[-count:]
        )

    def _column(self, layer: int, neuron: int) -> int:
        table = self.responses.neurons
        widths = dict(zip(table.layers, table.widths, strict=True))
        if layer not in widths or not 0 <= neuron < widths[layer]:
            raise SelectionError(
                f"no neuron L{layer} N{neuron}: layers are {table.layers[0]} to {table.layers[-1]}"
                + (f", layer {layer} has neurons 0 to {widths[layer] - 1}" if layer in widths else "")
            )
        return int(table.columns_of(np.array([layer]), np.array([neuron]))[0])


@contextmanager
def _set(model: Model, layer: int, neuron: int, value: float, site: str) -> Iterator[None]:
    def edit(activation: Tensor, hook: Any) -> Tensor:  # noqa: ARG001 (TransformerLens's signature)
        changed = rearrange(activation, "batch pos ... -> batch pos (...)").clone()
        changed[..., neuron] = value
        return changed.view_as(activation)

    with attached(model, [(hook_name(layer, site), edit)]):
        yield
