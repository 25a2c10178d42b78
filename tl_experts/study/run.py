"""Running a study: stage after stage. Finished stages and passes are kept, so that a killed study resumes."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from tl_experts.jobs.files import write_json
from tl_experts.jobs.folders import locked
from tl_experts.jobs.job import Job
from tl_experts.jobs.paths import RUNS, path_of_name, user_path
from tl_experts.jobs.stages import is_finished, read_table, run_stage
from tl_experts.jobs.workers import Workers, opened
from tl_experts.models import Model, ModelSource, explain_model_difference, model_fingerprint, require_no_hooks
from tl_experts.responses.collect_to_disk import worker_loader
from tl_experts.study.bench import Bench, Tables
from tl_experts.study.config import StudyConfig
from tl_experts.study.result import MANIFEST, StudyResult, read_manifest
from tl_experts.study.splits import Splits, read_splits
from tl_experts.study.stages.baselines import baselines
from tl_experts.study.stages.controls import controls
from tl_experts.study.stages.correlations import correlations
from tl_experts.study.stages.experts import experts, stability
from tl_experts.study.stages.paraphrases import pair_sets, paraphrases
from tl_experts.study.stages.retrieval import retrieval
from tl_experts.study.stages.silencing import silencing_matrices
from tl_experts.study.stages.space import space
from tl_experts.study.stages.sweep import require_identified, sweep

STAGES: dict[str, Callable[[Bench], Tables]] = {
    "experts": experts,
    "sweep": sweep,
    "space": space,
    "retrieval": retrieval,
    "baselines": baselines,
    "controls": controls,
    "paraphrases": paraphrases,
    "pair_sets": pair_sets,
    "correlations": correlations,
    "stability": stability,
    "silencing": silencing_matrices,
}
"""In the order in which they run. The sweep settles k for the stages after it."""

DECIDING = ("model", "class", "dev", "test")
"""What decides the results of a study, apart from its options."""


def run_study(
    config: StudyConfig,
    folder: str | Path | None = None,
    *,
    model: Model | None = None,
    device: str | None = None,
    n_devices: int = 1,
    workers: Workers | None = None,
    progress: bool = True,
    started: Callable[[str], object] | None = None,
) -> StudyResult:
    """Run a study, or resume it, and write its tables.

    Every stage writes its tables when it is finished, and every pass of the model writes each batch. If the run is
    killed at any moment, the same call resumes and repeats at most one batch.

    Args:
        config: from `load_config`, or `StudyConfig(...)`.
        folder: for all results; None: ``tl-experts-runs/study-NAME``.
        model: a loaded model; None: load the model of the config.
        device: of `load_model`.
        n_devices: of `load_model`; a worker uses all the GPUs that it owns.
        workers: data-parallel Ray workers for the passes of the model (responses, embeddings, generations,
            perplexities), which load the config's model by its name and share the folder; the rest runs here. None:
            everything runs in this process.
        progress: show progress bars.
        started: called with the name of each stage that is about to run.

    Raises:
        ArtefactError: the folder holds another study, or another process is working in it.
        StudyError: an option does not fit the model or the corpus.
        ModelError: the model cannot be loaded.
        InterventionError: the model has hooks, as inside `steer`.
        CorpusError: the corpus cannot be read.
        TLExpertsError: as `RayWorkers`.

    Examples:
        >>> from tl_experts import StudyConfig
        >>> config = StudyConfig(name="mine", model="polyglot-mini", targets=("es", "fr"), k=100, test_rows=50)
        >>> result = run_study(config, "my-study")  # doctest: +SKIP
        >>> result["gains"]  # doctest: +SKIP
    """
    target = path_of_name(RUNS, f"study-{config.name}") if folder is None else user_path(folder)
    _require_same_options(config, target)
    source = ModelSource(config.model, device=device, dtype=config.dtype, n_devices=n_devices)
    load = None if workers is None else worker_loader(source, workers)
    splits = read_splits(config)
    if not is_finished(target, "sweep"):
        require_identified(config, splits)
    loaded = source.load() if model is None else model
    require_no_hooks(loaded, "Call this outside `steer`")
    with locked(target):
        _begin(config, splits, loaded, target)
        with nullcontext() if workers is None or load is None else opened(workers, load) as pool:
            _run_stages(Bench(config, splits, loaded, target.resolve(), progress=progress, pool=pool), started)
    return StudyResult.load(target)


def _run_stages(bench: Bench, started: Callable[[str], object] | None) -> None:
    for name, stage in STAGES.items():
        run_stage(bench.folder, name, partial(stage, bench), started)
        if name == "sweep":
            bench = bench.settled(_chosen(bench.folder))


def _require_same_options(config: StudyConfig, folder: Path) -> None:
    """Refuse another study before anything is loaded."""
    if (folder / MANIFEST).is_file():
        Job(config.as_dict()).require_same(read_manifest(folder)["config"], folder)


def _begin(config: StudyConfig, splits: Splits, model: Model, folder: Path) -> None:
    """Write the manifest of a new study, or check that the folder's study has the same model and sentences."""
    about = _about(splits, model)
    if (folder / MANIFEST).is_file():
        found = read_manifest(folder)["about"]
        job = Job({name: about[name] for name in DECIDING}, explain_model_difference)
        job.require_same({name: found.get(name) for name in DECIDING}, folder)
    else:
        write_json(folder / MANIFEST, {"config": config.as_dict(), "about": about, "stages": list(STAGES)})


def _about(splits: Splits, model: Model) -> dict[str, Any]:
    return {
        "model": model_fingerprint(model),
        "class": type(model).__name__,
        "layers": int(model.cfg.n_layers),
        "width": int(model.cfg.d_model),
        "dev": splits.dev.fingerprint,
        "test": splits.test.fingerprint,
        "probe_languages": list(splits.probe.languages),
        "languages": list(splits.languages),
        "rows": len(next(iter(splits.test.parallel().values()))),
        "probe_sentences": len(splits.probe),
        "versions": _versions(),
    }


def _chosen(folder: Path) -> dict[str, int]:
    """The number of experts of each target, as the sweep has settled it."""
    table = read_table(folder, "choice")
    return {str(target): int(k) for target, k in zip(table["target"], table["k"], strict=True)}


def _versions() -> dict[str, Any]:
    names = ("tl-experts", "transformer-lens", "torch", "transformers", "numpy")
    python = ".".join(map(str, sys.version_info[:3]))
    return {"python": python} | {name: metadata.version(name) for name in names}
