"""Running a study: stage after stage, each kept when done, so that a killed study goes on where it was."""

import resource
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib import metadata
from pathlib import Path
from typing import Any

from tl_experts.errors import StudyError
from tl_experts.jobs.files import write_json
from tl_experts.jobs.folders import locked
from tl_experts.jobs.tables import write_frame
from tl_experts.jobs.workers import Workers, opened
from tl_experts.models import Model, ModelSource
from tl_experts.responses.collect_to_disk import worker_loader
from tl_experts.study.bench import Bench, Tables
from tl_experts.study.config import StudyConfig
from tl_experts.study.result import MANIFEST, StudyResult, read_json
from tl_experts.study.stages.baselines import baselines
from tl_experts.study.stages.controls import controls
from tl_experts.study.stages.correlations import correlations
from tl_experts.study.stages.experts import experts, stability
from tl_experts.study.stages.paraphrases import pair_sets, paraphrases
from tl_experts.study.stages.retrieval import retrieval
from tl_experts.study.stages.space import space
from tl_experts.study.stages.sweep import sweep

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
}
"""In the order they run; the second settles k for those after it."""

RUNS = Path("tl-experts-runs")


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
    """Run a study, or what is left of it, and write its tables.

    Every stage writes its tables when it is done, and every pass of the model its batches as they come: killed at any
    moment, the same call goes on and repeats one batch at most.

    Args:
        config: from `load_config`, or made by hand.
        folder: where everything goes; default: ``tl-experts-runs/study-NAME``.
        model: loaded already; None: the config's.
        device: of `load_model`.
        n_devices: of `load_model`; a worker uses all the GPUs that it owns.
        workers: data-parallel Ray workers for the passes of the model (responses, embeddings, generations,
            perplexities), which load the config's model by its name and share the folder; the rest runs here. None:
            everything runs in this process.
        progress: show bars.
        started: told the name of each stage that is about to run.

    Raises:
        ArtefactError: another process is working in the folder.
        StudyError: the folder holds another study, or an option does not fit the model or the corpus.
        ModelError: the model cannot be loaded.
        CorpusError: the corpus cannot be read.
        TLExpertsError: as `RayWorkers`.

    Examples:
        >>> from tl_experts import StudyConfig
        >>> config = StudyConfig(name="mine", model="polyglot-mini", targets=("es", "fr"), k=100, test_rows=50)
        >>> result = run_study(config, "my-study")  # doctest: +SKIP
        >>> result["gains"]  # doctest: +SKIP
    """
    place = Path(folder) if folder is not None else RUNS / f"study-{config.name}"
    _require_same_config(place, config)
    source = ModelSource(config.model, device=device, dtype=config.dtype, n_devices=n_devices)
    load = None if workers is None else worker_loader(source, workers)
    loaded = source.load() if model is None else model
    bench = Bench(config, loaded, place.resolve(), progress=progress)
    with locked(place):
        _begin(place, bench)
        with nullcontext() if workers is None or load is None else opened(workers, load) as bench.pool:
            _run_stages(bench, place, started)
    return StudyResult.load(place)


def _run_stages(bench: Bench, place: Path, started: Callable[[str], object] | None) -> None:
    for name, stage in STAGES.items():
        marker = place / "stages" / f"{name}.json"
        if not marker.is_file():
            if started is not None:
                started(name)
            begun = time.perf_counter()
            tables = stage(bench)
            _keep(place, tables)
            write_json(
                marker,
                {"tables": [table for table, rows in tables.items() if rows]}
                | {"seconds": time.perf_counter() - begun, "peak_mib": peak_memory()},
            )
        if name == "sweep":
            bench.chosen_k = _chosen(place)


def peak_memory() -> float:
    """The most memory this process has held, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10


def _require_same_config(place: Path, config: StudyConfig) -> None:
    manifest = place / MANIFEST
    if not manifest.is_file():
        return
    there, here = read_json(manifest)["config"], config.as_dict()
    for name in here:
        if there.get(name) != here[name]:
            raise StudyError(
                f"{place} holds a study with {name} = {there.get(name)!r}, this one has {here[name]!r}; choose another "
                "folder, or delete it to begin anew"
            )


def _begin(place: Path, bench: Bench) -> None:
    about = {
        "model": bench.fingerprint,
        "class": type(bench.model).__name__,
        "layers": int(bench.model.cfg.n_layers),
        "width": int(bench.model.cfg.d_model),
        "dev": bench.dev.fingerprint,
        "test": bench.test.fingerprint,
        "probe_languages": list(bench.probe.languages),
        "languages": list(bench.languages),
        "rows": len(next(iter(bench.test.parallel().values()))),
        "probe_sentences": len(bench.probe),
        "versions": _versions(),
    }
    manifest = place / MANIFEST
    if manifest.is_file():
        there = read_json(manifest)["about"]
        for name in ("model", "class", "dev", "test"):
            if there.get(name) != about[name]:
                raise StudyError(
                    f"{place} holds a study whose {name} was {there.get(name)!r} and is {about[name]!r} now; choose "
                    "another folder, or delete it to begin anew"
                )
        return
    write_json(manifest, {"config": bench.config.as_dict(), "about": about, "stages": list(STAGES)})


def _keep(place: Path, tables: Tables) -> None:
    import pandas as pd

    for name, rows in tables.items():
        if rows:
            write_frame(place / "tables" / name, pd.DataFrame(rows))


def _chosen(place: Path) -> dict[str, int]:
    import pandas as pd

    table = pd.read_parquet(place / "tables" / "choice.parquet")
    return {str(target): int(k) for target, k in zip(table["target"], table["k"], strict=True)}


def _versions() -> dict[str, Any]:
    names = ("tl-experts", "transformer-lens", "torch", "transformers", "numpy")
    python = ".".join(map(str, sys.version_info[:3]))
    return {"python": python} | {name: metadata.version(name) for name in names}
