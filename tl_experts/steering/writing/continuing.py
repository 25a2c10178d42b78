"""Continue many prompts side by side, also under several interventions."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from tqdm.auto import tqdm

from tl_experts.errors import InterventionError, ModelError, TLExpertsError, require_choice, require_least
from tl_experts.experts.experts import Experts
from tl_experts.models import Decoder, Model, evaluating, require_model, token_policy
from tl_experts.models.batches import TokenPolicy, plain_tokens
from tl_experts.steering.interventions import Intervention, as_intervention, steer
from tl_experts.steering.sampling import draws, next_tokens, penalised
from tl_experts.steering.side_by_side import rows_by_part


def _number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen.

    Raises:
        TLExpertsError: an option out of its range.

    Examples:
        >>> Decoding(temperature=0, repetition_penalty=1.1).repetition_penalty  # as Tang et al. 2024
        1.1
    """

    max_new_tokens: int = 48
    """Where a text that does not end is cut."""

    temperature: float = 0.7
    """0: the likeliest token at each step (greedy decoding); 1: the model's own distribution."""

    top_p: float | None = 0.9
    """Sample among the likeliest tokens of this total probability; None: among all."""

    repetition_penalty: float = 1.0
    """Divides the positive logits of tokens that the prompt or the text already has, multiplies the negative ones."""

    chat: bool = False
    """Each prompt is a user's turn, in the chat template of the model's tokenizer; the text is the answer."""

    def __post_init__(self) -> None:
        """Check every option."""
        require_least(self.max_new_tokens, "max_new_tokens", 1)
        if not _number(self.temperature) or not 0 <= self.temperature < np.inf:
            raise TLExpertsError(f"temperature is {self.temperature!r}; expected 0 (greedy) or a positive number")
        if self.top_p is not None and (not _number(self.top_p) or not 0 < self.top_p <= 1):
            raise TLExpertsError(f"top_p is {self.top_p!r}; expected more than 0 and at most 1, or None for all tokens")
        if not _number(self.repetition_penalty) or not 0 < self.repetition_penalty < np.inf:
            raise TLExpertsError(f"repetition_penalty is {self.repetition_penalty!r}; expected a positive number")
        require_choice(self.chat, (True, False), "chat")


DEFAULT_DECODING = Decoding()


def continue_prompts(
    model: Model,
    prompts: Sequence[str],
    *,
    texts: int = 1,
    seed: int = 0,
    decoding: Decoding = DEFAULT_DECODING,
    batch_size: int = 64,
    progress: bool = True,
) -> list[list[str]]:
    """Continue every prompt several times, in batches of many prompts; steered inside `steer`.

    A text depends on its prompt, the seed and its number, not on the other prompts. (A batch changes logits in their
    last bits, which may decide between two tokens of nearly the same probability.)

    Args:
        model: either class.
        prompts: what the texts begin with; an empty prompt is BOS alone.
        texts: how many for each prompt.
        seed: of the draws: the texts of a prompt have the seeds `seed`, `seed` + 1...
        decoding: how tokens are chosen.
        batch_size: texts at a time.
        progress: show a bar, in texts.

    Returns:
        The texts of each prompt, without it. A leading space belongs to the text: ``prompt + text`` is what the model
        wrote.

    Raises:
        ModelError: the texts would not fit the context, or the tokenizer lacks BOS or a chat template that is needed.
        TLExpertsError: no prompt, or an option out of its range.

    Examples:
        >>> from tl_experts import load_model
        >>> model = load_model("polyglot-mini")
        >>> prompts = ["To open a file,", "The program crashes whenever"]
        >>> written = continue_prompts(model, prompts, texts=3, decoding=Decoding(max_new_tokens=5), progress=False)
        >>> [len(texts) for texts in written]
        [3, 3]
    """
    return continue_side_by_side(
        model,
        prompts,
        [None],
        texts=texts,
        seed=seed,
        decoding=decoding,
        batch_size=batch_size,
        progress=progress,
    )[0]


