"""Numbered work over the workers of a Ray cluster. Knows nothing of models: a worker is given numbers, and writes.

Only numbers travel between the driver and the workers; what a worker makes goes to the folder it shares with the
others.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from tl_experts.errors import TLExpertsError

Work = Callable[[int], object]


def run_on_ray(
    make: Callable[[], Work],
    numbers: Sequence[int],
    *,
    address: str | None = None,
    workers: int | None = None,
    gpus: float = 0,
    progress: bool = True,
) -> None:
    """Do numbered work by a pool of workers; a worker that dies is started again, and its number done again.

    Args:
        make: called once by each worker; gives what does a number. It is pickled, so it must be importable there.
        numbers: the work.
        address: of a running cluster (``"auto"``: the one of this machine); None: Ray is started here, and stopped.
        workers: how many; None: one for each GPU, or where GPUs are not asked for, one for each machine.
        gpus: GPUs of each worker, which may be a fraction.
        progress: show a progress bar.

    Raises:
        TLExpertsError: Ray is not installed, the cluster is not there, or the work failed.
    """
    if workers is not None and workers < 1:
        raise TLExpertsError(f"workers is {workers}; expected 1 or more")
    if gpus < 0:
        raise TLExpertsError(f"gpus is {gpus}; expected 0 or more")
    ray = _ray()
    mine = not ray.is_initialized()
    if mine:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING, include_dashboard=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise TLExpertsError(
                f"no Ray cluster at {address!r} ({error}); start one with `ray start --head`"
            ) from error
    try:
        _run(ray, make, numbers, _count(ray, workers, gpus), gpus, progress)
    finally:
        if mine:
            ray.shutdown()


class _Worker:
    """Errors travel as words: Ray would start a worker that raised again, and wrap what it said."""

    def __init__(self, make: Callable[[], Work]) -> None:
        self._make = make
        self._work: Work | None = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            self._work = self._work or self._make()
            self._work(int(row["number"]))
        except Exception as error:
            return row | {"error": f"{type(error).__name__}: {error}"}
        return row | {"error": ""}


def _run(ray: Any, make: Callable[[], Work], numbers: Sequence[int], workers: int, gpus: float, progress: bool) -> None:
    from tqdm.auto import tqdm

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    rows = ray.data.from_items([{"number": number} for number in numbers], override_num_blocks=len(numbers))
    done = rows.map(
        _Worker,
        fn_constructor_args=(make,),
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(workers, len(numbers))),
        num_cpus=1,
        num_gpus=gpus or None,
    )
    try:
        with tqdm(total=len(numbers), desc=f"{workers} workers", unit="shard", disable=not progress) as bar:
            for row in done.iter_rows():
                if row["error"]:
                    raise TLExpertsError(
                        f"a worker failed at shard {row['number']}: {row['error']}; what was done is kept, run the "
                        "same call again"
                    )
                bar.update()
    except ray.exceptions.RayError as error:
        raise TLExpertsError(f"Ray failed: {error}; what was done is kept, run the same call again") from error


def _count(ray: Any, workers: int | None, gpus: float) -> int:
    if workers is not None:
        return workers
    if gpus:
        return max(1, int(ray.cluster_resources().get("GPU", 0) / gpus))
    return max(1, sum(bool(node["Alive"]) for node in ray.nodes()))


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise TLExpertsError("the executor 'ray' needs Ray; install it with: pip install 'tl-experts[ray]'") from error
    return ray
