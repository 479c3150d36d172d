"""Work in a thread of its own, awaited like anything else."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
_NAME = "transcribe"


def in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Not a pool's: those are waited for when the process ends, and one that hangs would never let it.

    Starting a thread costs a twentieth of a millisecond, a thousandth of the work it is for.
    """
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    try:
        threading.Thread(target=_run, args=(work, future), name=_NAME, daemon=True).start()
    except RuntimeError as error:  # the system has no more: this work is lost, and no other
        future.set_exception(error)
    return future


def _run(work: Callable[[], T], future: asyncio.Future[T]) -> None:
    try:
        result = work()
    except StopIteration as error:  # the one that no future takes
        _tell(future, future.set_exception, RuntimeError(repr(error)))
    except BaseException as error:  # noqa: BLE001  whoever awaits it wants to know, whatever it is
        _tell(future, future.set_exception, error)
    else:
        _tell(future, future.set_result, result)
    finally:
        # An error knows this frame. If that knew the error's future, they would keep what failed, a model
        # perhaps, in memory until the collector comes round.
        del future


def _tell(future: asyncio.Future[T], how: Callable[..., None], what: object) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        future.get_loop().call_soon_threadsafe(lambda: None if future.done() else how(what))


def are_running() -> bool:
    """Then the process cannot end as usual: libraries whose work is cut off abort it."""
    return any(thread.name == _NAME for thread in threading.enumerate())
