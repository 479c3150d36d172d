"""How long things may take on this machine, which may do other work as well."""

import os
import time
from collections.abc import Awaitable, Callable
from typing import Final

BUSY: Final = "BUSY_MACHINE"
"""Set to 1 where times mean little. Unless told, it is found out."""
_PATIENCE: Final = 5
"""A thread that waits once for a core may have to wait several times."""
_SPIN_SECONDS: Final = 0.02
_TRIES: Final = 3


def patience() -> float:
    """By how much to stretch what is measured here and now: not at all, where nobody else wants a core."""
    stretch = _spun() / _SPIN_SECONDS
    return _PATIENCE * stretch if os.environ.get(BUSY) == "1" or stretch > 1.2 else 1.0


async def within(seconds: float, measured: Callable[[], Awaitable[float]]) -> None:
    """In one of three tries, as others may want the machine at any moment."""
    tries: list[float] = []
    while not tries or tries[-1] > seconds * patience():
        assert len(tries) < _TRIES, f"{seconds} s would be fine, and it took {tries}"
        tries.append(await measured())


def _spun() -> float:
    """How long it takes to have a core for a while."""
    began, worked = time.perf_counter(), time.thread_time()
    while time.thread_time() - worked < _SPIN_SECONDS:
        pass
    return time.perf_counter() - began
