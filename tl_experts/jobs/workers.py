"""Numbered work on the workers of a Ray cluster. A worker loads something once, and does many numbers with it.

Workers write their results to a shared folder. Only numbers and errors travel between them and the driver.
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

Work = Callable[[Any], Callable[[int], object]]
"""Given what the worker has loaded (a model), returns the function that does a number.

It is called once per worker, at the worker's first number: it opens what all numbers share (a store, batches) and
checks it. What the returned function returns is dropped; results go to a shared folder.
"""

ATTEMPTS = 4
"""How many workers may die at one number before the run ends with an error."""

PATIENCE = 60.0
"""Seconds without any worker, after which a warning is logged."""


class _Worker:
    """What runs in a worker's process. Errors travel as text: some cannot be pickled, and all lose their traceback."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._loaded: list[Any] = []
        self._key = -1
        self._do: Callable[[int], object] | None = None

    def ready(self) -> str:
        """Return as soon as the process runs."""
        return ""

    def do(self, key: int, work: list[Any], number: int) -> str:
        """Do a number.

        Args:
            key: identifies the work; with another key than before, the work is opened again.
            work: a list of one reference to the work, which is fetched once.
            number: to do.

        Returns:
            The error, or an empty string.
        """
        import ray

        try:
            if not self._loaded:
                self._loaded.append(self._load())
            if self._do is None or self._key != key:
                self._do, self._key = ray.get(work[0])(self._loaded[0]), key
            self._do(number)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""


