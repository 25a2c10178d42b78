"""Texts that appear on a terminal as they are written."""

import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from tl_experts.models import Model
    from tl_experts.steering import Decoding
    from tl_experts.steering.interventions import Steerable

INDENT = " " * 8
"""Where the further lines of a text begin."""

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""Stands for a character whose last token is still to come."""


def on_a_terminal() -> bool:
    """Whether somebody watches standard output."""
    return sys.stdout.isatty()


def heading(when: str, prompt: str) -> str:
    """What stands before a text: ``before`` or ``after``, and the prompt."""
    return indented(f"{when:>6}: {prompt}")


def indented(text: str) -> str:
    """A text whose further lines are below its first."""
    return text.replace("\n", f"\n{INDENT}")


def stream_both(
    model: "Model", prompts: Sequence[str], steering: "Steerable", *, texts: int, seed: int, decoding: "Decoding"
) -> list[list[list[str]]]:
    """Continue every prompt before and after steering, and print every token as soon as it is written.

    Args:
        model: either class.
        prompts: what the texts begin with.
        steering: what `steer` takes.
        texts: how many for each prompt.
        seed: of the draws: the texts are those of `continue_prompts`.
        decoding: how tokens are chosen.

    Returns:
        The texts ``[before or after][prompt][text]``.
    """
    from tl_experts.steering import steer
    from tl_experts.steering.writing.continuing import stream_prompt

    written: list[list[list[str]]] = [[], []]
    for prompt in prompts:
        typer.echo("")
        blocks: list[AbstractContextManager[object]] = [nullcontext(), steer(model, steering)]
        for when, block, found in zip(("before", "after"), blocks, written, strict=True):
            own: list[str] = []
            found.append(own)
            with block:
                for number in range(texts):
                    typer.echo(heading(when, prompt), nl=False)
                    own.append(echoed(stream_prompt(model, prompt, seed=seed + number, decoding=decoding)))
    return written


def echoed(steps: Iterable[Sequence[str]]) -> str:
    """Print what each step adds to a text.

    Args:
        steps: the whole text so far, after every token, as the only item of a list.

    Returns:
        The whole text.
    """
    shown = text = ""
    for (text,) in steps:
        shown = _extended(shown, text.rstrip(UNFINISHED))
    _extended(shown, text)
    typer.echo("")
    return text


def _extended(shown: str, text: str) -> str:
    """Print what follows the part that is shown; a text that does not begin with it waits for more tokens."""
    if not text.startswith(shown):
        return shown
    typer.echo(indented(text[len(shown) :]), nl=False)
    return text


def print_all(prompts: Sequence[str], written: Sequence[Any]) -> None:
    """Print the same lines at once.

    Args:
        prompts: as in `stream_both`.
        written: what it returns.
    """
    for prompt, *both in zip(prompts, *written, strict=True):
        typer.echo("")
        for when, texts in zip(("before", "after"), both, strict=True):
            for text in texts:
                typer.echo(heading(when, prompt) + indented(text))
