"""How a server leaves while many speak, and with clients that do not let go."""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

from websockets.exceptions import ConnectionClosed

from tests.fakes import speech
from tests.faults.test_wire import FLOODS, deaf
from tests.faults.victim import WORDS, victim
from tests.journeys.hearing import short_name, transcripts
from tests.journeys.server import Server
from tests.journeys.speaking import Caller, calling

LIVE: Final = 100
RESTARTING: Final = 1012


async def live(server: Server, doors: AsyncExitStack) -> Caller:
    """In the middle of an item."""
    caller = await doors.enter_async_context(calling(server))
    await caller.speak(speech(0.6), milliseconds=600)
    await caller.hear_until("speech_started")
    return caller


async def goodbye(caller: Caller) -> list[dict[str, Any]]:
    """All that is told to the end."""
    with suppress(ConnectionClosed):
        while True:
            await caller.hear()
    return caller.heard


async def test_told_to_leave_with_a_hundred_live_items_none_is_lost(tmp_path: Path) -> None:
    async with AsyncExitStack() as doors:
        server = doors.enter_context(victim(tmp_path))
        callers = [await live(server, doors) for _ in range(LIVE)]
        server.process.terminate()
        told = await asyncio.gather(*map(goodbye, callers))
        assert 0 == await asyncio.to_thread(server.process.wait, 30)

    assert [[WORDS]] * LIVE == [transcripts(events) for events in told]
    assert {"completed"} == {short_name(events[-1]) for events in told}
    assert Counter({RESTARTING: LIVE}) == Counter(caller.socket.close_code for caller in callers)


async def test_told_to_leave_clients_that_do_not_read_do_not_keep_it(tmp_path: Path) -> None:
    async with AsyncExitStack() as doors:
        server = doors.enter_context(victim(tmp_path, "--drain-seconds", "2"))
        callers = [await doors.enter_async_context(deaf(server)) for _ in range(10)]
        for caller in callers:
            caller.transport.write(FLOODS["empty messages"] * 100_000)
        began = time.monotonic()
        server.process.terminate()
        assert 0 == await asyncio.to_thread(server.process.wait, 30)
        took = time.monotonic() - began
        for caller in callers:
            caller.transport.abort()

    assert took < 2 + 2
