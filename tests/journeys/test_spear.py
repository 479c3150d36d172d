"""SPEAR's real-time worker: make a session, open it with its own secret, append audio, read what it knows."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx

from realtime_asr.dialects.negotiate import Shape
from tests.journeys.hearing import BY_CLIENT, assert_reads, assert_told_in_order, short_name
from tests.journeys.server import KEY, Server
from tests.journeys.speaking import Caller, calling, pcm16, silence

WISH: Final = {
    "input_audio_format": "pcm16",
    "input_audio_transcription": {"model": "gpt-4o-mini-transcribe"},
}
BLOCK: Final = 10_240
"""Samples of an append."""
UNDERSTOOD: Final = {
    "transcription_session.created",
    "transcription_session.updated",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.created",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
    "error",
}
"""What the worker has a case for."""


class Worker:
    def __init__(self, server: Server, key: str = "none") -> None:
        self._server = server
        self._key = key

    async def make_session(self, **wish: Any) -> str:
        """Takes no other status than 200, and the session's secret where it always was."""
        async with httpx.AsyncClient(
            base_url=self._server.base_url,
            headers={"Authorization": f"Bearer {self._key}"},
            verify=self._server.tls or True,
        ) as client:
            made = await client.post("/realtime/transcription_sessions", json={**WISH, **wish})
        assert 200 == made.status_code, made.text
        return str(made.json()["client_secret"]["value"])

    @asynccontextmanager
    async def opened(self, secret: str) -> AsyncIterator[Caller]:
        headers = {"Authorization": f"Bearer {secret}", "OpenAI-Beta": "realtime=v1"}
        async with calling(self._server, shape=Shape.BETA, additional_headers=headers) as session:
            yield session


async def append(session: Caller, audio: bytes) -> None:
    for start in range(0, len(audio), 2 * BLOCK):
        await session.append(base64.b64encode(audio[start : start + 2 * BLOCK]).decode())


def assert_understood(session: Caller) -> None:
    assert {event["type"] for event in session.heard} <= UNDERSTOOD


async def test_the_worker_makes_a_session_and_only_appends(server: Server) -> None:
    spear = Worker(server)

    async with spear.opened(await spear.make_session()) as session:
        await append(session, pcm16("bridge") + silence(1000))
        await session.hear_until("completed")

    assert "transcription_session.created" == session.heard[0]["type"]
    assert "delta" in map(short_name, session.heard)
    assert_understood(session)
    assert_told_in_order(session.heard, Shape.BETA)
    assert_reads(session.heard, "bridge")


async def test_the_worker_hears_one_item_for_each_thing_that_is_said(server: Server) -> None:
    spear = Worker(server)

    async with spear.opened(await spear.make_session()) as session:
        for name in ("door", "window"):
            await append(session, pcm16(name) + silence(1000))
        await session.hear_until("completed", times=2)

    assert_understood(session)
    assert_told_in_order(session.heard, Shape.BETA)
    assert_reads(session.heard, "door", "window")


async def test_a_later_worker_also_clears_and_commits(server: Server) -> None:
    spear = Worker(server)

    async with spear.opened(await spear.make_session(turn_detection=None)) as session:
        await append(session, pcm16("door"))
        await session.say("input_audio_buffer.clear")
        await append(session, pcm16("window"))
        await session.commit()
        await session.hear_until("completed")

    assert "cleared" in map(short_name, session.heard)
    assert_told_in_order(session.heard, Shape.BETA, BY_CLIENT)
    assert_reads(session.heard, "window")


async def test_the_worker_needs_the_key_once_and_then_the_secret_only(guarded: Server) -> None:
    spear = Worker(guarded, KEY)

    async with spear.opened(await spear.make_session()) as session:
        await append(session, pcm16("window") + silence(1000))
        await session.hear_until("completed")

    assert_reads(session.heard, "window")


async def test_a_secret_that_nobody_minted_opens_nothing(guarded: Server) -> None:
    async with Worker(guarded, KEY).opened("ek_made_up") as session:
        refused = await session.hear()

    assert ("error", "invalid_api_key") == (refused["type"], refused["error"]["code"])