def continue_side_by_side(
    model: Model,
    prompts: Sequence[str],
    parts: Sequence[Experts | Intervention | None],
    *,
    texts: int = 1,
    seed: int = 0,
    decoding: Decoding = DEFAULT_DECODING,
    batch_size: int = 64,
    progress: bool = True,
) -> list[list[list[str]]]:
    """Continue every prompt under each of several interventions, in the same batches.

    The texts are those of `continue_prompts` inside `steer`, one intervention after the other, for a fraction of the
    time; see `SideBySide`.

    Args:
        model: either class.
        prompts: what the texts begin with.
        parts: at least one: an intervention such as a `Steering`, experts of one language, or None: not steered.
        texts: as in `continue_prompts`, and so are the other options.
        seed: of the draws.
        decoding: how tokens are chosen.
        batch_size: texts at a time.
        progress: show a bar, in texts.

    Returns:
        The texts ``[part][prompt][text]``.

    Raises:
        ModelError: as `continue_prompts`.
        TLExpertsError: as `continue_prompts`.
        InterventionError: something that is not an intervention, or none.
        ArtefactError: an intervention that was made for another model.

    Examples:
        >>> from tl_experts import find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> experts = find_experts(model, sentences, k=5, progress=False)
        >>> short = Decoding(max_new_tokens=5)
        >>> parts = [None, experts["es"], experts["de"]]
        >>> plain, spanish, german = continue_side_by_side(
        ...     model, ["To open a file,"], parts, texts=2, decoding=short, progress=False
        ... )
        >>> len(plain[0]), len(german[0])
        (2, 2)
    """
    require_model(model)
    _require(prompts, texts, seed, batch_size)
    if not isinstance(parts, list | tuple) or not parts:
        raise InterventionError(f"parts is {parts!r:.60}; give a list of interventions: [None, experts['es']]")
    steerings = [None if part is None else as_intervention(part) for part in parts]
    encoded = _encoded(model, prompts, decoding)
    numbers = range(seed, seed + texts)
    jobs = [(part, row, own) for part in range(len(parts)) for row in range(len(prompts)) for own in numbers]
    # Prompts of similar length side by side: less padding. Their order does not change the texts.
    jobs.sort(key=lambda job: (-len(encoded[job[1]]), job))
    found: dict[tuple[int, int, int], str] = {}
    with evaluating(model), tqdm(total=len(jobs), desc="writing", unit="text", disable=not progress) as bar:
        waiting = iter(jobs)
        while batch := list(islice(waiting, batch_size)):
            drawn = np.stack([draws(prompts[row], own, decoding.max_new_tokens) for _, row, own in batch])
            steering = rows_by_part(steerings, [part for part, _, _ in batch])
            with nullcontext() if steering is None else steer(model, steering):
                written = _continued(model, [encoded[row] for _, row, _ in batch], drawn, decoding)
            found |= dict(zip(batch, written, strict=True))
            bar.update(len(batch))
    return [[[found[part, row, own] for own in numbers] for row in range(len(prompts))] for part in range(len(parts))]


def stream_prompt(
    model: Model, prompt: str, *, texts: int = 1, seed: int = 0, decoding: Decoding = DEFAULT_DECODING
) -> Iterator[list[str]]:
    """Continue one prompt several times side by side, and give all texts after every token.

    The last item is what `continue_prompts` returns for the prompt. Leave the intervention in force until the iterator
    is exhausted or closed.

    Args:
        model: as in `continue_prompts`.
        prompt: what the texts begin with.
        texts: how many, with the seeds `seed`, `seed` + 1...
        seed: of the draws.
        decoding: how tokens are chosen.

    Raises:
        ModelError: as `continue_prompts`.
        TLExpertsError: an option out of its range.
    """
    require_model(model)
    _require([prompt], texts, seed, batch_size=1)
    (start,) = _encoded(model, [prompt], decoding)
    policy, ends = token_policy(model), _ends(model, decoding)
    numbers = np.stack([draws(prompt, seed + number, decoding.max_new_tokens) for number in range(texts)])
    with evaluating(model):
        for rows in _rows_by_step(model, [start] * texts, numbers, decoding):
            yield [_text(policy, start, row[len(start) :], ends) for row in rows]


def _continued(
    model: Model, encoded: Sequence[list[int]], numbers: Float64[np.ndarray, "batch token"], decoding: Decoding
) -> list[str]:
    """What the model writes after each row of tokens."""
    policy, ends = token_policy(model), _ends(model, decoding)
    *_, rows = _rows_by_step(model, encoded, numbers, decoding)
    return [_text(policy, start, row[len(start) :], ends) for start, row in zip(encoded, rows, strict=True)]


