"""`tl-experts steer` and `tl-experts tune`: what a model writes in a language, and the search for how."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tl_experts.cli.options import Device, Json, Quiet
from tl_experts.cli.output import Output
from tl_experts.errors import require_choice
from tl_experts.jobs.paths import RUNS

if TYPE_CHECKING:
    from tl_experts.experts.experts import Experts
    from tl_experts.models import Model
    from tl_experts.steering import AffineMap, Steering, TextMeasures

ModelName = Annotated[str, typer.Argument(help="A name of `tl-experts models`, a local folder or a hub name.")]
To = Annotated[str, typer.Option(help="Code of the language that is written.")]
SHOWN = 5
"""Trials that `tune` prints."""


@dataclass(frozen=True)
class _Way:
    """How a language is written, and a line that says so."""

    steering: "Steering | AffineMap"
    line: str


def steer(
    model: ModelName,
    to: To,
    prompt: Annotated[list[str], typer.Option(help="What the texts begin with; may be given several times.")],
    experts: Annotated[
        Path | None, typer.Option(help="Folder of experts (of `find`), held at their mean: the paper's setting.")
    ] = None,
    steering: Annotated[Path | None, typer.Option(help="Folder of a steering, or of a `tune`.")] = None,
    seeds: Annotated[int, typer.Option("--seeds", "-n", min=1, help="Texts per prompt.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the first text of each prompt.")] = 0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Where a text that does not end is cut.")] = 48,
    temperature: Annotated[float, typer.Option(min=0, help="0: the likeliest token at each step.")] = 0.7,
    json_: Annotated[
        bool, typer.Option("--json", help="Print a list of objects: prompt, before, after (texts), measures.")
    ] = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Continue prompts before and after steering to a language, with the share of texts in it and their fluency."""
    code = _language(to, bundled=experts is None and steering is None)
    _require_folders(code, experts, steering)
    from contextlib import nullcontext

    from tl_experts.models import load_model
    from tl_experts.steering import Decoding, continue_prompts
    from tl_experts.steering import steer as steered

    progress = not quiet and not json_
    loaded = load_model(model, device=device)
    way = _way(loaded, model, code, experts, steering, progress=progress)
    decoding = Decoding(max_new_tokens=max_new_tokens, temperature=temperature)
    written = []
    for block in (nullcontext(), steered(loaded, way.steering)):
        with block:
            options: dict[str, Any] = {"texts": seeds, "seed": seed, "decoding": decoding, "progress": progress}
            written.append(continue_prompts(loaded, prompt, **options))
    rows = [
        {
            "prompt": text,
            "before": before,
            "after": after,
            "measures": {
                "before": _measures(loaded, text, before, code).to_dict(),
                "after": _measures(loaded, text, after, code).to_dict(),
            },
        }
        for text, before, after in zip(prompt, *written, strict=True)
    ]
    if json_:
        typer.echo(json.dumps(_without_nan(rows), ensure_ascii=False, indent=1))
        return
    for row in rows:
        typer.echo("")
        for when in ("before", "after"):
            for text in row[when]:
                typer.echo(f"{when:>6}: {row['prompt']}{text}".replace("\n", "\n        "))
    for when, texts in zip(("before", "after"), written, strict=True):
        flat = [text for own in texts for text in own]
        before = [text for text, own in zip(prompt, texts, strict=True) for _ in own]
        typer.echo(f"\n{when}: {_measures(loaded, before, flat, code)}")
    typer.echo(f"\n{way.line}")


