"""The live model, loaded in the background while the page is already shown."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tl_experts.errors import TLExpertsError

if TYPE_CHECKING:
    from tl_experts.pages.inspector.live import Live

WAIT = 600
"""Seconds that a question waits for the model."""

Say = Callable[[str], None]
"""Is told what is done next."""


class Loading:
    """A live model that is loaded in a thread of its own.

    Args:
        make: loads it, and says before each of its steps what it is.
        steps: how many steps that are.
        then: what is computed ahead, from the moment when questions are answered.
    """

    def __init__(
        self, make: "Callable[[Say], Live]", steps: int, *, then: "Callable[[Live], None] | None" = None
    ) -> None:
        self._made: "Live | None" = None
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._stage, self._step, self._steps = "starting", 0, steps
        self._begun = time.monotonic()
        self._then = then
        threading.Thread(target=self._run, args=(make,), daemon=True).start()

    def _run(self, make: "Callable[[Say], Live]") -> None:
        made, error = None, None
        try:
            made = make(self._say)
        except Exception as caught:  # any error is raised in the request that waits
            error = caught
        with self._changed:
            self._made, self._error = made, error
            self._changed.notify_all()
        if made is not None and self._then is not None:
            # Not a daemon, which would be torn out of PyTorch when the program ends: `then` must watch for that itself.
            threading.Thread(target=self._then, args=(made,), daemon=False).start()

    def _say(self, stage: str) -> None:
        with self._changed:
            self._stage, self._step = stage, self._step + 1
            self._changed.notify_all()

    def _done(self) -> bool:
        return self._made is not None or self._error is not None

    def get(self) -> "Live":
        """The live model.

        Raises:
            TLExpertsError: it could not be loaded, or not in time.
        """
        with self._changed:
            if not self._changed.wait_for(self._done, WAIT):
                raise TLExpertsError(f"the model is not loaded after {WAIT} s")
        if self._made is None:
            raise TLExpertsError(f"the model could not be loaded: {self._error}") from self._error
        return self._made

    def progress(self) -> Iterator[dict[str, Any]]:
        """The step that is being done, at every change and at least once a second, until the model is loaded.

        Yields:
            ``stage``, ``step``, ``steps`` and ``seconds``; the last has ``ready``.

        Raises:
            TLExpertsError: as `get`.
        """
        while True:
            with self._changed:
                done, step = self._done(), self._step
                state = {"stage": self._stage, "step": step, "steps": self._steps}
            yield {**state, "seconds": round(time.monotonic() - self._begun, 1)}
            if done:
                self.get()
                yield {"ready": True}
                return
            with self._changed:
                self._changed.wait_for(lambda step=step: self._done() or self._step != step, 1.0)  # type: ignore[misc]
