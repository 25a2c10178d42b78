"""Train polyglot-mini from scratch: fetch the text, train the vocabulary and the model, evaluate, write the model card.

    python data/polyglot_mini/train.py --work ../mini

After an interruption, the same command resumes from the last checkpoint and ends with the same loss curve.
"""

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from documents import Documents, Mixture
from evaluate import evaluate_model
from help_text import LANGUAGES, Paragraph, fetch, read_paragraphs, split_pages
from model_card import write_card
from tqdm import tqdm
from training import Settings, build_model, restore, train
from vocabulary import add_padding, train_tokenizer

from tl_experts.errors import ArtefactError, TLExpertsError
from tl_experts.jobs.files import write_json
from tl_experts.jobs.folders import build_folder

HERE = Path(__file__).parent


def main(
    work: Annotated[Path, typer.Option(help="Packages and checkpoints; keep it to resume.")] = Path("polyglot-mini"),
    output: Annotated[Path, typer.Option(help="Folder for the finished model.")] = HERE / "weights",
    steps: Annotated[int, typer.Option(min=1)] = Settings.steps,
    batch: Annotated[int, typer.Option(min=1, help="Windows per step.")] = Settings.batch,
    layers: Annotated[int, typer.Option(min=1)] = Settings.layers,
    width: Annotated[int, typer.Option(min=8)] = Settings.width,
    monolingual: Annotated[float, typer.Option(help="Share of pages in one language.")] = Mixture.monolingual,
    pairs: Annotated[float, typer.Option(help="Share of translation pairs.")] = Mixture.pairs,
    switching: Annotated[float, typer.Option(help="Share of pages that change language.")] = Mixture.switching,
    name: Annotated[str, typer.Option(help="Name on the model card.")] = "polyglot-mini",
    languages: Annotated[str, typer.Option(help="Relative shares, as in en=8,de=1,fr=1; default: all equal.")] = "",
    seed: Annotated[int, typer.Option()] = Settings.seed,
    device: Annotated[str, typer.Option(help="cpu, cuda...; default: a GPU if there is one.")] = "",
    bfloat16: Annotated[bool, typer.Option(help="Matrix products in bfloat16; faster only with AMX or a GPU.")] = True,
    compiled: Annotated[bool, typer.Option(help="Compile the step; needs a C++ compiler.")] = True,
) -> None:
    """Fetch the text, train, evaluate, write the card."""
    target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    settings = Settings(
        steps=steps,
        batch=batch,
        layers=layers,
        width=width,
        heads=max(1, width // 64),
        neurons=width * 7 // 2,
        seed=seed,
        bfloat16=bfloat16,
    )
    mixture = Mixture(monolingual, pairs, switching, language_shares(languages))
    packages = fetch(work / "packages")
    training, held_out = split_pages(read_paragraphs(work / "packages"))
    report = train_from_text(training, work, settings, mixture, target, compiled=compiled)
    report |= {"name": name, "packages": packages, "paragraphs": paragraph_counts(training, held_out)}
    export(work, settings, report, output)
    evaluation = evaluate_model(output, held_out)
    write_json(output / "evaluation.json", evaluation)
    write_card(output)


def language_shares(text: str) -> dict[str, float]:
    """Parse ``en=8,de=1``.

    >>> language_shares("en=8,de=1")
    {'en': 8.0, 'de': 1.0}
    """
    if not text:
        return dict.fromkeys(LANGUAGES, 1.0)
    try:
        return {name.strip(): float(share) for name, share in (part.split("=") for part in text.split(","))}
    except ValueError as error:
        raise TLExpertsError(f"--languages {text!r} cannot be read; write it as en=8,de=1,fr=1") from error


def train_from_text(
    paragraphs: list[Paragraph],
    work: Path,
    settings: Settings,
    mixture: Mixture,
    device: torch.device,
    *,
    compiled: bool = True,
    every: int = 100,
) -> dict[str, Any]:
    """Train vocabulary and model from paragraphs; both are kept in `work`, and a second call resumes the first.

    Returns:
        The card's information about the training.
    """
    tokenizer = load_tokenizer(work, paragraphs, settings)
    documents = Documents(
        paragraphs,
        encoder(tokenizer),
        bos=tokenizer.bos_token_id,
        mixture=mixture,
        window=settings.window,
        seed=settings.seed,
    )
    model = build_model(settings)
    started, first = time.perf_counter(), None
    with tqdm(total=settings.steps, desc="training", unit="step", smoothing=0.02) as bar:

        def watch(step: int, losses: list[float]) -> None:
            nonlocal first
            first = step - 1 if first is None else first
            bar.update(step - bar.n)
            if step % 20 == 0:
                recent = losses[-100:]
                bar.set_postfix(loss=f"{sum(recent) / len(recent):.3f}", tokens=f"{step * tokens / 1e6:.1f}M")

        tokens = settings.batch * settings.window
        losses = train(model, documents, settings, work, device=device, compiled=compiled, every=every, watch=watch)
    done = 0 if first is None else settings.steps - first
    return {
        "settings": asdict(settings),
        "mixture": asdict(mixture),
        "shares_drawn": documents.drawn_shares(),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "tokens": settings.steps * tokens,
        # None if the checkpoint was already finished.
        "tokens_per_second": done * tokens / (time.perf_counter() - started) if done else None,
        "device": device.type,
        "losses": losses,
    }


def load_tokenizer(work: Path, paragraphs: list[Paragraph], settings: Settings) -> Any:
    """The tokenizer of the work folder, trained if it does not exist yet."""
    from transformers import AutoTokenizer

    folder = work / f"tokenizer-{settings.vocabulary}"
    if not folder.is_dir():
        made = train_tokenizer(paragraphs, settings.vocabulary, settings.window)
        build_folder(folder, lambda aside: made.save_pretrained(aside))
    return AutoTokenizer.from_pretrained(folder)


def encoder(tokenizer: Any) -> Any:
    """A function from texts to lists of token ids, without BOS."""

    def encode(texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)]

    return encode


