"""Many sessions at once, how a server leaves, and what it never writes down."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed

from realtime_asr.dialects.negotiate import Shape
from tests.journeys.hearing import assert_reads, assert_told_in_order, by_item, short_name
from tests.journeys.server import KEY, Server, running
from tests.journeys.speaking import calling, pcm16, pieces, silence
from tests.speech.clips import clip

PATIENT: Final = {"type": "server_vad", "silence_duration_ms": 2000}


async def test_two_sessions_that_speak_at_once_share_nothing(server: Server) -> None:
    async with calling(server) as one, calling(server) as other:
        for caller in (one, other):
            await caller.configure(turn_detection=PATIENT)
        turns = pieces(pcm16("bridge") + silence(4000)), pieces(pcm16("window") + silence(4000))
        for ours, theirs in zip(*turns, strict=False):
            await one.append(ours)
            await other.append(theirs)
        for caller in (one, other):
            await caller.hear_until("completed")

    for caller, name in ((one, "bridge"), (other, "window")):
        assert_told_in_order(caller.heard, Shape.GA)
        assert_reads(caller.heard, name)
    assert set(by_item(one.heard)).isdisjoint(by_item(other.heard))


async def test_a_server_told_to_leave_finishes_what_is_being_said(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        async with calling(server) as caller:
            await caller.configure(turn_detection=PATIENT)
            await caller.speak(pcm16("window"))
            await caller.configure(turn_detection=PATIENT)
            before = await caller.hear_until("updated", times=2)
            server.process.terminate()
            after = await caller.hear_until("completed")
            with pytest.raises(ConnectionClosed):
                await caller.hear()
        server.process.wait(timeout=30)

    assert "speech_started" in map(short_name, before)
    assert "committed" in map(short_name, after)
    assert_reads(after, "window")
    assert 1012 == caller.socket.close_code
    assert 0 == server.process.returncode


async def test_a_session_may_not_last_for_ever(tmp_path: Path) -> None:
    with running(tmp_path, "--session-minutes", "0.02") as server:
        async with calling(server) as caller:
            await caller.speak(pcm16("bridge") + silence(1000))
            await caller.hear_until("completed")
            told = await caller.hear()
            with pytest.raises(ConnectionClosed):
                await caller.hear()

    assert "session_expired" == told["error"]["code"]
    assert (1001, told["error"]["message"]) == (caller.socket.close_code, caller.socket.close_reason)


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
