"""Many sessions at once, how a server leaves, and what it never writes down."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from realtime_asr.dialects.negotiate import Shape
from tests.journeys.hearing import Event, assert_told_in_order, by_item, item_of, transcripts
from tests.journeys.server import KEY, Server, running
from tests.journeys.speaking import calling, pcm16, silence
from tests.speech import clip, word_error_rate


async def test_two_sessions_at_once_share_nothing(server: Server) -> None:
    names = ("bridge", "door"), ("window", "monday")

    one, other = await asyncio.gather(*(conversation(server, *pair) for pair in names))

    for heard, pair in zip((one, other), names, strict=True):
        assert_told_in_order(heard, Shape.GA)
        assert [clip(name).text for name in pair] == transcripts(heard)
        assert {item_of(event) for event in heard} - {None} == set(by_item(heard))
    assert set(by_item(one)).isdisjoint(by_item(other))


async def test_a_server_told_to_leave_finishes_what_is_being_said(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        async with calling(server) as caller:
            await caller.speak(pcm16("window"))
            await caller.hear_until("speech_started")
            server.process.terminate()
            await caller.hear_until("completed")
            with pytest.raises(ConnectionClosed):
                await caller.hear()
        server.process.wait(timeout=30)

    assert 1012 == caller.socket.close_code
    assert 0 == server.process.returncode
    assert word_error_rate(clip("window").text, transcripts(caller.heard)[0]) <= 0.1


async def test_the_log_holds_neither_keys_nor_words(tmp_path: Path) -> None:
    shown: list[dict[str, Any]] = [
        {"additional_headers": {"Authorization": f"Bearer {KEY}"}},
        {"subprotocols": ["realtime", f"openai-insecure-api-key.{KEY}"]},
    ]

    with running(tmp_path, environment={"REALTIME_ASR_API_KEYS": KEY}) as server:
        for options in shown:
            async with calling(server, **options) as caller:
                await caller.speak(pcm16("window") + silence(1000))
                await caller.hear_until("completed")

    log = server.log.read_text()
    assert "realtime" in log
    assert KEY not in log
    assert [] == [pair for pair in pairwise(clip("window").text.split()) if " ".join(pair) in log]


async def conversation(server: Server, *names: str) -> list[Event]:
    async with calling(server) as caller:
        await caller.configure(turn_detection={"type": "server_vad", "silence_duration_ms": 500})
        for name in names:
            await caller.speak(pcm16(name) + silence(1000))
        await caller.hear_until("completed", times=2)
        return caller.heard
