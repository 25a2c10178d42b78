"""Free generation, the language of texts, and perplexity: what an intervention does to a model as a model.

Source: Sundar et al. 2025, section 5 and figure 3: sentences sampled from BOS, their language by langid.py;
perplexity of held-out text in windows of the model's context.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from tl_experts.corpus.languages import language_code
from tl_experts.errors import ModelError, TLExpertsError, TLExpertsWarning, require_choice
from tl_experts.models import Decoder, Model, evaluating, require_model, token_policy
from tl_experts.models.batches import plain_tokens
from tl_experts.models.losses import token_losses
from tl_experts.steering.sampling import sampled_tokens

STRIDE = 512
"""Tokens between two windows of a perplexity (Sundar et al. 2025)."""


def generate_texts(
    model: Model,
    count: int,
    *,
    seed: int,
    prompt: str = "",
    max_new_tokens: int = 64,
    temperature: float = 1.0,
    top_p: float | None = 0.9,
    batch_size: int = 128,
    progress: bool = True,
) -> list[str]:
    """Sample texts from BOS, each up to its end of text; steered if this is called inside `steer`.

    Args:
        model: either class.
        count: how many.
        seed: of the draws; the same model, count, options and seed give the same texts.
        prompt: what every text begins with (it is not part of the result).
        max_new_tokens: where a text that does not end is cut.
        temperature: 1: the model's own distribution.
        top_p: sample among the likeliest tokens of this total probability; None: among all.
        batch_size: texts at a time.
        progress: show a bar.

    Raises:
        ModelError: the model has neither BOS nor a prompt to begin with, or the text would not fit its context.
        TLExpertsError: an option out of its range.
    """
    require_model(model)
    _require_options(count, max_new_tokens, temperature, top_p, batch_size)
    start = _beginning(model, prompt)
    if len(start) + max_new_tokens > model.cfg.n_ctx:
        raise ModelError(
            f"{len(start)} + {max_new_tokens} tokens do not fit the context of {model.cfg.n_ctx}; lower max_new_tokens"
        )
    texts: list[str] = []
    with (
        evaluating(model),
        torch.random.fork_rng(devices=_cuda_devices(model)),
        tqdm(total=count, desc="generation", unit="text", disable=not progress) as bar,
    ):
        torch.manual_seed(seed)
        while len(texts) < count:
            rows = min(batch_size, count - len(texts))
            tokens = _sampled(model, torch.tensor([start] * rows), max_new_tokens, temperature, top_p)
            texts += [_text(model, row) for row in tokens.tolist()]
            bar.update(rows)
    return texts


def _sampled(
    model: Model, fed: Int[Tensor, "batch pos"], count: int, temperature: float, top_p: float | None
) -> Int[Tensor, "batch new"]:
    """So many new tokens for each row. Rows end at different times; what follows an end is cut off by the caller."""
    decoder = Decoder(model)
    written = []
    for _ in range(count):
        # Of a model on several devices, the logits come from the last.
        fed = sampled_tokens(decoder.next_logits(fed), temperature=temperature, top_p=top_p)[:, None].cpu()
        written.append(fed)
    return torch.cat(written, dim=1)


def _require_options(count: int, new: int, temperature: float, top_p: float | None, batch: int) -> None:
    for name, value in (("count", count), ("max_new_tokens", new), ("batch_size", batch)):
        if value < 1:
            raise TLExpertsError(f"{name} is {value}; expected 1 or more")
    if not temperature > 0:
        raise TLExpertsError(f"temperature is {temperature}; expected a positive number, 1 for the model's own")
    if top_p is not None and not 0 < top_p <= 1:
        raise TLExpertsError(f"top_p is {top_p}; expected more than 0 and at most 1, or None for all tokens")


def _beginning(model: Model, prompt: str) -> list[int]:
    policy = token_policy(model)
    start = [] if policy.bos is None else [policy.bos]
    if prompt:
        start += policy.tokenizer(prompt, add_special_tokens=False)["input_ids"]
    if not start:
        # Bloom, for one, begins texts with its end-of-text token.
        ends = (policy.tokenizer.bos_token_id, policy.tokenizer.eos_token_id)
        start = [token for token in ends if token is not None and token < model.cfg.d_vocab][:1]
    if not start:
        raise ModelError(f"{model.cfg.model_name} has neither BOS nor EOS to begin a text with; give a prompt")
    return start


def _cuda_devices(model: Model) -> list[torch.device]:
    return [device for device in {parameter.device for parameter in model.parameters()} if device.type == "cuda"]


def _text(model: Model, ids: list[int]) -> str:
    ends = {model.tokenizer.eos_token_id, model.tokenizer.bos_token_id, model.tokenizer.pad_token_id}
    end = next((place for place, token in enumerate(ids) if token in ends), len(ids))
    return str(model.tokenizer.decode(ids[:end], skip_special_tokens=True)).strip()


_KNOWN_AS = {"nb": "no", "fil": "tl"}
"""Languages that langid.py knows by another code."""


class LanguageIdentifier:
    """langid.py's model (as py3langid packs it) over a closed set of languages.

    A language that the model does not know is identified as its base language (``pt-BR`` as ``pt``), or left out if the
    model does not know the base either; a warning says so. Languages of one base are not distinguished: each has the
    probability of the base.

    Args:
        languages: what a text may be in.

    Raises:
        TLExpertsError: the model tells fewer than two of the languages apart.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        from py3langid.langid import MODEL_FILE
        from py3langid.langid import LanguageIdentifier as Langid

        self._model: Any = Langid.from_model_file(MODEL_FILE)
        labels = {language_code(code): _langid_label(language_code(code), self._model.labels) for code in languages}
        self.languages = tuple(code for code, label in labels.items() if label)
        """Those that are identified, in the given order."""

        known = list(dict.fromkeys(label for label in labels.values() if label))
        if len(known) < 2:
            left_out = [code for code, label in labels.items() if not label]
            raise TLExpertsError(
                f"the languages {', '.join(languages)} cannot be distinguished"
                + (f": langid.py does not know {', '.join(left_out)}" if left_out else "; give two or more")
            )
        _warn_of_fallbacks(labels)
        self._model.set_languages(known)
        self._known = known
        self._columns = [known.index(label) for label in labels.values() if label]

    def probabilities(self, texts: Sequence[str]) -> Float[np.ndarray, "text language"]:
        """The probability of each of `languages`; an empty text is in none (a row of zeros)."""
        table = np.zeros((len(texts), len(self.languages)))
        for row, text in zip(table, texts, strict=True):
            if text.strip():
                scores = dict(self._model.rank(text))
                logs = np.array([scores[label] for label in self._known])
                shares = np.exp(logs - logs.max())
                row[:] = (shares / shares.sum())[self._columns]
        return table

    def share(self, texts: Sequence[str], language: str) -> float:
        """The share of the texts whose likeliest language is this one."""
        if not texts:
            raise TLExpertsError("no text; give at least one")
        require_choice(language_code(language), self.languages, "language")
        table = self.probabilities(texts)
        found = table[:, self.languages.index(language_code(language))]
        return float(np.mean((found == table.max(axis=1)) & (found > 0)))


