"""`compare`: all methods on equal terms. Every target's parts are kept, so that a killed run resumes."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tl_experts import __version__
from tl_experts.corpus.sentence_encoder import INSTALL, encoder_version
from tl_experts.jobs.files import write_json
from tl_experts.jobs.folders import locked
from tl_experts.jobs.job import Job
from tl_experts.jobs.paths import RUNS, path_of_name, user_path
from tl_experts.jobs.workers import Workers
from tl_experts.models import Model, ModelSource, model_fingerprint, require_no_hooks
from tl_experts.responses.collect_to_disk import worker_loader
from tl_experts.study.comparison.bench import CompareBench, read_corpora
from tl_experts.study.comparison.ceiling import CEILING
from tl_experts.study.comparison.config import CompareConfig
from tl_experts.study.comparison.prompts import fingerprint_of_prompts
from tl_experts.study.comparison.result import MANIFEST, CompareResult, read_compared, stage_names
from tl_experts.study.comparison.stages import possible_stages, run_stages, stages_on_workers

log = logging.getLogger(__name__)


def compare(
    config: CompareConfig,
    folder: str | Path | None = None,
    *,
    model: Model | None = None,
    device: str | None = None,
    workers: Workers | None = None,
    progress: bool = True,
    started: Callable[[str], object] | None = None,
) -> CompareResult:
    """Compare every way to choose neurons and to hold them, beside what needs no neuron, or resume a comparison.

    For each target: **writing** (every method at the best setting of its own search, on prompts that chose none),
    **costs** (what the same setting costs text in every language), **equal** (every method at the best setting within a
    common KL divergence) and **alignment** (retrieval over all pairs of languages, raw and centred, at the last layer
    and the best). Settings and layers are chosen on the dev split. Last, the **silencing** matrix of each scoring,
    MEXA of all **layers**, and **romanised** text of targets in Cyrillic letters (with the extra ``romanise``).

    Args:
        config: from `load_comparison`, or ``CompareConfig(...)``.
        folder: for all results; None: ``tl-experts-runs/compare-NAME``.
        model: a loaded model; None: load the model of the config.
        device: of `load_model`.
        workers: data-parallel Ray workers, which load the config's model by its name, share the folder and take a
            stage at a time; None: this process takes one after the other. The tables are the same.
        progress: show progress bars of the pass for the statistics, or of the stages that workers have finished.
        started: called with the name of each stage that is about to run in this process.

    Raises:
        ArtefactError: the folder holds another comparison, or another process is working in it.
        StudyError: an option does not fit the corpus.
        ModelError: the model cannot be loaded.
        InterventionError: the model has hooks, as inside `steer`.
        CorpusError: the corpus cannot be read.
        TLExpertsError: a target without prompts; or as `RayWorkers`.

    Examples:
        >>> config = CompareConfig(name="mine", model="polyglot-mini", targets=("es", "fr"))
        >>> result = compare(config, "my-comparison")  # doctest: +SKIP
        >>> result["writing"]  # doctest: +SKIP
    """
    target = path_of_name(RUNS, f"compare-{config.name}") if folder is None else user_path(folder)
    if (target / MANIFEST).is_file():
        Job(config.as_dict()).require_same(read_compared(target)["config"], target)
    source = ModelSource(config.model, device=device, dtype=config.dtype)
    load = None if workers is None else worker_loader(source, workers)
    dev, test = read_corpora(config)
    prompts = fingerprint_of_prompts(config)
    loaded = source.load() if model is None else model
    require_no_hooks(loaded, "Call this outside `steer`")
    with locked(target):
        about = _begin(config, {"dev": dev.fingerprint, "test": test.fingerprint, "prompts": prompts}, loaded, target)
        ceiling = about.get("ceiling") is not None
        bench = CompareBench(config, loaded, dev, test, target.resolve(), progress, ceiling)
        names = possible_stages(stage_names(config))
        if workers is not None and load is not None:
            stages_on_workers(bench, names, workers, load)
        else:
            run_stages(bench, names, started)
    return CompareResult.load(target)


def _begin(config: CompareConfig, texts: dict[str, str], model: Model, folder: Path) -> dict[str, Any]:
    """Check that the folder is of this comparison, or begin it.

    Returns:
        What is recorded of it. A resumed comparison measures the ceiling if it did so from its beginning.
    """
    about: dict[str, Any] = {"model": model_fingerprint(model), **texts}
    if (folder / MANIFEST).is_file():
        found = read_compared(folder)["about"]
        Job(about).require_same({name: found.get(name) for name in about}, folder)
        return dict(found)
    ceiling = encoder_version()
    if ceiling is None:
        log.warning("%s, the ceiling of retrieval, is not measured without its extra: %s", CEILING, INSTALL)
    about |= {"class": type(model).__name__, "version": __version__, "ceiling": ceiling}
    write_json(folder / MANIFEST, {"config": config.as_dict(), "about": about})
    return about
