"""Views that need a loaded model: any neuron, its effect, and generation before and after an intervention."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from tl_experts.errors import SelectionError, TLExpertsError, near
from tl_experts.experts.evidence import Evidence, require_library
from tl_experts.experts.expertise import Expertise, score_responses
from tl_experts.experts.experts import Experts
from tl_experts.experts.own import experts_from_list
from tl_experts.experts.scorings import SCORINGS, scored
from tl_experts.models import Batching, Model, lean_passes, text_batches, text_pieces, token_policy
from tl_experts.pages.inspector.asked import Held, Wish
from tl_experts.pages.inspector.effects import Effects
from tl_experts.pages.inspector.gather import first_tokens, gather
from tl_experts.pages.inspector.inspection import extremes
from tl_experts.pages.inspector.measured import sentence_measures
from tl_experts.pages.inspector.neighbours import Neighbours
from tl_experts.pages.inspector.records import SHOWN, Row, neuron_record, packed, rounded, token_record, weight_record
from tl_experts.pages.inspector.sampled import Sampled
from tl_experts.pages.inspector.turns import Turns
from tl_experts.pages.inspector.weight_view import weight_views
from tl_experts.responses.collect import Responses
from tl_experts.responses.reading import Reading
from tl_experts.responses.statistics_pass import collect_statistics
from tl_experts.responses.store import StoredResponses
from tl_experts.steering.generation import LanguageIdentifier
from tl_experts.steering.interventions import Steerable, steer
from tl_experts.steering.steering import Steering
from tl_experts.steering.tuning.shipped import model_settings, tuned_steering
from tl_experts.steering.writing.continuing import Decoding, stream_prompt

SAMPLED = 240
"""Sentences, of all languages together, whose tokens make the histogram of a neuron that is not on the page."""

TABLED = ("auroc", "ap", "mean_difference", "token_mean_difference", "lape", "aligned_lape")
"""The scorings that need neither quantiles nor a fit of their own."""

SLOW = ("dln", "probe")
"""The others."""

EXPECTED = 3
"""Tokens that are shown of what the model expects next."""


class Live:
    """A model with the responses of a run. It answers one question at a time, since hooks belong to the model.

    Args:
        model: the run's model.
        experts: experts of every language.
        responses: responses of all neurons to the run's corpus.
        folder: where what `prepare` computes is kept for the next time; None: nowhere.
    """

    def __init__(
        self, model: Model, experts: Experts, responses: Responses | StoredResponses, *, folder: Path | None = None
    ) -> None:
        self.model = model
        self.experts = experts
        self.responses = responses
        self._turns = Turns()
        self._tuned: dict[str, Steerable] = {}
        self._neighbours = Neighbours(responses)
        self._effects = Effects(model, responses.corpus)
        self._sampled = Sampled(
            model, responses.corpus, responses.neurons, responses.site, self._turns, count=SAMPLED, folder=folder
        )
        self._languages = responses.corpus.languages
        self._labels = np.array([self._languages.index(label) for label in responses.corpus.labels])

    def settings(self) -> Row:
        """What the forms of the page offer: the tuned settings in words, and the layers."""
        found = model_settings(self.model)
        return {
            "tuned": {code: str(one.setting) for code, one in sorted(found.items())},
            "layers": [[layer, width] for layer, width in self._widths.items()],
        }

    def neuron(self, layer: int, neuron: int) -> Row:
        """How a neuron tells the languages apart, by its responses; see `records.neuron_record`.

        Raises:
            SelectionError: the model has no such neuron.
        """
        values = self._values(layer, neuron)
        found = sentence_measures(values[:, None], self._labels, len(self._languages))
        measures = {name: table[0].tolist() for name, table in found.items()}
        return neuron_record((layer, neuron), measures, values)

    def answer(self, layer: int, neuron: int) -> Iterator[Row]:
        """All that the page shows of a neuron, what is there at once first.

        Yields:
            `neuron`; what `tokens` knows without waiting for the model, or ``{"done": 0, "of": sentences}`` if that is
            nothing; ``{"weights": ...}`` (see `records.weight_record`); ``{"neighbours": ...}``; and then what `tokens`
            yields from passes of the model.

        Raises:
            SelectionError: the model has no such neuron.
        """
        with self._turns.asked():
            yield self.neuron(layer, neuron)
            tokens = self.tokens(layer, neuron)
            yield next(tokens) if self._sampled.begun else {"done": 0, "of": len(self._sampled.rows)}
            yield from self._weights(layer, neuron)
            yield {"neighbours": self._neighbours.of(self._column(layer, neuron))}
            yield from tokens

    def tokens(self, layer: int, neuron: int) -> Iterator[Row]:
        """What activations at tokens show of a neuron (see `records.token_record`), from ever more sentences.

        ``distribution`` says on how many ``sentences`` of how many (``of``) it rests. The sentences at both ends are
        named, and their values left to `ends`.

        Yields:
            A record at once, if activations at some sentences are kept, and one after every pass of the model, until
            it rests on all.

        Raises:
            SelectionError: the model has no such neuron.
        """
        values = self._values(layer, neuron)
        measures = sentence_measures(values[:, None], self._labels, len(self._languages))
        home = self._languages[int(measures["auroc"][0].argmax())]
        ends = [self._ends(values, language) for language in range(len(self._languages))]
        none: list[tuple[list[int], list[int]]] = [([], [])] * len(self._languages)
        for activations in self._sampled.of(layer, neuron):
            record = token_record(activations, 0, home, none, names=self._sampled.names(activations))
            record["distribution"]["of"] = len(self._sampled.rows)
            record["shown"] |= {"top": [top for top, _ in ends], "bottom": [bottom for _, bottom in ends]}
            yield record

    def ends(self, layer: int, neuron: int, language: str) -> Row:
        """The activations at the sentences of a language with the largest, then with the smallest responses.

        Raises:
            SelectionError: the model has no such neuron, or the corpus no such language.
        """
        if language not in self._languages:
            raise SelectionError(f"the corpus has no {language!r}; {near(language, self._languages)}")
        top, bottom = self._ends(self._values(layer, neuron), self._languages.index(language))
        with self._turns.question():
            corpus = self.responses.corpus.take([*top, *bottom])
            found = gather(self.model, corpus, [(layer, neuron)], self.responses.site, progress=False)
        pieces = np.concatenate([found.drawn(sentence)[:, 0] for sentence in range(len(corpus))])
        return {"language": language, "pieces": packed(pieces, np.uint8)}

    def load(self) -> None:
        """Take what the first answer would otherwise wait for, with one short pass of the model at most."""
        # What goes wrong here is said in the answer that needs it.
        with suppress(TLExpertsError):
            self._sampled.load()
            self._neighbours.load()
            self.neuron(self.responses.neurons.layers[0], 0)  # loads the compiled kernel

    def prepare(self) -> None:
        """Compute what every answer about a neuron needs, so that it rests on all sentences from the first."""
        with suppress(TLExpertsError):  # as in `load`
            self._sampled.fill()

    def scorings(self, layer: int, neuron: int) -> Row:
        """How a neuron scores for each language by each scoring, and its rank among all neurons.

        The first call takes a pass of the model over the corpus, for the statistics of tokens.

        Raises:
            SelectionError: the model has no such neuron.
        """
        return self._ranked(self._scores, layer, neuron)

    def slow_scorings(self, layer: int, neuron: int) -> Row:
        """The same by the scorings that need histograms or a fit over all neurons.

        Raises:
            SelectionError: the model has no such neuron, or scikit-learn, which the probe needs, is not installed.
        """
        return self._ranked(self._slow_scores, layer, neuron)

    def expected(self, sentence: int) -> Row:
        """What the model expects after every piece of a sentence: its most probable next tokens.

        Raises:
            SelectionError: the corpus has no such sentence.
        """
        corpus = self.responses.corpus
        if not 0 <= sentence < len(corpus):
            raise SelectionError(f"sentence {sentence} does not exist: the corpus has 0 to {len(corpus) - 1}")
        text = corpus.texts[sentence]
        (batch,) = text_batches(self.model, [text], Batching(truncate=True))
        with self._turns.question(), lean_passes(self.model), torch.inference_mode():
            logits = self.model(batch.tokens.to(next(self.model.parameters()).device))[0].float().cpu()
        after = logits[batch.pooled[0].cpu()]
        firsts = first_tokens(text_pieces(self.model, text, len(after)))
        last = torch.tensor([*firsts[1:], len(after)]) - 1
        shares, tokens = after[last].softmax(dim=-1).topk(EXPECTED)
        decoded = self.model.tokenizer.batch_decode(rearrange(tokens, "piece token -> (piece token) 1"))
        return {
            "expected": [
                [[decoded[EXPECTED * piece + rank], rounded(share, 3)] for rank, share in enumerate(row)]
                for piece, row in enumerate(shares.tolist())
            ]
        }

    def effects(self, held: Held) -> Iterator[Row]:
        """The change of log-perplexity of each language's text, one language after the other.

        Raises:
            TLExpertsError: as `steering`.
        """
        with self._turns.question():
            for effect in self._effects.measure(self.steering(held)):
                yield {
                    "language": effect.language,
                    "tokens": effect.tokens,
                    "before": rounded(effect.before),
                    "change": rounded(effect.after - effect.before),
                }

    def continued(self, wish: Wish) -> Iterator[Row]:
        """A prompt continued without and with an intervention, token by token.

        Yields:
            ``{"side": "before" or "after", "texts": [...]}`` after every token, and in the end the probability of each
            language for every text, by langid.py, and the next-token logits that changed most.

        Raises:
            TLExpertsError: as `steering`, or the prompt is too long.
        """
        self._require_room(wish)
        with self._turns.question():
            if wish.held.by == "tuned" and wish.held.language not in self._tuned:
                yield {"status": "finding the neurons of the tuned setting; this is done once"}
            steering = self.steering(wish.held)
            sides: tuple[tuple[str, Callable[[], AbstractContextManager[Any]]], ...] = (
                ("before", nullcontext),
                ("after", lambda: steer(self.model, steering)),
            )
            logits, written = [], {}
            for side, context in sides:
                with context():
                    logits.append(self._next_logits(wish.prompt))
                    for texts in self._stream(wish):
                        written[side] = texts
                        yield {"side": side, "texts": [text.rstrip("\ufffd") for text in texts]}
        yield {**self._identified(written), "logits": self._changes(logits[1] - logits[0])}

    def steering(self, held: Held) -> Steerable:
        """What `steer` takes.

        Raises:
            TLExpertsError: there is no such setting, language, expert or neuron, or the operation lacks a value.
        """
        if held.by == "tuned":
            if held.language not in self._tuned:
                self._tuned[held.language] = tuned_steering(self.model, held.language, progress=False)
            return self._tuned[held.language]
        options: dict[str, Any] = {
            "operation": held.operation,
            "strength": held.strength,
            "positions": held.first or "all",
        }
        if held.by == "experts":
            return Steering(self.experts[held.language].head(held.k), value=held.value, **options)
        self._column(*held.neuron)
        reading = Reading(site=self.responses.site, layers=self.responses.neurons.layers)
        one = experts_from_list(self.model, {self._languages[0]: [(*held.neuron, held.value)]}, reading=reading)
        return Steering(one, value=[held.value], **options)

    @property
    def _widths(self) -> dict[int, int]:
        table = self.responses.neurons
        return dict(zip(table.layers, table.widths, strict=True))

    @cached_property
    def expertise(self) -> Expertise:
        """The scores of all neurons by their responses."""
        return score_responses(self.responses, progress=False)

    @cached_property
    def _scores(self) -> dict[str, Float[np.ndarray, "neuron language"]]:
        return self._scored(TABLED)

    @cached_property
    def _slow_scores(self) -> dict[str, Float[np.ndarray, "neuron language"]]:
        return self._scored(SLOW, quantiles=True)

    def _scored(
        self, names: Sequence[str], *, quantiles: bool = False
    ) -> dict[str, Float[np.ndarray, "neuron language"]]:
        reading = Reading(
            site=self.responses.site, layers=self.responses.neurons.layers, batching=Batching(truncate=True)
        )
        for name in names:
            require_library(SCORINGS[name])
        with self._turns.question():
            tokens = collect_statistics(
                self.model, self.responses.corpus, reading=reading, quantiles=quantiles, progress=False
            )
        evidence = Evidence(self.expertise, self.responses, tokens)
        return {name: scored(SCORINGS[name], evidence) for name in names}

    def _ranked(self, tables: Mapping[str, Float[np.ndarray, "neuron language"]], layer: int, neuron: int) -> Row:
        """The neuron's row of every table, with its rank in each column."""
        column = self._column(layer, neuron)
        found: Row = {}
        for name, table in tables.items():
            ranks = (table > table[column]).sum(axis=0) + 1
            found[name] = [
                [rounded(float(score)), int(rank)] if np.isfinite(score) else None
                for score, rank in zip(table[column], ranks, strict=True)
            ]
        return {"scorings": found, "neurons": self.responses.neurons.total}

    def _weights(self, layer: int, neuron: int) -> Iterator[Row]:
        (view,) = weight_views(self.model, [(layer, neuron)], self.responses.site)
        yield {"weights": weight_record(view)}

    def _ends(self, values: NDArray[np.float32], language: int) -> tuple[list[int], list[int]]:
        return extremes(values, self._labels == language, SHOWN)

    @cached_property
    def _identifier(self) -> LanguageIdentifier:
        return LanguageIdentifier(self._languages)

    def _identified(self, written: dict[str, list[str]]) -> Row:
        """The probability of each language for every text, or why there is none."""
        try:
            identifier = self._identifier
        except TLExpertsError as error:
            return {"note": str(error)}
        tables = {side: identifier.probabilities(texts).round(4).tolist() for side, texts in written.items()}
        return {"languages": list(identifier.languages), "probabilities": tables}

    def _stream(self, wish: Wish) -> Iterator[list[str]]:
        decoding = Decoding(max_new_tokens=wish.tokens, temperature=wish.temperature)
        return stream_prompt(self.model, wish.prompt, texts=wish.texts, seed=wish.seed, decoding=decoding)

    def _require_room(self, wish: Wish) -> None:
        """Refuse a prompt that leaves no room for the tokens, in the words of the page's form."""
        policy = token_policy(self.model)
        length = len(policy.tokenizer(wish.prompt, add_special_tokens=False)["input_ids"]) + (policy.bos is not None)
        room = policy.context - length
        if wish.tokens > room:
            fix = f"set 'tokens' to {room} or less, or shorten it" if room > 0 else "shorten it"
            raise TLExpertsError(
                f"the prompt has {length} tokens, and the model reads {policy.context} in all: {wish.tokens} more do "
                f"not fit; {fix}"
            )

    def _next_logits(self, prompt: str) -> Float[Tensor, " token"]:
        (batch,) = text_batches(self.model, [prompt], Batching(truncate=True))
        with lean_passes(self.model), torch.inference_mode():
            logits: Tensor = self.model(batch.tokens.to(next(self.model.parameters()).device))[0, -1]
        return logits.float().cpu()

    def _changes(self, change: Float[Tensor, " token"], count: int = 8) -> list[list[Any]]:
        """The tokens whose logits changed most; largest gain first, largest loss last."""
        order = change[: len(self.model.tokenizer)].argsort(descending=True).tolist()
        ends = order[:count] + order[-count:]
        return [[str(self.model.tokenizer.decode([token])), rounded(float(change[token]), 4)] for token in ends]

    def _values(self, layer: int, neuron: int) -> NDArray[np.float32]:
        """The responses of a neuron to every sentence."""
        column = self._column(layer, neuron)
        return np.ascontiguousarray(self.responses.columns(column, column + 1)[:, 0])

    def _column(self, layer: int, neuron: int) -> int:
        widths = self._widths
        if layer not in widths or not 0 <= neuron < widths[layer]:
            layers = list(widths)
            raise SelectionError(
                f"no neuron L{layer} N{neuron}: layers are {layers[0]} to {layers[-1]}"
                + (f", layer {layer} has neurons 0 to {widths[layer] - 1}" if layer in widths else "")
            )
        return int(self.responses.neurons.columns_of(np.array([layer]), np.array([neuron]))[0])
