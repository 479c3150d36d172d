"""Work in a thread of its own."""

import asyncio
import threading
from queue import Queue

import pytest

from realtime_asr.engines.threads import in_thread


async def test_what_the_work_returns_is_awaited() -> None:
    where = await in_thread(threading.current_thread)

    assert where is not threading.current_thread()
    assert where.daemon


async def test_what_the_work_raises_is_raised() -> None:
    def work() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        await in_thread(work)


async def test_even_what_no_future_takes_is_raised() -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await in_thread(lambda: next(iter(())))


async def test_a_thread_that_cannot_be_had_is_raised_where_the_work_is_awaited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    future = in_thread(lambda: None)

    with pytest.raises(RuntimeError, match="can't start"):
        await future


async def test_nobody_minds_work_that_ends_after_it_was_given_up() -> None:
    free = threading.Event()
    future = in_thread(free.wait)

    future.cancel()
    free.set()
    await in_thread(lambda: None)

    assert future.cancelled()


def test_work_that_ends_after_the_loop_does_no_harm() -> None:
    free = threading.Event()
    begun: Queue[threading.Thread] = Queue()

    def work() -> None:
        begun.put(threading.current_thread())
        free.wait(30)

    async def begin() -> threading.Thread:
        in_thread(work)
        return await asyncio.to_thread(begun.get, timeout=30)

    thread = asyncio.run(begin())
    free.set()
    thread.join(30)

    assert not thread.is_alive()
