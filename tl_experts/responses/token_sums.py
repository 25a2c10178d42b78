"""Sums over the tokens of each language, and the hooks that add a batch to them.

Sums are float64, and counts are whole numbers. Parts of a corpus are summed by themselves and added in their order, so
that the bits are the same, whoever computes a part.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int32, Int64
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import ArtefactError, SiteError
from tl_experts.models import Hook, Model, hook_name
from tl_experts.models.batches import Batch, first_indices
from tl_experts.models.pooling import own_tokens
from tl_experts.responses.collect import not_finite_error
from tl_experts.responses.exact import TokenActivations, fits
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.sketch import BINS, TokensOfLanguages
from tl_experts.responses.token_statistics import TokenStatistics


@dataclass(frozen=True, eq=False)
class TokenSums:
    """What is added up; see `TokenStatistics` for each."""

    tokens: Int64[Tensor, " language"]
    over_zero: Int64[Tensor, "language neuron"]
    gate_over_zero: Int64[Tensor, "language neuron"]
    total: Float64[Tensor, "language neuron"]
    total_of_squares: Float64[Tensor, "language neuron"]
    # [language neuron bin], or empty:
    histogram: Int32[Tensor, "_ _ _"] = field(default_factory=lambda: _no_histogram())
    gate_histogram: Int32[Tensor, "_ _ _"] = field(default_factory=lambda: _no_histogram())

    @classmethod
    def zeros(cls, languages: int, neurons: int, histograms: tuple[str, ...] = ()) -> "TokenSums":
        """Nothing yet; the histograms that are not named stay empty."""
        counted = {name: torch.zeros(languages, neurons, BINS, dtype=torch.int32) for name in histograms}
        counts = [torch.zeros(languages, neurons, dtype=torch.int64) for _ in range(2)]
        totals = [torch.zeros(languages, neurons, dtype=torch.float64) for _ in range(2)]
        return cls(torch.zeros(languages, dtype=torch.int64), *counts, *totals, **counted)

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], languages: int, neurons: int, histograms: tuple[str, ...] = ()
    ) -> "TokenSums":
        """Sums that were written to disk; histograms that are not named are left out.

        Raises:
            ArtefactError: they are not those of so many languages and neurons.
        """
        found = {}
        for name in (each.name for each in fields(cls)):
            if name.endswith("histogram") and name not in histograms:
                continue
            array = arrays.get(name, np.zeros(0))
            # Nothing is allocated for what a damaged file claims.
            shape, dtype = _form(name, languages, neurons)
            if (array.shape, array.dtype) != (shape, dtype):
                raise ArtefactError(f"{name} is {array.dtype} {array.shape}; expected {dtype} {shape}")
            found[name] = torch.from_numpy(array.copy())
        return cls(**found)

    def add(self, part: "TokenSums") -> None:
        """Add the sums of a part."""
        for name, tensor in vars(part).items():
            getattr(self, name).add_(tensor)

    def clear(self) -> None:
        """Begin again at zero."""
        for tensor in vars(self).values():
            tensor.zero_()


def _no_histogram() -> Int32[Tensor, "_ _ _"]:
    return torch.zeros(0, 0, 0, dtype=torch.int32)


def _form(name: str, languages: int, neurons: int) -> tuple[tuple[int, ...], "np.dtype[Any]"]:
    """The shape and dtype of an array."""
    if name == "tokens":
        return (languages,), np.dtype(np.int64)
    if name.endswith("histogram"):
        return (languages, neurons, BINS), np.dtype(np.int32)
    return (languages, neurons), np.dtype(np.float64 if name.startswith("total") else np.int64)


def gate_site(model: Model, site: str) -> str:
    """The site whose sign LAPE counts: the gate's output for a gated MLP's neurons, else the site itself.

    The activation functions of gated MLPs (SiLU, GELU) keep the sign, so that of ``act(gate)`` is that of the gate.
    ``mlp.hook_post`` holds the product with the linear half, whose sign may differ.
    """
    gated = hook_name(0, "mlp.hook_pre_linear") in model.hook_dict
    return "mlp.hook_pre" if gated and site == "mlp.hook_post" else site


Act = Callable[[Tensor], Tensor]
"""An activation function."""


def gate_acts(model: Model, neurons: NeuronTable, site: str) -> dict[int, Act]:
    """The activation function of each layer's gate, where the gate has a site of its own.

    Raises:
        SiteError: the model does not tell its activation function.
    """
    if gate_site(model, site) == site:
        return {}
    found = {layer: getattr(model.blocks[layer].mlp, "act_fn", None) for layer in neurons.layers}
    for layer, act in found.items():
        if not callable(act):
            raise SiteError(
                f"the MLP of layer {layer} has no act_fn, which quantiles of its gate need; leave out quantiles"
            )
    return found  # type: ignore[return-value]


@dataclass(frozen=True)
class TokenCounter:
    """What is summed: the tokens of a corpus at a site and at its gate."""

    sentences: Corpus
    neurons: NeuronTable
    site: str
    gate: str

    quantiles: bool = False
    """Whether histograms are kept too, and activations where they fit."""

    acts: Mapping[int, Act] = field(default_factory=dict)
    """The activation function of each layer's gate: see `gate_acts`."""

    @property
    def histograms(self) -> tuple[str, ...]:
        """The histograms that are kept."""
        if not self.quantiles:
            return ()
        return ("histogram",) if self.gate == self.site else ("histogram", "gate_histogram")

    def zeros(self) -> TokenSums:
        """Sums of nothing yet."""
        return TokenSums.zeros(len(self.sentences.languages), self.neurons.total, self.histograms)

    def tokens_of(self, batches: Iterable[Batch]) -> Int64[Tensor, " language"]:
        """The number of tokens of each language; those of a sentence count as often as it occurs."""
        tokens = torch.zeros(len(self.sentences.languages), dtype=torch.int64)
        for batch in batches:
            tokens += self._tokens(batch, self._weights(batch.indices))
        return tokens

    def keeps(self, batches: Iterable[Batch]) -> bool:
        """Whether the activations at all tokens are kept too: quantiles are asked for, and they fit.

        Args:
            batches: those of the whole corpus.
        """
        return self.quantiles and fits(int(self.tokens_of(batches).sum()), self.neurons.total)

    def room(self, batches: Iterable[Batch]) -> TokenActivations:
        """Room for the activations at all tokens of some batches."""
        return TokenActivations(self.tokens_of(batches), self.neurons.total)

    def statistics(
        self,
        sums: TokenSums,
        fingerprint: dict[str, str],
        activations: Float32[np.ndarray, "neuron token"] | None = None,
    ) -> TokenStatistics:
        """The sums of the whole corpus, and the activations if they are kept, as statistics of a model."""
        arrays = {name: tensor.numpy() for name, tensor in vars(sums).items()}
        return TokenStatistics(
            languages=self.sentences.languages,
            neurons=self.neurons,
            **(arrays if activations is None else {**arrays, "activations": activations}),
            site=self.site,
            gate_site=self.gate,
            corpora=(self.sentences.fingerprint,),
            fingerprint=fingerprint,
        )

    def readers(self, batch: Batch, sums: TokenSums, room: TokenActivations | None = None) -> list[Hook]:
        """Hooks that add a batch's tokens to sums; each token counts as often as its sentence occurs.

        Args:
            batch: what is run.
            sums: what is added to.
            room: for the activations, where they are kept.

        Raises:
            ResponseError: by a hook, where an activation is not finite.
        """
        weights = self._weights(batch.indices)
        sums.tokens.add_(self._tokens(batch, weights))
        own = TokensOfLanguages.of(batch.pooled, weights) if self.quantiles else None
        keep = None if own is None or room is None else room.reader(own)

        def tokens_of(activation: Tensor) -> list[Float[Tensor, "batch _ neuron"]]:
            parts = own_tokens(activation.flatten(2), batch.pooled.to(activation.device))
            # Apple's GPUs have no float64: there, sums are formed on the CPU.
            return [part.cpu() if part.device.type == "mps" else part for part in parts]

        def by_language(found: Float64[Tensor, "batch neuron"]) -> Float64[Tensor, "language neuron"]:
            return (weights.to(found.device) @ found).cpu()

        def read(layer: int) -> Hook:
            columns = self.neurons.span(layer)

            def add(activation: Tensor, hook: Any) -> None:  # noqa: ARG001 (TransformerLens's signature)
                parts = tokens_of(activation)
                total, squares = _moments(parts)
                if not bool(total.isfinite().all()):
                    raise not_finite_error(total, layer, batch, self.sentences.texts)
                sums.total[:, columns] += by_language(total)
                sums.total_of_squares[:, columns] += by_language(squares)
                counted = by_language(_over_zero(parts)).long()
                sums.over_zero[:, columns] += counted
                if self.gate == self.site:
                    sums.gate_over_zero[:, columns] += counted
                if own is not None:
                    own.count(activation.flatten(2), sums.histogram[:, columns])
                if keep is not None:
                    keep(activation.flatten(2), columns)

            return hook_name(layer, self.site), add

        def read_gate(layer: int) -> Hook:
            columns = self.neurons.span(layer)

            def add(activation: Tensor, hook: Any) -> None:  # noqa: ARG001 (TransformerLens's signature)
                sums.gate_over_zero[:, columns] += by_language(_over_zero(tokens_of(activation))).long()
                if own is not None:
                    own.count(self.acts[layer](activation).flatten(2), sums.gate_histogram[:, columns])

            return hook_name(layer, self.gate), add

        gates = [read_gate(layer) for layer in self.neurons.layers] if self.gate != self.site else []
        return [*gates, *(read(layer) for layer in self.neurons.layers)]

    @staticmethod
    def _tokens(batch: Batch, weights: Float64[Tensor, "language batch"]) -> Int64[Tensor, " language"]:
        return (weights @ batch.pooled.sum(dim=1).double()).long()

    def _weights(self, indices: Int64[Tensor, " batch"]) -> Float64[Tensor, "language batch"]:
        """How often each sentence of a batch occurs in each language."""
        first, language = self._occurrences
        starts, stops = (np.searchsorted(first, indices.numpy(), side=side) for side in ("left", "right"))
        size = len(self.sentences.languages)
        counts = [np.bincount(language[start:stop], minlength=size) for start, stop in zip(starts, stops, strict=True)]
        return torch.from_numpy(np.stack(counts, axis=1).astype(np.float64))

    @cached_property
    def _occurrences(self) -> tuple[Int64[np.ndarray, " sentence"], Int64[np.ndarray, " sentence"]]:
        """The first index of every sentence, ascending, and the languages of its occurrences."""
        rows = {language: row for row, language in enumerate(self.sentences.languages)}
        first = first_indices(self.sentences.texts)
        order = np.argsort(first, kind="stable")
        return first[order], np.array([rows[label] for label in self.sentences.labels], dtype=np.int64)[order]


def _moments(
    parts: list[Float[Tensor, "batch _ neuron"]],
) -> tuple[Float64[Tensor, "batch neuron"], Float64[Tensor, "batch neuron"]]:
    """Sum and sum of squares over the positions of all parts."""
    exact = [part.double() for part in parts]
    totals = [part.sum(dim=1) for part in exact]
    squares = [part.square_().sum(dim=1) for part in exact]
    return sum(totals[1:], totals[0]), sum(squares[1:], squares[0])


def _over_zero(parts: list[Float[Tensor, "batch _ neuron"]]) -> Float64[Tensor, "batch neuron"]:
    """The number of values above zero, over the positions of all parts.

    Exact: a sentence has fewer than 2**24 tokens, which float32 counts, and a corpus fewer than 2**53.
    """
    # A comparison into float32 and its sum take a tenth of the time of a sum of booleans.
    counts = [torch.gt(part, 0.0, out=torch.empty_like(part)).sum(dim=1).double() for part in parts]
    return sum(counts[1:], counts[0])
