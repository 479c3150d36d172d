"""Who goes first where several passes want the same worker."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PATIENCE: Final = 2.0
"""Seconds after which a pass goes on though others are more urgent, should these never end."""


class Precedence:
    """Among threads: passes that can wait give way, between two of their steps, to those that cannot."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._urgent = 0
        self._changed = threading.Condition()

    @contextmanager
    def urgent(self) -> Iterator[None]:
        with self._changed:
            self._urgent += 1
        try:
            yield
        finally:
            with self._changed:
                self._urgent -= 1
                self._changed.notify_all()

    def give_way(self) -> None:
        """Returns when a worker has nothing urgent to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._urgent < self._workers, _PATIENCE)
