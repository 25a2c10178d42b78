"""Settings that come with the package: what `tune` found for a model and language, without the neurons."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tl_experts.corpus.bundled import data_folder
from tl_experts.corpus.languages import language_code
from tl_experts.corpus.readers import load_sentences
from tl_experts.errors import ArtefactError, TLExpertsError, near
from tl_experts.jobs.files import read_json
from tl_experts.models import Model, model_fingerprint
from tl_experts.models.hooks import RESIDUAL
from tl_experts.responses.reading import DEFAULT_READING, Reading
from tl_experts.responses.statistics_pass import collect_both, collect_statistics
from tl_experts.steering.tuning.building import Built, Statistics, builder, shifted
from tl_experts.steering.tuning.space import VECTOR, Setting


@dataclass(frozen=True, eq=False)
class TunedSetting:
    """A setting that comes with the package."""

    model: str
    """Name of the model, as `load_model` takes it."""

    weights: str
    """Digest of its weights, as in a fingerprint."""

    language: str
    setting: Setting

    rows: int
    """The neurons are found from so many rows of the bundled corpus's dev split."""

    measured: dict[str, Any]
    """What the texts for prompts that the search did not see measured, beside natural texts."""

    command: str
    """What made it."""


def tuned_settings(model_name: str) -> dict[str, TunedSetting]:
    """The settings that come with the package for a model, by language; none for a model without.

    Args:
        model_name: as `load_model` takes it.

    Examples:
        >>> sorted(tuned_settings("polyglot-mini"))[:2]
        ['de', 'es']
    """
    return dict(_all().get(model_name, {}))


def tuned_setting(model_name: str, language: str) -> TunedSetting | None:
    """The setting that comes with the package for a model and language; None if there is none.

    Args:
        model_name: as `load_model` takes it.
        language: its code.
    """
    return _all().get(model_name, {}).get(language_code(language))


def model_settings(model: Model) -> dict[str, TunedSetting]:
    """The settings that come with the package for a loaded model, by language: those found with its weights.

    Args:
        model: either class; its name does not matter.
    """
    weights = model_fingerprint(model)["weights"]
    return {code: one for own in _all().values() for code, one in own.items() if one.weights == weights}


def tuned_steering(
    model: Model, language: str, *, statistics: Statistics | None = None, progress: bool = True
) -> Built:
    """The setting that comes with the package, with this model's neurons: what to write a language with.

    Args:
        model: a model that settings come with.
        language: the language that is written.
        statistics: see `tune`; None: of the rows of the bundled corpus that the setting was found with.
        progress: show progress bars.

    Returns:
        What `steer` takes.

    Raises:
        TLExpertsError: no setting comes with the package for this model or language; `tune` finds one.

    Examples:
        >>> from tl_experts import load_model, steer
        >>> model = load_model("polyglot-mini")
        >>> with steer(model, tuned_steering(model, "es", progress=False)):
        ...     text = model.generate("To open a file,", max_new_tokens=5, verbose=False)
    """
    found = model_settings(model)
    code = language_code(language)
    if code not in found:
        known = near(code, sorted(found)) if found else f"there are some for {', '.join(sorted(_all()))}"
        raise TLExpertsError(
            f"no setting for {language!r} comes with the package for {model.cfg.model_name}; {known}; tune finds one"
        )
    chosen = found[code]
    setting = chosen.setting
    if statistics is not None:
        return builder(statistics, code).build(setting)
    sentences = load_sentences("bundled", split="dev", limit=chosen.rows)
    if setting.shifts:  # which take no responses
        reading = Reading(site=RESIDUAL) if setting.scoring == VECTOR else DEFAULT_READING
        return shifted(setting, collect_statistics(model, sentences, reading=reading, progress=progress), code)
    return builder(collect_both(model, sentences, progress=progress), code).build(setting)


@cache
def _all() -> dict[str, dict[str, TunedSetting]]:
    """All settings, by model and language."""
    found = (_read(path) for path in sorted((data_folder() / "tuned").glob("*.json")))
    return {own[0].model: {one.language: one for one in own} for own in found if own}


def _read(path: Path) -> list[TunedSetting]:
    document = read_json(path, fix="install the package again")
    try:
        shared = {name: document[name] for name in ("model", "weights", "rows")}
        return [
            TunedSetting(
                **shared,
                language=code,
                setting=Setting.from_dict(own["setting"]),
                measured=own["measured"],
                command=own["command"],
            )
            for code, own in document["languages"].items()
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{path} is not a file of settings ({error!r}); install the package again") from error
