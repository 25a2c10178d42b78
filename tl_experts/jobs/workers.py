"""Numbered work over the workers of a Ray cluster. A worker makes something once, and does numbers with it.

Only numbers travel back to the driver; what a worker makes goes to the folder it shares with the others.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from tl_experts.errors import TLExpertsError

log = logging.getLogger(__name__)

Work = Callable[[Any, int], object]
"""Does a number with what the worker made; what it returns is dropped."""

ATTEMPTS = 4
"""Workers that may die of one number before it is given up."""

PATIENCE = 60.0
"""Seconds without any worker, after which that is said."""


class _Worker:
    """What runs in a worker's process. Errors travel as words: some cannot be pickled, and all lose their place."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: list[Any] = []
        self._key = -1
        self._work: Work | None = None

    def ready(self) -> str:
        """Answer, once the process is there."""
        return ""

    def do(self, key: int, work: list[Any], number: int) -> str:
        """Do a number; work is a list of one reference, fetched once and kept, with what it made for itself."""
        import ray

        try:
            if not self._made:
                self._made.append(self._make())
            if self._work is None or self._key != key:
                self._work, self._key = ray.get(work[0]), key
            self._work(self._made[0], number)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""


@dataclass(frozen=True)
class RayWorkers:
    """Which workers of a Ray cluster do the work.

    Raises:
        TLExpertsError: a count below 1, or a number of GPUs that cannot be.

    Examples:
        >>> RayWorkers(address="auto", count=8, gpus=1)
        RayWorkers(address='auto', count=8, gpus=1)
    """

    address: str | None = None
    """Of a running cluster (``"auto"``: this machine's); None: Ray is started here, and stopped."""

    count: int | None = None
    """How many; None: one for each GPU, or, without GPUs, one for each machine."""

    gpus: float = 0
    """GPUs of each worker: a fraction of one, or a whole number, over which its model is spread."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.count is not None and (not isinstance(self.count, int) or self.count < 1):
            raise TLExpertsError(f"count of workers is {self.count!r}; expected 1 or more")
        if not isinstance(self.gpus, int | float) or not self.gpus >= 0 or (self.gpus > 1 and self.gpus % 1):
            raise TLExpertsError(f"gpus is {self.gpus!r}; expected 0 or more, and a whole number above 1")


class RayPool:
    """Workers of a Ray cluster that live as long as the pool; one that dies is replaced, and its number done again.

    Args:
        make: called once by each worker, before its first number (loads a model). It is pickled, so it must be
            importable there.
        workers: which and how many.

    Raises:
        TLExpertsError: Ray is not installed, the cluster is not there, or it has no GPU where GPUs are asked for.

    Examples:
        >>> from functools import partial
        >>> from tl_experts import RayPool, RayWorkers, load_model
        >>> with RayPool(partial(load_model, "polyglot-mini"), RayWorkers(count=2)) as pool:  # doctest: +SKIP
        ...     run_study(config, workers=pool)
    """

    def __init__(self, make: Callable[[], Any], workers: RayWorkers | None = None) -> None:
        workers = RayWorkers() if workers is None else workers
        self._ray = _ray()
        self._mine = not self._ray.is_initialized()
        if self._mine:
            _connect(self._ray, workers.address)
        try:
            self._count = _count(self._ray, workers)
            # Ray gives a worker as many threads as it has CPUs.
            cpus = 1 if workers.gpus else max(1, int(self._ray.cluster_resources().get("CPU", 1)) // self._count)
            # Not restarted by Ray, which would begin a number that kills its worker again and again.
            actor = self._ray.remote(num_cpus=cpus, num_gpus=workers.gpus or None, max_restarts=0)(_Worker)
            self._hire: Callable[[], Any] = partial(actor.remote, make)
            self._workers = [self._hire() for _ in range(self._count)]
        except BaseException:
            self.close()
            raise
        self._works = 0

    @property
    def workers(self) -> int:
        """How many there are."""
        return self._count

    def run(self, work: Work, numbers: Sequence[int], *, description: str = "pieces", progress: bool = True) -> None:
        """Do numbered work.

        Args:
            work: pickled; each worker keeps its copy until the next call.
            numbers: what is to be done.
            description: of the progress bar.
            progress: show it.

        Raises:
            TLExpertsError: a number failed, or killed every worker that tried it.
        """
        from tqdm.auto import tqdm

        if not numbers:
            return
        self._works += 1
        label = f"{description}, {self._count} workers"
        with tqdm(total=len(numbers), desc=label, unit="piece", disable=not progress) as bar:
            for _ in self._done(self._works, [self._ray.put(work)], deque(numbers)):
                bar.update()

    def _done(self, key: int, work: list[Any], queue: "deque[int]") -> Iterator[int]:
        left, deaths = len(queue), Counter[int | None]()
        busy: dict[Any, tuple[int, int | None]] = {
            worker.ready.remote(): (place, None) for place, worker in enumerate(self._workers)
        }
        while left:
            place, number, error = self._next(busy)
            if error is None:
                deaths[number] += 1
                _require_life(number, deaths[number], self._count)
                self._workers[place] = self._hire()
                busy[self._workers[place].ready.remote()] = (place, None)
                if number is not None:
                    log.warning("the worker of piece %d died; it is done again by another", number)
                    queue.appendleft(number)
                continue
            if error:
                raise TLExpertsError(
                    f"a worker failed at piece {number}: {error}; what was done is kept, run the same call again"
                )
            if number is not None:
                left -= 1
                yield number
            if queue:
                following = queue.popleft()
                busy[self._workers[place].do.remote(key, work, following)] = (place, following)

    def _next(self, busy: dict[Any, tuple[int, int | None]]) -> tuple[int, int | None, str | None]:
        """Wait for a worker: its place, its number (None: it has come to life), its error (None: it is dead)."""
        while not (found := self._ray.wait(list(busy), num_returns=1, timeout=PATIENCE)[0]):
            if all(number is None for _, number in busy.values()):
                log.warning(
                    "no worker has started yet: the cluster has %s", dict(self._ray.available_resources()) or "nothing"
                )
        place, number = busy.pop(found[0])
        try:
            return place, number, str(self._ray.get(found[0]))
        except self._ray.exceptions.RayActorError:
            return place, number, None
        except self._ray.exceptions.RayError as error:
            raise TLExpertsError(f"Ray failed: {error}; what was done is kept, run the same call again") from error

    def close(self) -> None:
        """Send the workers home, and stop Ray if it was started here."""
        if self._mine:
            self._ray.shutdown()
            return
        for worker in getattr(self, "_workers", []):
            self._ray.kill(worker)

    def __enter__(self) -> "RayPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


Workers = RayWorkers | RayPool
"""Who makes the pieces: a pool made for the call, or one that is there already."""


def require_workers(workers: object) -> None:
    """Check `workers=` before the long part.

    Raises:
        TLExpertsError: it is neither a `RayWorkers` nor a `RayPool`.
    """
    if not isinstance(workers, RayWorkers | RayPool):
        raise TLExpertsError(f"workers is {workers!r}; expected RayWorkers(...), a RayPool, or None for this process")


@contextmanager
def opened(workers: Workers, make: Callable[[], Any]) -> Iterator[RayPool]:
    """The pool of workers; one made here is closed at the end.

    Raises:
        TLExpertsError: as `require_workers` and `RayPool`.
    """
    require_workers(workers)
    if isinstance(workers, RayPool):
        yield workers
        return
    with RayPool(make, workers) as pool:
        yield pool


def _connect(ray: Any, address: str | None) -> None:
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING, include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise TLExpertsError(f"no Ray cluster at {address!r} ({error}); start one with `ray start --head`") from error


def _require_life(number: int | None, deaths: int, workers: int) -> None:
    if number is None and deaths >= ATTEMPTS * workers:
        raise TLExpertsError(f"{deaths} workers died as they started; is their machine out of memory? see Ray's logs")
    if number is not None and deaths >= ATTEMPTS:
        raise TLExpertsError(
            f"{deaths} workers died of piece {number}: out of memory? fewer workers on a machine, or a "
            "Batching(token_budget=) below its default, need less; what was done is kept, run the same call again"
        )


def _count(ray: Any, workers: RayWorkers) -> int:
    if workers.count is not None:
        return workers.count
    if workers.gpus:
        there = ray.cluster_resources().get("GPU", 0)
        if there < workers.gpus:
            raise TLExpertsError(
                f"gpus is {workers.gpus} for each worker, but the cluster has {there:g}; leave it out to use CPUs, or "
                "say how many workers to wait for"
            )
        return int(there / workers.gpus)
    return max(1, sum(bool(node["Alive"]) for node in ray.nodes()))


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise TLExpertsError("the executor 'ray' needs Ray; install it with: pip install 'tl-experts[ray]'") from error
    return ray