def _langid_label(code: str, known: Sequence[str]) -> str | None:
    candidates = (code, _KNOWN_AS.get(code, code), code.split("-")[0])
    return next((label for label in candidates if label in known), None)


def _warn_of_fallbacks(labels: Mapping[str, str | None]) -> None:
    """Say which languages are identified as another one, or not at all."""
    notes = [
        f"{code} is {f'identified as {label}' if label else 'left out'}"
        for code, label in labels.items()
        if label not in (code, _KNOWN_AS.get(code, code))
    ]
    if notes:
        warnings.warn(f"langid.py does not know every language: {', '.join(notes)}", TLExpertsWarning, stacklevel=3)


@dataclass(frozen=True)
class Perplexity:
    """How well a model predicts a text."""

    nats: float
    """Summed cross-entropy."""
    tokens: int
    """Tokens that were predicted."""
    text_bytes: int
    """Length of the text in UTF-8 bytes."""

    @property
    def perplexity(self) -> float:
        """Per token: comparable for one model only."""
        return math.exp(self.nats / self.tokens)

    @property
    def bits_per_byte(self) -> float:
        """Comparable between models."""
        return self.nats / math.log(2) / self.text_bytes


def text_perplexity(
    model: Model, text: str, *, window: int | None = None, stride: int = STRIDE, progress: bool = True
) -> Perplexity:
    """Cross-entropy of a text in overlapping windows, every token scored once; steered inside `steer`.

    Each window begins with BOS where the model has one. The first scores all its tokens, each later one only those
    that are new to it, so every scored token has at least ``window - stride`` tokens before it.

    Args:
        model: either class.
        text: as long as you like.
        window: tokens the model sees at once; None: its context.
        stride: tokens from one window to the next; more than fit a window: as many as fit.
        progress: show a bar.

    Raises:
        TLExpertsError: the text has fewer than two tokens, or a window or stride that cannot be.
    """
    require_model(model)
    policy = token_policy(model)
    context = int(model.cfg.n_ctx)
    window = context if window is None else window
    if not 2 <= window <= context or stride < 1:
        raise TLExpertsError(
            f"window {window}, stride {stride}; expected a window of 2 to {context} and a stride from 1"
        )
    ids = plain_tokens(policy.tokenizer, text, verbose=False)["input_ids"]
    head = [] if policy.bos is None else [policy.bos]
    if len(head) + len(ids) < 2:
        raise TLExpertsError(f"the text {text[:40]!r} has no token to predict; give a longer one")
    room = window - len(head)
    step = min(stride, room)
    nats, scored = 0.0, 0 if head else 1
    with tqdm(total=len(ids), desc="perplexity", unit="tok", unit_scale=True, disable=not progress) as bar:
        for begin in range(0, len(ids), step):
            piece = head + ids[begin : begin + room]
            fresh = begin + len(piece) - len(head) - scored
            wanted = torch.arange(1, len(piece)) >= len(piece) - fresh
            nats += float(token_losses(model, torch.tensor([piece]), wanted[None]).double().sum())
            scored += fresh
            bar.update(fresh)
            if scored >= len(ids):
                break
    return Perplexity(nats, len(ids) - (0 if head else 1), len(text.encode()))
