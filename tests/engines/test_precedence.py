"""Urgent passes first."""

import asyncio
import threading

import pytest

from realtime_asr.engines.precedence import Precedence
from tests.engines.contract import PATIENCE


async def test_who_can_wait_gives_way_until_a_worker_has_nothing_urgent_to_do() -> None:
    precedence, waiting = Precedence(workers=2), threading.Event()

    def wait() -> None:
        waiting.set()
        precedence.give_way()

    with precedence.urgent():
        precedence.give_way()
        with precedence.urgent():
            gone = asyncio.create_task(asyncio.to_thread(wait))
            await asyncio.to_thread(waiting.wait)
            assert not gone.done()
        async with asyncio.timeout(PATIENCE):
            await gone


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_asr.engines.precedence._PATIENCE", 0.01)
    precedence = Precedence(workers=1)

    with precedence.urgent():
        precedence.give_way()
