"""The official JavaScript client, with Node's sockets and with a browser's."""

import asyncio
import json
import os
from pathlib import Path

import httpx
import pytest

from realtime_asr.dialects.negotiate import Shape
from tests.dialects.official import assert_official
from tests.journeys.hearing import assert_times_make_sense, assert_told_in_order, transcripts
from tests.journeys.server import KEY, Server, trusting
from tests.journeys.speaking import pcm16, silence
from tests.speech import clip


async def test_node_shows_its_key_in_a_header(guarded: Server, javascript: Path, speech: Path) -> None:
    await assert_transcribes("ws", guarded, KEY, javascript, speech)


async def test_a_browser_shows_its_secret_among_the_subprotocols(
    guarded: Server, javascript: Path, speech: Path
) -> None:
    assert guarded.authority
    bearer = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(verify=trusting(guarded.authority), headers=bearer) as owner:
        minted = await owner.post(f"{guarded.base_url}/realtime/client_secrets", json={})
    secret = minted.json()["value"]

    assert secret.startswith("ek_")
    await assert_transcribes("browser", guarded, secret, javascript, speech)


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    path = tmp_path / "speech.pcm"
    path.write_bytes(pcm16("window") + silence(1000))
    return path


async def assert_transcribes(
    variant: str, server: Server, credential: str, javascript: Path, speech: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        "node",
        "--experimental-websocket",
        str(javascript / "transcribe.mjs"),
        variant,
        server.base_url,
        str(speech),
        env={**os.environ, "OPENAI_API_KEY": credential, "NODE_EXTRA_CA_CERTS": str(server.authority)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        output, complaints = await process.communicate()

    assert 0 == process.returncode, complaints.decode()
    frames = output.decode().splitlines()
    for frame in frames:
        assert_official(frame, Shape.GA)
    events = [json.loads(frame) for frame in frames]
    assert ["session.created", "session.updated"] == [event["type"] for event in events[:2]]
    assert_told_in_order(events, Shape.GA)
    assert_times_make_sense(events)
    assert [clip("window").text] == transcripts(events)
