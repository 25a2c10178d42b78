"""`tl-experts steer` and `tl-experts tune`: what a model writes in a language, and the search for how."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tl_experts.cli.aligning import align
from tl_experts.cli.options import Device, Json, MaxNewTokens, ModelName, Quiet, Seed, Temperature, Texts, To
from tl_experts.cli.output import Output
from tl_experts.cli.steered import ExpertsFolder, SteeringFolder, known_language, require_folders, way_to
from tl_experts.cli.streaming import on_a_terminal, print_all, stream_both
from tl_experts.errors import require_choice
from tl_experts.jobs.paths import RUNS

if TYPE_CHECKING:
    from tl_experts.experts.experts import Experts
    from tl_experts.models import Model
    from tl_experts.steering import TextMeasures

OBJECTIVES = ("write", "align")
"""What `tune` searches for."""

SHOWN = 5
"""Trials that `tune` prints."""


def steer(
    model: ModelName,
    to: To,
    prompt: Annotated[list[str], typer.Option(help="What the texts begin with; may be given several times.")],
    experts: ExpertsFolder = None,
    steering: SteeringFolder = None,
    seeds: Texts = 1,
    seed: Seed = 0,
    max_new_tokens: MaxNewTokens = 48,
    temperature: Temperature = 0.7,
    json_: Annotated[
        bool, typer.Option("--json", help="Print a list of objects: prompt, before, after (texts), measures.")
    ] = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Continue prompts before and after steering to a language, with the share of texts in it and their fluency.

    On a terminal the texts appear as they are written.
    """
    code = known_language(to, bundled=experts is None and steering is None)
    require_folders(code, experts, steering)
    from contextlib import nullcontext

    from tl_experts.models import load_model
    from tl_experts.steering import Decoding, continue_prompts
    from tl_experts.steering import steer as steered

    progress = not quiet and not json_
    loaded = load_model(model, device=device)
    way = way_to(loaded, model, code, experts, steering, progress=progress)
    decoding = Decoding(max_new_tokens=max_new_tokens, temperature=temperature)
    options: dict[str, Any] = {"texts": seeds, "seed": seed, "decoding": decoding}
    if progress and on_a_terminal():
        written = stream_both(loaded, prompt, way.steering, **options)
    else:
        written = []
        for block in (nullcontext(), steered(loaded, way.steering)):
            with block:
                written.append(continue_prompts(loaded, prompt, **options, progress=progress))
        if not json_:
            print_all(prompt, written)
    if json_:
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
        typer.echo(json.dumps(_without_nan(rows), ensure_ascii=False, indent=1))
        return
    for when, texts in zip(("before", "after"), written, strict=True):
        flat = [text for own in texts for text in own]
        before = [text for text, own in zip(prompt, texts, strict=True) for _ in own]
        typer.echo(f"\n{when}: {_measures(loaded, before, flat, code)}")
    typer.echo(f"\n{way.line}")


def tune(
    model: ModelName,
    to: To,
    seconds: Annotated[float | None, typer.Option(help="How long to search; default: 90.")] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many trials instead, the same on every machine; the final and the half steps come on top."
        ),
    ] = None,
    finalists: Annotated[
        int | None,
        typer.Option(min=0, help="How many of the best write further texts before one is chosen; default: 4."),
    ] = None,
    final_texts: Annotated[
        int | None, typer.Option(min=1, help="How many further texts a finalist writes for each prompt; default: 2.")
    ] = None,
    objective: Annotated[
        str,
        typer.Option(
            help="write: fluent texts in the language, without repetition; align: sentences find their translations."
        ),
    ] = "write",
    rows: Annotated[int, typer.Option(min=2, help="Rows of the bundled corpus to find neurons from.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    max_new_tokens: MaxNewTokens = 48,
    device: Device = None,
    output: Annotated[Path | None, typer.Option(help="Where to save; default: tl-experts-runs/tune-MODEL-TO.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Search for the setting with which a model writes a language best, or aligns translations; see --objective.

    A killed search resumes with the same command.
    """
    code = known_language(to, bundled=True)
    require_choice(objective, OBJECTIVES, "--objective")
    if seconds is not None and trials is not None:
        raise typer.BadParameter("give seconds or trials, not both", param_hint="--trials")
    chosen = (("finalists", finalists), ("final_texts", final_texts))
    final = {name: value for name, value in chosen if value is not None}
    if final and objective == "align":
        raise typer.BadParameter("--objective align has no final; leave out --finalists and --final-texts")
    from tl_experts.corpus.readers import load_sentences
    from tl_experts.models import load_model
    from tl_experts.models.catalogue import ENTRIES
    from tl_experts.responses.statistics_pass import collect_for_steering
    from tl_experts.steering import Decoding
    from tl_experts.steering import tune as search
    from tl_experts.steering.tuning import Budget, bundled_tuning_prompts

    budget = Budget(trials=trials, seconds=None if trials is not None else seconds or 90.0, **final)
    entry = ENTRIES.get(model)
    aligning = objective == "align"
    prompts = bundled_tuning_prompts(code, domain=entry.domain if entry else None)
    loaded = load_model(model, device=device)
    sentences = load_sentences("bundled", split="dev", limit=rows)
    statistics = collect_for_steering(loaded, sentences, progress=not quiet)
    folder = output or RUNS / f"{'align' if aligning else 'tune'}-{Path(model).name}-{code}"
    if aligning:
        align(loaded, statistics, code, sentences, budget, seed, folder, Output(as_json=as_json), progress=not quiet)
        return
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
            f"({trial.texts} texts): {trial.setting}"
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