def tune(
    model: ModelName,
    to: To,
    seconds: Annotated[float | None, typer.Option(help="How long to search; default: 90.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="How many trials instead, for a result of its own.")] = None,
    rows: Annotated[int, typer.Option(min=2, help="Rows of the bundled corpus to find neurons from.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Where a text that does not end is cut.")] = 48,
    device: Device = None,
    output: Annotated[Path | None, typer.Option(help="Where to save; default: tl-experts-runs/tune-MODEL-TO.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Search for the setting with which a model writes a language best; a killed search resumes."""
    code = _language(to, bundled=True)
    if seconds is not None and trials is not None:
        raise typer.BadParameter("give seconds or trials, not both", param_hint="--trials")
    from tl_experts.corpus.readers import load_sentences
    from tl_experts.models import load_model
    from tl_experts.models.catalogue import ENTRIES
    from tl_experts.responses.reading import Reading
    from tl_experts.responses.statistics_pass import collect_both, collect_statistics
    from tl_experts.steering import Decoding
    from tl_experts.steering import tune as search
    from tl_experts.steering.tuning import Budget, bundled_tuning_prompts

    budget = Budget(trials=trials, seconds=None if trials is not None else seconds or 90.0)
    entry = ENTRIES.get(model)
    prompts = bundled_tuning_prompts(code, domain=entry.domain if entry else None)
    loaded = load_model(model, device=device)
    sentences = load_sentences("bundled", split="dev", limit=rows)
    residual = Reading(site="hook_resid_post")
    statistics = (
        *collect_both(loaded, sentences, progress=not quiet),
        collect_statistics(loaded, sentences, reading=residual, progress=not quiet),
    )
    folder = output or RUNS / f"tune-{Path(model).name}-{code}"
    result = search(
        loaded,
        statistics,
        code,
        prompts=prompts,
        budget=budget,
        decoding=Decoding(max_new_tokens=max_new_tokens),
        seed=seed,
        folder=folder,
        progress=not quiet,
    )
    out = Output(as_json=as_json)
    for trial in sorted(result.trials, key=lambda one: one.rank, reverse=True)[:SHOWN]:
        out.say(
            f"score {trial.score:.2f}: {trial.share:.0%} in {code}, perplexity {trial.perplexity:.3g} "
            f"({trial.prompts} prompts): {trial.setting}"
        )
    steering = result.steering  # before the rest: an error says what to do where nothing was found
    report = result.report or result.natural
    found = {"steering": str(steering), "measures": report.to_dict(), "trials": len(result.trials), "folder": folder}
    out.finish(found)
    out.say(
        f"\n{result}\n{steering}\n  {' | '.join(repr(text) for text in report.texts[:3])}\n"
        f"Saved: {folder}\n"
        f'  tl-experts steer {model} --to {code} --steering {folder} --prompt "..."'
    )


def first_impression(model: "Model", name: str, experts: "Experts", *, progress: bool) -> str:
    """Three bundled prompts before and after steering, as text; with a setting that comes with the package, if any.

    Args:
        model: from `load_model`.
        name: what it was loaded by.
        experts: of one language, held at their mean where no setting comes with the package.
        progress: show progress bars.
    """
    from tl_experts.models.catalogue import ENTRIES
    from tl_experts.steering import Decoding, Steering, continue_prompts, load_prompts
    from tl_experts.steering import steer as steered
    from tl_experts.steering.tuning import tuned_setting, tuned_steering

    code, entry = experts.languages[0], ENTRIES.get(name)
    prompts = load_prompts("de" if code == "en" else "en", domain=entry.domain if entry else None)[:3]
    shipped = tuned_setting(name, code)
    steering = Steering(experts) if shipped is None else tuned_steering(model, code, progress=progress)
    decoding = Decoding(max_new_tokens=24)
    before = continue_prompts(model, prompts, decoding=decoding, progress=progress)
    with steered(model, steering):
        after = continue_prompts(model, prompts, decoding=decoding, progress=progress)
    how = "the paper's setting" if shipped is None else f"tuned setting: {shipped.setting}"
    lines = [f"Continuations before and after steering to {code} ({how})"]
    for prompt, (plain,), (text,) in zip(prompts, before, after, strict=True):
        lines += [f"  {prompt}", f"    before:{_in_a_line(plain)}", f"    after: {_in_a_line(text)}"]
    return "\n".join(lines)


def _in_a_line(text: str) -> str:
    return " " + " ".join(text.split())


def _language(to: str, *, bundled: bool) -> str:
    """The code of the language; refused before anything is loaded where the bundled corpus lacks it."""
    from tl_experts.corpus.bundled import bundled_languages
    from tl_experts.corpus.languages import language_code

    code = language_code(to)
    if bundled:
        require_choice(code, bundled_languages(), "--to")
    return code


def _require_folders(code: str, experts: Path | None, steering: Path | None) -> None:
    """Refuse folders that cannot be used, before the model is loaded."""
    if experts is not None and steering is not None:
        raise typer.BadParameter("give experts or a steering, not both", param_hint="--steering")
    if experts is not None:
        from tl_experts.experts.experts import Experts

        Experts.from_pretrained(experts)[code]
    if steering is not None:
        _loaded_steering(steering)


def _way(model: "Model", name: str, code: str, experts: Path | None, steering: Path | None, *, progress: bool) -> _Way:
    from tl_experts.corpus.readers import load_sentences
    from tl_experts.experts.experts import Experts
    from tl_experts.experts.find import DEFAULT_K, find_experts
    from tl_experts.models.catalogue import ENTRIES
    from tl_experts.steering import Steering
    from tl_experts.steering.tuning.shipped import tuned_setting, tuned_steering

    if steering is not None:
        given = _loaded_steering(steering)
        return _Way(given, f"given: {given}")
    hint = f"the paper's setting, for its study; for text that reads well: tl-experts tune {name} --to {code}"
    if experts is not None:
        chosen = Steering(Experts.from_pretrained(experts)[code])
        return _Way(chosen, f"{chosen}\n({hint})")
    shipped = tuned_setting(name, code)
    if shipped is not None:
        return _Way(tuned_steering(model, code, progress=progress), f"tuned, comes with the package: {shipped.setting}")
    entry = ENTRIES.get(name)
    k = (entry.demo_k if entry else None) or DEFAULT_K
    found = find_experts(model, load_sentences("bundled", split="dev"), k=k, progress=progress)
    chosen = Steering(found[code])
    return _Way(chosen, f"{chosen}\n({hint})")


def _loaded_steering(folder: Path) -> "Steering | AffineMap":
    from tl_experts.steering import AffineMap, Steering

    inner = folder / "steering"
    path = inner if inner.is_dir() else folder
    kind = AffineMap if (path / "affine_map.json").is_file() else Steering
    return kind.from_pretrained(path)


def _measures(model: "Model", prompts: str | list[str], texts: list[str], code: str) -> "TextMeasures":
    from tl_experts.steering import measure_texts

    before = [prompts] * len(texts) if isinstance(prompts, str) else prompts
    return measure_texts(model, texts, code, prompts=before, progress=False)


def _without_nan(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and value != value else value