def _rows_by_step(
    model: Model, encoded: Sequence[list[int]], numbers: Float64[np.ndarray, "batch token"], decoding: Decoding
) -> Iterator[list[list[int]]]:
    """The rows of tokens after each new token; the same lists, which grow."""
    policy, ends = token_policy(model), _ends(model, decoding)
    width = max(map(len, encoded))
    tokens = torch.tensor([[policy.pad] * (width - len(row)) + row for row in encoded])
    attended = torch.tensor([[False] * (width - len(row)) + [True] * len(row) for row in encoded])
    rows = [list(row) for row in encoded]
    decoder = Decoder(model)
    logits = decoder.next_logits(tokens, attended)
    finished = [False] * len(rows)
    for step in range(decoding.max_new_tokens):
        chosen = next_tokens(
            penalised(logits, rows, decoding.repetition_penalty),
            numbers[:, step],
            temperature=decoding.temperature,
            top_p=decoding.top_p,
        ).cpu()
        for row, token in zip(rows, chosen.tolist(), strict=True):
            row.append(token)
        yield rows
        finished = [done or row[-1] in ends for done, row in zip(finished, rows, strict=True)]
        if all(finished) or step + 1 == decoding.max_new_tokens:
            break
        logits = decoder.next_logits(chosen[:, None])


def _text(policy: TokenPolicy, start: list[int], new: list[int], ends: set[int]) -> str:
    """The new tokens as text, with the space before them where there is one."""
    count = next((at for at, token in enumerate(new) if token in ends), len(new))
    # Many tokenizers drop the leading space of what they decode, so some of the prompt is decoded with it.
    context = start[-4:]
    before, whole = (
        str(policy.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
        for ids in (context, [*context, *new[:count]])
    )
    if whole.startswith(before):
        return whole[len(before) :]
    return str(policy.tokenizer.decode(new[:count], skip_special_tokens=True))


def _encoded(model: Model, prompts: Sequence[str], decoding: Decoding) -> list[list[int]]:
    """The tokens of each prompt, with what stands before it."""
    policy = token_policy(model)
    encoded = [_templated(policy, prompt) if decoding.chat else _beginning(model, policy, prompt) for prompt in prompts]
    longest = max(map(len, encoded))
    if longest + decoding.max_new_tokens > policy.context:
        raise ModelError(
            f"{longest} + {decoding.max_new_tokens} tokens do not fit the context of {policy.context}; "
            "lower max_new_tokens, or shorten the prompts"
        )
    return encoded


def _templated(policy: TokenPolicy, prompt: str) -> list[int]:
    if not getattr(policy.tokenizer, "chat_template", None):
        raise ModelError("the model's tokenizer has no chat template; use chat=False, or an instruction-tuned model")
    turns = [{"role": "user", "content": prompt}]
    text = policy.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    return list(policy.tokenizer(text, add_special_tokens=False)["input_ids"])


def _beginning(model: Model, policy: TokenPolicy, prompt: str) -> list[int]:
    start = [] if policy.bos is None else [policy.bos]
    if prompt:
        return [*start, *plain_tokens(policy.tokenizer, prompt)["input_ids"]]
    if not start:
        # Bloom, for one, begins texts with its end-of-text token.
        ends = (policy.tokenizer.bos_token_id, policy.tokenizer.eos_token_id)
        start = [token for token in ends if token is not None and token < model.cfg.d_vocab][:1]
    if not start:
        raise ModelError(f"{model.cfg.model_name} has neither BOS nor EOS to begin a text with; give a prompt")
    return start


def _ends(model: Model, decoding: Decoding) -> set[int]:
    tokenizer: Any = model.tokenizer
    if decoding.chat:  # the end of a turn is a special token, whose name differs by model
        return set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    return {tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id} - {None}


def _require(prompts: Sequence[str], texts: int, seed: int, batch_size: int) -> None:
    if isinstance(prompts, str):
        raise TLExpertsError(f"prompts is the string {prompts[:40]!r}; give a list: [{prompts[:40]!r}]")
    if not len(prompts):
        raise TLExpertsError("prompts is empty; give at least one")
    for name, value, least in (("texts", texts, 1), ("batch_size", batch_size, 1), ("seed", seed, 0)):
        require_least(value, name, least)