def paragraph_counts(training: list[Paragraph], held_out: list[Paragraph]) -> dict[str, Any]:
    """Numbers of paragraphs and characters by language."""
    counts: dict[str, Any] = {"training": {}, "held_out": {}, "characters": {}}
    for language in LANGUAGES:
        counts["training"][language] = sum(language in paragraph.text for paragraph in training)
        counts["held_out"][language] = sum(language in paragraph.text for paragraph in held_out)
        counts["characters"][language] = sum(len(paragraph.text.get(language, "")) for paragraph in training)
    return counts


def export(work: Path, settings: Settings, report: dict[str, Any], output: Path) -> None:
    """Write the finished model in the Hugging Face layout, with float16 weights and the report.

    Raises:
        ArtefactError: the output folder exists already.
    """
    from transformers import AutoTokenizer

    model = build_model(settings)
    restore(work, model, settings)
    tokenizer = AutoTokenizer.from_pretrained(work / f"tokenizer-{settings.vocabulary}")
    add_padding(tokenizer, model)
    model.half()
    model.config.dtype = "float16"

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        for path in folder.iterdir():
            path.chmod(0o644)  # safetensors makes files readable by the owner only; a wheel is for everyone
        write_json(folder / "training.json", report | {"losses": every_fiftieth(report["losses"])})

    if output.exists():
        raise ArtefactError(f"{output} exists already; move it away, or give another --output")
    build_folder(output, save)


def every_fiftieth(losses: list[float]) -> list[tuple[int, float]]:
    """(step, mean loss of the fifty steps up to it).

    >>> every_fiftieth([2.0] * 50 + [1.0] * 50)
    [(50, 2.0), (100, 1.0)]
    """
    return [(end, round(sum(losses[end - 50 : end]) / 50, 4)) for end in range(50, len(losses) + 1, 50)]


if __name__ == "__main__":
    try:
        typer.run(main)
    except TLExpertsError as error:
        sys.stderr.write(f"train.py: {error}\n")
        raise SystemExit(1) from error
