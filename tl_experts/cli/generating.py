"""`tl-experts generate`: prompts in a file to texts in a file."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tl_experts.cli.groups import Machine
from tl_experts.cli.options import Json, MaxNewTokens, ModelName, Quiet, Seed, Temperature, Texts
from tl_experts.cli.output import Output
from tl_experts.cli.steered import Steered
from tl_experts.errors import CorpusError


def generate(
    machine: Machine,
    steered: Steered,
    model: ModelName,
    prompts: Annotated[
        Path,
        typer.Option(help="A text file with a prompt a line, or a table (JSON lines, CSV...) with a column of them."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="JSON-lines file: prompt, seed, text, language of each text.")
    ],
    prompt_column: Annotated[str, typer.Option(help="Column of the prompts in a table.")] = "prompt",
    seeds: Texts = 1,
    seed: Seed = 0,
    max_new_tokens: MaxNewTokens = 48,
    temperature: Temperature = 0.7,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Continue every prompt of a file, steered or not, and write the texts with the language of each."""
    steered.check()
    begun = read_prompts(prompts, prompt_column)

    from tl_experts.jobs.files import write_text
    from tl_experts.steering import Decoding, continue_prompts
    from tl_experts.steering.writing.language import text_language

    decoding = Decoding(max_new_tokens=max_new_tokens, temperature=temperature)
    loaded = machine.load(model)
    block, line = steered.block(loaded, model, progress=not quiet)
    with block:
        written = continue_prompts(loaded, begun, texts=seeds, seed=seed, decoding=decoding, progress=not quiet)
    rows: list[dict[str, Any]] = [
        {"prompt": prompt, "seed": seed + number, "text": text, "language": text_language(text)}
        for prompt, texts in zip(begun, written, strict=True)
        for number, text in enumerate(texts)
    ]
    write_text(output, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    languages = {code: sum(row["language"] == code for row in rows) for code in sorted({r["language"] for r in rows})}
    out = Output(as_json=as_json)
    out.finish({"output": output, "texts": len(rows), "languages": languages, "steering": line})
    counted = ", ".join(f"{code}: {count}" for code, count in languages.items())
    out.say(f"{len(rows)} texts ({counted}): {output}" + (f"\nsteered: {line}" if line else ""))


def read_prompts(path: Path, column: str = "prompt") -> list[str]:
    """The prompts of a text file, one a line, or of the column of a table.

    Raises:
        CorpusError: the file cannot be read, lacks the column, or holds no prompt.
    """
    from tl_experts.corpus.decoding import lines, suffix
    from tl_experts.corpus.options import Options
    from tl_experts.corpus.tables import FORMATS

    if suffix(path) not in FORMATS:
        found = [line for line in lines(path) if line.strip()]
    else:
        found = [
            _prompt(row, column, path, number) for number, row in enumerate(FORMATS[suffix(path)](path, Options()), 1)
        ]
    if not found:
        raise CorpusError(f"{path} holds no prompt; write one a line")
    return found


def _prompt(row: Any, column: str, path: Path, number: int) -> str:
    value = row.get(column)
    if not isinstance(value, str) or not value.strip():
        columns = ", ".join(map(str, row))
        raise CorpusError(
            f"{path}: row {number} has no text in the column {column!r} (it has {columns}); name it by --prompt-column"
        )
    return value