@dataclass(frozen=True)
class RayWorkers:
    """Which workers of a Ray cluster do the work, and how many.

    Raises:
        TLExpertsError: the count is below 1, or the number of GPUs is neither a whole number nor a fraction below 1.

    Examples:
        >>> RayWorkers(address="auto", count=8, gpus=1)
        RayWorkers(address='auto', count=8, gpus=1)
    """

    address: str | None = None
    """Address of a running cluster (``"auto"``: that of this machine); None: Ray is started here, and stopped."""

    count: int | None = None
    """Number of workers; None: one per GPU, or one per machine if no GPUs are asked for."""

    gpus: float = 0
    """GPUs of each worker: a fraction of one, or a whole number, over which its model is spread."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.count is not None and (not isinstance(self.count, int) or self.count < 1):
            raise TLExpertsError(f"count of workers is {self.count!r}; expected 1 or more")
        if not isinstance(self.gpus, int | float) or not self.gpus >= 0 or (self.gpus > 1 and self.gpus % 1):
            raise TLExpertsError(f"gpus is {self.gpus!r}; expected 0 or more, and a whole number above 1")


class RayPool:
    """Workers of a Ray cluster that live as long as the pool. A worker that dies is replaced, and its number repeated.

    Args:
        load: called once by each worker before its first number; it loads a model. It is pickled, so workers must be
            able to import it.
        workers: which workers, and how many.

    Raises:
        TLExpertsError: Ray is not installed, the cluster does not answer, or it lacks the GPUs that are asked for.

    Examples:
        >>> from functools import partial
        >>> from tl_experts import RayPool, RayWorkers, load_model
        >>> with RayPool(partial(load_model, "polyglot-mini"), RayWorkers(count=2)) as pool:  # doctest: +SKIP
        ...     run_study(config, workers=pool)
    """

    def __init__(self, load: Callable[[], Any], workers: RayWorkers | None = None) -> None:
        workers = RayWorkers() if workers is None else workers
        self._ray = _ray()
        self._mine = not self._ray.is_initialized()
        if self._mine:
            _connect(self._ray, workers.address)
        try:
            self._count = _count(self._ray, workers)
            # Ray gives a worker as many threads as it has CPUs.
            cpus = 1 if workers.gpus else max(1, int(self._ray.cluster_resources().get("CPU", 1)) // self._count)
            # Not restarted by Ray, which would repeat a number that kills its worker again and again.
            actor = self._ray.remote(num_cpus=cpus, num_gpus=workers.gpus or None, max_restarts=0)(_Worker)
            self._hire: Callable[[], Any] = partial(actor.remote, load)
            self._actors = [self._hire() for _ in range(self._count)]
        except BaseException:
            self.close()
            raise
        self._runs = 0

    @property
    def workers(self) -> int:
        """The number of workers."""
        return self._count

    def run(self, work: Work, numbers: Sequence[int], *, description: str = "pieces", progress: bool = True) -> None:
        """Do numbered work.

        Args:
            work: what to do; it is pickled, and each worker opens it once.
            numbers: the numbers to do.
            description: of the progress bar.
            progress: show a progress bar.

        Raises:
            TLExpertsError: a number failed, or killed every worker that tried it.
        """
        self.run_rounds(work, [numbers], description=description, progress=progress)

    def run_rounds(
        self, work: Work, rounds: Sequence[Sequence[int]], *, description: str = "pieces", progress: bool = True
    ) -> None:
        """Do numbered work of which some needs what other has written: a round begins when the one before has ended.

        Args:
            work: what to do; it is pickled, and each worker opens it once for all rounds.
            rounds: the numbers of each, begun in this order.
            description: of the progress bar.
            progress: show a progress bar.

        Raises:
            TLExpertsError: as `run`.
        """
        from tqdm.auto import tqdm

        if not any(rounds):
            return
        self._runs += 1
        reference = [self._ray.put(work)]
        label = f"{description}, {self._count} workers"
        with tqdm(total=sum(map(len, rounds)), desc=label, unit="piece", disable=not progress) as bar:
            for numbers in rounds:
                for _ in self._done(self._runs, reference, deque(numbers)):
                    bar.update()

    def _done(self, key: int, work: list[Any], queue: "deque[int]") -> Iterator[int]:
        left, deaths = len(queue), Counter[int | None]()
        busy: dict[Any, tuple[int, int | None]] = {
            actor.ready.remote(): (index, None) for index, actor in enumerate(self._actors)
        }
        while left:
            index, number, error = self._next(busy)
            if error is None:
                deaths[number] += 1
                _require_life(number, deaths[number], self._count)
                self._actors[index] = self._hire()
                busy[self._actors[index].ready.remote()] = (index, None)
                if number is not None:
                    log.warning("a worker died at piece %d; another worker repeats the piece", number)
                    queue.appendleft(number)
                continue
            if error:
                raise TLExpertsError(
                    f"a worker failed at piece {number}: {error}; finished pieces are kept, run the same call again"
                )
            if number is not None:
                left -= 1
                yield number
            if queue:
                following = queue.popleft()
                busy[self._actors[index].do.remote(key, work, following)] = (index, following)

    def _next(self, busy: dict[Any, tuple[int, int | None]]) -> tuple[int, int | None, str | None]:
        """Wait for a worker.

        Returns:
            Its index, its number (None: it has just started) and its error (None: it is dead; empty: there was none).
        """
        while not (found := self._ray.wait(list(busy), num_returns=1, timeout=PATIENCE)[0]):
            if all(number is None for _, number in busy.values()):
                log.warning(
                    "no worker has started yet: the cluster has %s", dict(self._ray.available_resources()) or "nothing"
                )
        index, number = busy.pop(found[0])
        try:
            return index, number, str(self._ray.get(found[0]))
        except self._ray.exceptions.RayActorError:
            return index, number, None
        except self._ray.exceptions.RayError as error:
            raise TLExpertsError(f"Ray failed: {error}; finished pieces are kept, run the same call again") from error

    def close(self) -> None:
        """End the workers, and stop Ray if it was started here."""
        if self._mine:
            self._ray.shutdown()
            return
        for actor in getattr(self, "_actors", []):
            self._ray.kill(actor)

    def __enter__(self) -> "RayPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


Workers = RayWorkers | RayPool
"""Who computes the pieces: a pool that is opened for the call, or an open one."""


def require_workers(workers: object) -> None:
    """Check the argument `workers` before any long work.

    Raises:
        TLExpertsError: it is neither a `RayWorkers` nor a `RayPool`.
    """
    if not isinstance(workers, RayWorkers | RayPool):
        raise TLExpertsError(f"workers is {workers!r}; expected RayWorkers(...), a RayPool, or None for this process")


@contextmanager
def opened(workers: Workers, load: Callable[[], Any]) -> Iterator[RayPool]:
    """The pool of the workers; a pool that is opened here is closed at the end.

    Raises:
        TLExpertsError: as `require_workers` and `RayPool`.
    """
    require_workers(workers)
    if isinstance(workers, RayPool):
        yield workers
        return
    with RayPool(load, workers) as pool:
        yield pool


def _connect(ray: Any, address: str | None) -> None:
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING, include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise TLExpertsError(f"no Ray cluster at {address!r} ({error}); start one with `ray start --head`") from error


def _require_life(number: int | None, deaths: int, workers: int) -> None:
    if number is None and deaths >= ATTEMPTS * workers:
        raise TLExpertsError(
            f"{deaths} workers died at their start; did their machine run out of memory? See Ray's logs"
        )
    if number is not None and deaths >= ATTEMPTS:
        raise TLExpertsError(
            f"{deaths} workers died at piece {number}; did they run out of memory? Use fewer workers per machine, or a "
            "smaller Batching(token_budget=...); finished pieces are kept, run the same call again"
        )


def _count(ray: Any, workers: RayWorkers) -> int:
    if workers.count is not None:
        return workers.count
    if workers.gpus:
        available = ray.cluster_resources().get("GPU", 0)
        if available < workers.gpus:
            raise TLExpertsError(
                f"gpus is {workers.gpus} per worker, but the cluster has {available:g}; leave it out to use CPUs, or "
                "give the count of workers to wait for"
            )
        return int(available / workers.gpus)
    return max(1, sum(bool(node["Alive"]) for node in ray.nodes()))


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise TLExpertsError("workers need Ray; install it with: pip install 'tl-experts[ray]'") from error
    return ray
