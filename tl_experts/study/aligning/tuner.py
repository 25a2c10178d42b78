"""`tune_alignment`: search for the setting under which translations are found best, beside no intervention."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.embeddings.embeddings import Layer
from tl_experts.errors import InterventionError, TLExpertsError, require_choice, require_least
from tl_experts.jobs.folders import locked
from tl_experts.jobs.job import Job
from tl_experts.jobs.paths import user_path
from tl_experts.jobs.pieces import Pieces
from tl_experts.models import Model, explain_model_difference, model_fingerprint, require_model, require_no_hooks
from tl_experts.models.dtypes import dtype_name
from tl_experts.steering.tuning.building import Builder, Statistics, builder
from tl_experts.steering.tuning.search import Budget, Search, search_bar
from tl_experts.steering.tuning.space import Setting
from tl_experts.study.aligning.reader import Reader
from tl_experts.study.aligning.result import AlignmentResult
from tl_experts.study.aligning.space import AlignmentSpace
from tl_experts.study.aligning.trials import AlignmentTrial

DEFAULT_SPACE = AlignmentSpace()
DEFAULT_BUDGET = Budget(trials=24, finalists=0)


def tune_alignment(
    model: Model,
    statistics: Statistics,
    target: str,
    dev: Corpus,
    test: Corpus,
    *,
    space: AlignmentSpace = DEFAULT_SPACE,
    budget: Budget = DEFAULT_BUDGET,
    seed: int = 0,
    folder: str | Path | None = None,
    progress: bool = True,
) -> AlignmentResult:
    """Find the setting under which sentences most often find their translations, and compare it with no intervention.

    Every setting is read raw and centred in every layer, on a quarter of the dev rows first and the best on more, and
    chosen by its top-1 over all ordered pairs of languages. The test corpus chooses nothing. Centred vectors without
    any intervention often do best; the result says so.

    Args:
        model: either class.
        statistics: as `tune` takes them.
        target: the language whose neurons or vector are held.
        dev: an aligned corpus to choose on; may be what the statistics are of.
        test: another aligned corpus to report on; its languages are compared in both.
        space: the options that are combined, and the layers whose embeddings are compared.
        budget: a number of trials or seconds; there is no final.
        seed: of the draws of settings and of the bootstrap.
        folder: every trial is kept there, so that a killed search resumes; with a larger budget, it continues. In the
            end the result is saved there as well.
        progress: show a bar.

    Raises:
        TLExpertsError: statistics that lack something, or an option out of its range.
        InterventionError: no setting of the space can be built and changes embeddings, or the model has hooks.
        CorpusError: a corpus that is not aligned, shares a sentence with the other, or lacks a language of the test.
        SiteError: a layer that the model does not have.
        ArtefactError: the statistics are of another model, the folder holds another search, or it cannot be written.

    Examples:
        >>> from tl_experts import collect_for_steering, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> dev, test = (load_sentences("bundled", split=split, limit=4) for split in ("dev", "test"))
        >>> statistics = collect_for_steering(model, dev, progress=False)
        >>> last, few = AlignmentSpace(embedding_layers=(None,)), Budget(trials=2)
        >>> found = tune_alignment(model, statistics, "es", dev, test, space=last, budget=few, progress=False)
        >>> 0 <= found.top1.value <= 1
        True
    """
    require_model(model)
    require_choice(type(space), (AlignmentSpace,), "type of space")
    require_choice(type(budget), (Budget,), "type of budget")
    require_least(seed, "seed", 0)
    building = builder(statistics, target)
    require_no_hooks(model, "Call this outside `steer`")
    if building.residual is not None:
        space = space.for_layers(building.residual.neurons.layers)
    corpora, layers = _corpora(dev, test), space.layers_read(model)
    job = _job(model, building, corpora, space, layers, seed)
    where = None if folder is None else user_path(folder)
    with nullcontext() if where is None else locked(where):
        pieces = None if where is None else Pieces(where / "trials", job)
        reader = Reader.of(model, building, corpora, space, layers, pieces)
        trials = _searched(reader, space, budget, seed, progress=progress)
        best = max(trials, key=lambda trial: trial.rank)
        baselines = tuple(reader.baseline(stage) for stage in sorted({trial.stage for trial in trials}))
        steering, hits = building.build(cast("Setting", best.setting)), reader.report(best, baselines[-1])
        result = AlignmentResult(building.target, trials, baselines, steering, hits, seed)
        if where is not None:
            result.save(where)
    return result


def _searched(
    reader: Reader, space: AlignmentSpace, budget: Budget, seed: int, *, progress: bool
) -> tuple[AlignmentTrial, ...]:
    """The trials of a search.

    Raises:
        InterventionError: there is none.
    """
    building, budget = reader.building, replace(budget, finalists=0)
    stages = len(reader.ends)
    with search_bar(f"aligning by {building.target}", budget, stages, _told, progress=progress) as advance:
        search = Search(
            space,
            lambda setting: setting.positions in ("all", "last") and building.possible(setting),
            reader.measure,
            stages,
            budget,
            seed,
            advance=advance,
            trial=lambda _setting, _stage, parts, seconds: replace(parts[-1], seconds=seconds),
        )
        trials: tuple[AlignmentTrial, ...] = search.run()
    if not trials:
        raise InterventionError(
            f"no setting of the space can be built for {building.target} from these statistics and changes embeddings; "
            "give another space, or more statistics"
        )
    return trials


def _corpora(dev: Corpus, test: Corpus) -> tuple[Corpus, Corpus]:
    """The rows of both that have a sentence in every language of the test corpus."""
    for corpus in (dev, test):
        require_corpus(corpus)
    dev.require_disjoint(test)
    languages = test.languages
    if len(languages) < 2:
        raise TLExpertsError(f"the test corpus has only {', '.join(languages)}; give two or more languages")
    dev = dev.only(languages)
    whole = [corpus.take(sorted(at for own in corpus.parallel().values() for at in own)) for corpus in (dev, test)]
    return whole[0], whole[1]


def _job(
    model: Model,
    building: Builder,
    corpora: tuple[Corpus, Corpus],
    space: AlignmentSpace,
    layers: Sequence[Layer],
    seed: int,
) -> Job:
    """What decides how a setting aligns; the budget does not."""
    dev, test = (corpus.fingerprint for corpus in corpora)
    document: dict[str, Any] = {
        "kind": "alignment",
        "model": model_fingerprint(model),
        "dtype": dtype_name(model.cfg.dtype),
        **building.identity,
        "dev": dev,
        "test": test,
        "space": asdict(space),
        "layers": layers,
        "seed": seed,
    }
    return Job(document, explain_model_difference)


def _told(search: Search) -> str | None:
    """The best trial so far."""
    best = max(search.trials.values(), key=lambda trial: trial.rank, default=None)
    return None if best is None else f"top-1 {best.top1:.3f} of {best.rows} rows: {best.setting}"
