"""The official JavaScript client, with Node's sockets and with a browser's."""

import json
from pathlib import Path

import httpx
import pytest

from realtime_asr.dialects.negotiate import Shape
from tests.dialects.official import assert_official
from tests.journeys.hearing import Event, assert_reads, assert_times_make_sense, assert_told_in_order
from tests.journeys.programs import output_of
from tests.journeys.server import KEY, Server, trusting
from tests.journeys.speaking import pcm16, silence


def test_node_shows_its_key_in_a_header(guarded: Server, javascript: Path, speech: Path) -> None:
    assert_a_good_session(heard_by("ws", guarded, KEY, javascript, speech))


def test_a_browser_shows_its_secret_among_the_subprotocols(
    guarded: Server, javascript: Path, speech: Path
) -> None:
    assert guarded.authority
    minted = httpx.post(
        f"{guarded.base_url}/realtime/client_secrets",
        json={},
        headers={"Authorization": f"Bearer {KEY}"},
        verify=trusting(guarded.authority),
    )
    secret = minted.json()["value"]

    assert secret.startswith("ek_")
    assert_a_good_session(heard_by("browser", guarded, secret, javascript, speech))


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    path = tmp_path / "speech.pcm"
    path.write_bytes(pcm16("window") + silence(1000))
    return path


def heard_by(variant: str, server: Server, credential: str, javascript: Path, speech: Path) -> list[Event]:
    # Node 20 has the WebSocket of browsers, but must be asked for it, and warns that it is young.
    node = ("node", "--experimental-websocket", "--no-warnings", str(javascript / "transcribe.mjs"))
    environment = {"OPENAI_API_KEY": credential, "NODE_EXTRA_CA_CERTS": str(server.authority)}
    frames = output_of(*node, variant, server.base_url, str(speech), **environment).splitlines()
    for frame in frames:
        assert_official(frame, Shape.GA)
    return [json.loads(frame) for frame in frames]


def assert_a_good_session(events: list[Event]) -> None:
    assert ["session.created", "session.updated"] == [event["type"] for event in events[:2]]
    assert_told_in_order(events, Shape.GA)
    assert_times_make_sense(events)
    assert_reads(events, "window")
