"""`tune`: search for the setting with which a model writes a language best."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from tl_experts.errors import TLExpertsError, require_choice, require_least
from tl_experts.jobs.folders import locked
from tl_experts.jobs.job import Job
from tl_experts.jobs.paths import user_path
from tl_experts.jobs.pieces import Arrays, Pieces, once_together
from tl_experts.models import Model, model_fingerprint, require_no_hooks
from tl_experts.steering.tuning.building import Builder, Statistics, builder
from tl_experts.steering.tuning.result import TuneResult
from tl_experts.steering.tuning.search import Budget, Search, search_bar, stage_bounds
from tl_experts.steering.tuning.space import SearchSpace, Setting
from tl_experts.steering.tuning.trials import best_of, hopeless, packed, unpacked
from tl_experts.steering.writing.continuing import DEFAULT_DECODING, Decoding, continue_side_by_side
from tl_experts.steering.writing.fluency import text_perplexities
from tl_experts.steering.writing.measures import TextMeasures, measures_of_texts
from tl_experts.steering.writing.prompts import load_prompts

DEFAULT_SPACE = SearchSpace()
DEFAULT_BUDGET = Budget(trials=48)
"""With the final and the half steps, about 600 texts, which Gemma-3-270M writes in 12 to 16 minutes on one core."""


@dataclass(frozen=True)
class TuningPrompts:
    """The prompts of a search, those of the report kept apart.

    Raises:
        TLExpertsError: nothing to search with or to compare with, or a prompt of the search in the report.

    Examples:
        >>> prompts = bundled_tuning_prompts("es")
        >>> len(prompts.search), len(prompts.report), prompts.natural[0]
        (20, 20, 'Todos los domingos, mi abuela')
    """

    search: tuple[str, ...]
    """What the settings continue."""

    natural: tuple[str, ...]
    """What the model continues by itself, without steering, in the target language: its texts are the standard of
    fluency and variety. Best translations of `search`."""

    report: tuple[str, ...] = ()
    """What the best setting continues in the end; no setting is chosen by it."""

    def __post_init__(self) -> None:
        """Check that the parts are lists of text and do not overlap."""
        for name in ("search", "natural", "report"):
            value = getattr(self, name)
            if isinstance(value, str) or not all(isinstance(prompt, str) for prompt in value):
                raise TLExpertsError(f"{name} is {value!r:.60}; give a list of prompts")
            if not value and name != "report":
                raise TLExpertsError(f"{name} is empty; give at least one prompt")
            object.__setattr__(self, name, tuple(value))
        shared = sorted(set(self.search) & set(self.report))
        if shared:
            raise TLExpertsError(f"prompt {shared[0]!r:.60} is in search and report; keep them apart")


def bundled_tuning_prompts(target: str, *, source: str = "en", domain: str | None = None) -> TuningPrompts:
    """The bundled prompts: the first half to search with, the second to report.

    Args:
        target: the language that is written.
        source: the language of the prompts.
        domain: see `load_prompts`.

    Raises:
        TLExpertsError: a language without bundled prompts, or source and target are one.
    """
    prompts, own = (load_prompts(language, domain=domain) for language in (source, target))
    if prompts == own:
        raise TLExpertsError(f"target and the language of the prompts are both {target!r}; give prompts of another")
    half = len(prompts) // 2
    return TuningPrompts(tuple(prompts[:half]), tuple(own[:half]), tuple(prompts[half:]))


def tune(
    model: Model,
    statistics: Statistics,
    target: str,
    *,
    prompts: TuningPrompts | None = None,
    space: SearchSpace = DEFAULT_SPACE,
    budget: Budget = DEFAULT_BUDGET,
    decoding: Decoding = DEFAULT_DECODING,
    seed: int = 0,
    folder: str | Path | None = None,
    progress: bool = True,
) -> TuneResult:
    """Find the setting with which a model writes a language most often, fluently and without repetition.

    Settings are compared by `TextMeasures.score` of what they write. Most are tried on a quarter of the prompts; the
    best continue on the others. A setting that writes no text in the language, or only repeats itself, is stopped. In
    the end the best four write two further texts for every prompt, and the score over all their texts decides; the
    strengths half a step from the winner's are tried in the same way.

    Args:
        model: either class.
        statistics: what ``collect_for_steering(model, sentences)`` returns; with those of `collect_both`, no language
            vectors are tried.
        target: the language that is written.
        prompts: None: the bundled English ones.
        space: the options that are combined.
        budget: a number of trials or seconds, and how many finalists.
        decoding: how tokens are chosen.
        seed: of the draws of settings and texts.
        folder: every trial is kept there, so that a killed search resumes; with a larger budget, it continues.
        progress: show a bar.

    Returns:
        The best setting as `steer` takes it, all trials, and what the best setting wrote for other prompts.

    Raises:
        TLExpertsError: statistics that lack something, a language without statistics or prompts, or an option out of
            its range.
        InterventionError: the model has hooks, as inside `steer`.
        ArtefactError: the statistics are of another model, or the folder holds another search.

    Examples:
        >>> from tl_experts import Decoding, collect_for_steering, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> statistics = collect_for_steering(model, sentences, progress=False)
        >>> few, short = Budget(trials=2), Decoding(max_new_tokens=5)
        >>> result = tune(model, statistics, "ru", budget=few, decoding=short, progress=False)
        >>> len(result.trials) <= 2
        True
    """
    require_choice(type(space), (SearchSpace,), "type of space")
    require_choice(type(budget), (Budget,), "type of budget")
    require_least(seed, "seed", 0)
    building = builder(statistics, target)
    require_no_hooks(model, "Call this outside `steer`")
    chosen = bundled_tuning_prompts(building.target) if prompts is None else prompts
    return Tuning(model, building, chosen, decoding, seed).search(space, budget, folder=folder, progress=progress)


@dataclass(eq=False)
class Tuning:
    """What searches for one language share: the rankings of neurons, and natural texts, which are written once."""

    model: Model
    building: Builder
    prompts: TuningPrompts
    decoding: Decoding = DEFAULT_DECODING
    seed: int = 0

    natural: Arrays | None = None
    """The natural texts as they are kept, once a search has them."""

    def search(
        self, space: SearchSpace, budget: Budget, *, folder: str | Path | None = None, progress: bool = True
    ) -> TuneResult:
        """Search a space: see `tune`."""
        building = self.building
        if building.residual is not None:
            space = space.for_layers(building.residual.neurons.layers)
        job = _job(self.model, building, self.prompts, space, self.decoding, self.seed, budget.final_texts)
        where = None if folder is None else user_path(folder)
        with nullcontext() if where is None else locked(where):
            pieces = None if where is None else Pieces(where / "trials", job)
            writer = _Writer(self, pieces, space, budget.final_texts)
            natural = writer.natural()
            stages = len(writer.stages)
            with search_bar(f"tuning {building.target}", budget, stages, _told, progress=progress) as advance:
                search = Search(space, building.possible, writer.measure, stages, budget, self.seed, advance=advance)
                trials = search.run()
            best = best_of(trials)
            found = None if best is None else building.build(best.setting)
            report = writer.report(best.setting) if best is not None and self.prompts.report else None
            result = TuneResult(building.target, trials, natural, found, report)
            if where is not None:
                result.save(where)
        return result


class _Writer:
    """Writes and measures, every piece once."""

    def __init__(self, tuning: Tuning, pieces: Pieces | None, space: SearchSpace, final_texts: int) -> None:
        self.tuning, self.pieces, self.final_texts = tuning, pieces, final_texts
        self.model, self.building, self.prompts = tuning.model, tuning.building, tuning.prompts
        self.decoding, self.seed = tuning.decoding, tuning.seed
        self.stages = stage_bounds(len(self.prompts.search))
        # Half steps are numbered after the others: folders of searches without them hold the same pieces.
        settings = space.settings()
        beside = (near for setting in settings for near in space.half_steps(setting))
        self._numbers = {setting: number for number, setting in enumerate(dict.fromkeys([*settings, *beside]))}
        self._natural: TextMeasures | None = None

    def natural(self) -> TextMeasures:
        """The model's own texts in the language."""
        prompts = self.prompts.natural

        def write() -> list[Arrays]:
            return [self.tuning.natural or self._timed([None], prompts, self.seed, stop=False)[0]]

        [self.tuning.natural] = once_together(self.pieces, [0], write)
        self._natural = self._unpacked(self.tuning.natural)[0]
        if not np.isfinite(self._natural.perplexity.value) or not self._natural.distinct.value > 0:
            raise TLExpertsError(
                f"the model's own texts for {self.prompts.natural[0]!r:.60} and the other natural prompts cannot be "
                "measured: they are too short; raise max_new_tokens"
            )
        return self._natural

    def measure(self, settings: Sequence[Setting], stage: int) -> list[tuple[TextMeasures, float]]:
        """The texts of each setting for the prompts that a stage adds, and the seconds that they took.

        A round of the final adds a text of another seed for every prompt.
        """
        numbers = [self._number(setting, stage) for setting in settings]
        further = stage - len(self.stages)
        if further >= 0:
            return self._once(numbers, settings, self.prompts.search, seed=self.seed + 1 + further)
        start, end = self.stages[stage]
        return self._once(numbers, settings, self.prompts.search[start:end], stop=stage == 0)

    def report(self, setting: Setting) -> TextMeasures:
        """The texts of a setting for the prompts of the report."""
        number = self._number(setting, len(self.stages) + self.final_texts)
        return self._once([number], [setting], self.prompts.report)[0][0]

    def _number(self, setting: Setting, part: int) -> int:
        """Of a piece; the parts of a setting are the stages, the rounds of the final and the report."""
        return 1 + self._numbers[setting] * (len(self.stages) + self.final_texts + 1) + part

    def _once(
        self,
        numbers: Sequence[int],
        settings: Sequence[Setting],
        prompts: Sequence[str],
        *,
        seed: int | None = None,
        stop: bool = False,
    ) -> list[tuple[TextMeasures, float]]:
        """What is kept, or written; a resumed search has the same batches."""
        own = self.seed if seed is None else seed
        found = once_together(self.pieces, numbers, lambda: self._timed(settings, prompts, own, stop=stop))
        return [self._unpacked(arrays) for arrays in found]

    def _timed(
        self, settings: Sequence[Setting | None], prompts: Sequence[str], seed: int, *, stop: bool
    ) -> list[Arrays]:
        """The texts of each setting, measured, and its share of the seconds."""
        begun = time.perf_counter()
        written = self._written(settings, prompts, seed, stop=stop)
        seconds = (time.perf_counter() - begun) / len(settings)
        return [packed(measures, seconds) for measures in written]

    def _unpacked(self, arrays: Arrays) -> tuple[TextMeasures, float]:
        return unpacked(arrays, self.building.target, self._natural, self.seed)

    def _written(
        self, settings: Sequence[Setting | None], prompts: Sequence[str], seed: int, *, stop: bool
    ) -> list[TextMeasures]:
        """Texts and their measures; `stop`: without perplexity, the dearest, where the texts are hopeless."""
        parts = [None if setting is None else self.building.build(setting) for setting in settings]
        written = continue_side_by_side(self.model, prompts, parts, seed=seed, decoding=self.decoding, progress=False)
        found = [self._counted([own for (own,) in texts], prompts) for texts in written]
        read = [measures for measures in found if not (stop and hopeless(measures))]
        texts = [text for measures in read for text in measures.texts]
        if not texts:
            return found
        before = None if self.decoding.chat else list(prompts) * len(read)
        perplexities = text_perplexities(self.model, texts, prompts=before, progress=False)
        columns = iter(np.split(perplexities, len(read)))
        return [replace(one, perplexities=next(columns)) if one in read else one for one in found]

    def _counted(self, texts: Sequence[str], prompts: Sequence[str]) -> TextMeasures:
        return measures_of_texts(texts, self.building.target, prompts=prompts, natural=self._natural, seed=self.seed)


def _told(search: Search) -> str | None:
    """The best trial so far."""
    best = best_of(search.trials.values())
    if best is None:
        return None
    final = "final: " if best.stage == search.stages else ""
    return f"{final}score {best.score:.2f} over {best.texts} texts: {best.setting}"


def _job(
    model: Model,
    building: Builder,
    prompts: TuningPrompts,
    space: SearchSpace,
    decoding: Decoding,
    seed: int,
    final_texts: int,
) -> Job:
    """What decides the texts of a setting; of the budget, only how the parts of a setting are numbered."""
    return Job(
        {
            "kind": "tuning",
            "model": model_fingerprint(model),
            **building.identity,
            "prompts": asdict(prompts),
            "space": asdict(space),
            "decoding": asdict(decoding),
            "seed": seed,
            "final_texts": final_texts,
        }
    )
