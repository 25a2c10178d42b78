"""Whose turn it is at the model: one pass at a time, and questions before what is computed ahead."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOOK = 1.0
"""Seconds between two looks whether the program ends."""


class Turns:
    """A lock for the model that lets every question go before what is computed ahead."""

    def __init__(self) -> None:
        self._model = threading.Lock()
        self._changed = threading.Condition()
        self._asked = 0

    @contextmanager
    def asked(self) -> Iterator[None]:
        """A question is being answered: no work ahead begins, also between the turns that the question takes."""
        with self._changed:
            self._asked += 1
        try:
            yield
        finally:
            with self._changed:
                self._asked -= 1
                self._changed.notify_all()

    @contextmanager
    def question(self) -> Iterator[None]:
        """A turn at the model for a question."""
        with self.asked(), self._model:
            yield

    @contextmanager
    def ahead(self) -> Iterator[bool]:
        """A turn at the model for work ahead, once no question is being answered.

        Yields:
            False if the program ends, and with it the work.
        """
        while not self._idle():
            if not threading.main_thread().is_alive():
                yield False
                return
        with self._model:
            yield threading.main_thread().is_alive()

    def _idle(self) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._asked, LOOK)
