"""The stages of a comparison: in this process, or on workers."""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from tl_experts.jobs.stages import Tables, is_finished, read_table, run_stage
from tl_experts.jobs.workers import Workers, opened
from tl_experts.models import Model
from tl_experts.study.comparison.alignment import alignment
from tl_experts.study.comparison.bench import CompareBench, read_corpora
from tl_experts.study.comparison.cause import cause
from tl_experts.study.comparison.config import CompareConfig
from tl_experts.study.comparison.costs import costs
from tl_experts.study.comparison.equal import equal_cost
from tl_experts.study.comparison.layers import layers
from tl_experts.study.comparison.result import CAUSE, LAYERS, ROMANISED
from tl_experts.study.comparison.romanised import romanised
from tl_experts.study.comparison.romaniser import INSTALL, PACKAGE, can_romanise
from tl_experts.study.comparison.writing import writing
from tl_experts.study.result import records

log = logging.getLogger(__name__)

ONCE = {CAUSE: cause, LAYERS: layers, ROMANISED: romanised}
"""What is computed once for all targets."""

FIRST = ("writing", "alignment", CAUSE)
"""The parts that read no other, the longest first."""

THEN = ("equal", "costs", LAYERS, ROMANISED)
"""The parts that read what the first have written, the longest first."""


def possible_stages(names: Sequence[str]) -> list[str]:
    """The stages whose packages are installed; one that is left out now is computed by the same call later.

    A warning names what is left out, and the command that installs its package.
    """
    if ROMANISED in names and not can_romanise():
        log.warning("text in Latin letters is not measured without %s: %s", PACKAGE, INSTALL)
        return [name for name in names if name != ROMANISED]
    return list(names)


def run_stages(bench: CompareBench, names: Iterable[str], started: Callable[[str], object] | None = None) -> None:
    """Run stages in this process, one after the other; finished ones are passed over.

    Args:
        bench: the comparison.
        names: of the stages.
        started: called with the name of each stage that is about to run.
    """
    for name in names:
        run_stage(bench.folder, name, partial(_tables, bench, name), started)


def stages_on_workers(bench: CompareBench, names: Sequence[str], workers: Workers, load: Callable[[], Model]) -> None:
    """Run stages on Ray workers, each of which takes one at a time; finished ones are passed over.

    Args:
        bench: the comparison; workers read the same corpus and share its folder.
        names: of the stages.
        workers: an open pool, or which workers to open one of.
        load: gives a worker its model.

    Raises:
        TLExpertsError: as `RayPool`; finished stages are kept.
    """
    unfinished = [name for name in names if not is_finished(bench.folder, name)]
    if not unfinished:
        return
    with opened(workers, load) as pool:
        work = partial(_take_stages, bench.config, bench.folder, bench.ceiling, unfinished)
        pool.run_rounds(work, rounds(unfinished), description="stages", progress=bench.progress)


def rounds(names: Sequence[str]) -> list[list[int]]:
    """The numbers of the stages that read no other, and of those that read these, each kind the longest first.

    Examples:
        >>> rounds(["writing-es", "costs-es", "equal-es", "alignment-es", "silencing", "layers"])
        [[0, 3, 4], [2, 1, 5]]
    """
    parts = [name.partition("-")[0] for name in names]
    return [[number for part in own for number, other in enumerate(parts) if other == part] for own in (FIRST, THEN)]


def _take_stages(
    config: CompareConfig, folder: Path, ceiling: bool, names: Sequence[str], model: Model
) -> Callable[[int], None]:
    """What a worker opens once: the statistics of its bench serve all stages that it takes."""
    dev, test = read_corpora(config)
    bench = CompareBench(config, model, dev, test, folder, progress=False, ceiling=ceiling)
    return lambda number: run_stages(bench, names[number : number + 1])


def _tables(bench: CompareBench, name: str) -> Tables:
    part, _, target = name.partition("-")
    if part in ONCE:
        return ONCE[part](bench)
    if part == "writing":
        return writing(bench, target)
    if part == "alignment":
        return alignment(bench, target)
    written = records(read_table(bench.folder, f"writing-{target}"))
    if part == "costs":
        return costs(bench, target, written)
    return equal_cost(bench, target, written, records(read_table(bench.folder, f"texts-{target}")))
