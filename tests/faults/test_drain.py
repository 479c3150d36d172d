"""How a server leaves while many speak, and with clients that do not let go."""

import asyncio
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.fakes import speech
from tests.faults.asking import asking
from tests.faults.machine import patience, within
from tests.faults.test_wire import FLOODS, deaf
from tests.faults.victim import WORDS, victim
from tests.journeys.hearing import short_name, transcripts
from tests.journeys.server import Server
from tests.journeys.speaking import Caller, calling

LIVE: Final = 100
RESTARTING: Final = 1012
SLOW: Final = """
import asyncio
from realtime_asr.engines import replay
from realtime_asr.server.commands.cli import run
finish = replay._Turn.finish
replay._Turn.finish = lambda turn, voiced: asyncio.get_running_loop().call_later(3, finish, turn, voiced)
run()
"""
"""Its finals take their time."""


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


async def test_told_to_leave_with_a_hundred_live_items_none_is_lost_and_nobody_let_in(tmp_path: Path) -> None:
    await within(0.1, partial(closing, tmp_path))


async def closing(folder: Path) -> float:
    """How long it still says that it is ready."""
    command = (sys.executable, "-c", SLOW)
    async with AsyncExitStack() as doors:
        server = doors.enter_context(victim(folder, command=command))
        callers = [await live(server, doors) for _ in range(LIVE)]
        ready = await doors.enter_async_context(asking(server, "/readyz"))
        began = time.monotonic()
        server.process.terminate()
        while (await ready())[0] == 200:
            """It is asked as often as it answers."""
        took = time.monotonic() - began
        with pytest.raises(InvalidStatus) as refused:
            await doors.enter_async_context(calling(server))
        told = await asyncio.gather(*map(goodbye, callers))
        assert 0 == await asyncio.to_thread(server.process.wait, 30)

    assert 503 == refused.value.response.status_code
    assert int(refused.value.response.headers["Retry-After"]) >= 1
    assert [[WORDS]] * LIVE == [transcripts(events) for events in told]
    assert {"completed"} == {short_name(events[-1]) for events in told}
    assert Counter({RESTARTING: LIVE}) == Counter(caller.socket.close_code for caller in callers)
    return took


async def test_told_to_leave_it_tells_who_asked_for_warnings_and_says_nothing(tmp_path: Path) -> None:
    with victim(tmp_path, "--drain-seconds", "10") as server:
        async with calling(server, "/realtime?intent=transcription&expiry_warning=true") as caller:
            await caller.hear()
            server.process.terminate()
            warning = (await goodbye(caller))[-1]
            assert 0 == await asyncio.to_thread(server.process.wait, 30)

    assert ("session.expiring", 8.0) == (warning["type"], warning["seconds_left"])
    assert RESTARTING == caller.socket.close_code


async def test_told_to_leave_clients_that_do_not_read_do_not_keep_it(tmp_path: Path) -> None:
    async with AsyncExitStack() as doors:
        server = doors.enter_context(victim(tmp_path, "--drain-seconds", "2"))
        callers = [await doors.enter_async_context(deaf(server)) for _ in range(10)]
        for caller in callers:
            caller.transport.write(FLOODS["empty messages"] * 100_000)
        stretch, began = patience(), time.monotonic()
        server.process.terminate()
        assert 0 == await asyncio.to_thread(server.process.wait, 30)
        took = time.monotonic() - began
        for caller in callers:
            caller.transport.abort()

    assert took < 2 + 2 * max(stretch, patience())
