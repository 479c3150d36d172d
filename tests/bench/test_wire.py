import base64
import json
from typing import Any

import pytest

from realtime_asr.bench import wire
from realtime_asr.bench.facts import Heard
from realtime_asr.bench.plan import BadPlan, Plan

URL = "ws://localhost:8000/v1"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (URL, "ws://localhost:8000/v1/realtime?intent=transcription&model=whisper-1"),
        ("http://localhost/v1/", "ws://localhost/v1/realtime?intent=transcription&model=whisper-1"),
        ("https://api.openai.com/v1", "wss://api.openai.com/v1/realtime?intent=transcription"),
        ("wss://here/realtime?model=tiny", "wss://here/realtime?intent=transcription&model=tiny"),
    ],
)
def test_a_base_url_and_a_whole_address_lead_to_the_same_door(url: str, address: str) -> None:
    assert address == wire.address(Plan(url))


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost/v1", "ws:///v1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadPlan, match="is no address"):
        wire.address(Plan(url))


def test_headers_show_the_key_and_say_when_beta_is_spoken() -> None:
    assert {} == wire.headers(Plan(URL))
    assert {"Authorization": "Bearer sk-1"} == wire.headers(Plan(URL, api_key="sk-1"))
    assert {"OpenAI-Beta": "realtime=v1"} == wire.headers(Plan(URL, dialect="beta"))


def test_the_opening_asks_for_what_the_plan_says() -> None:
    assert {
        "type": "session.update",
        "session": {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24_000},
                    "transcription": {"model": "whisper-1", "language": "en"},
                    "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
                }
            },
        },
    } == json.loads(wire.opening(Plan(URL, language="en", silence_ms=300)))


def test_in_beta_the_opening_is_flat() -> None:
    assert {
        "type": "transcription_session.update",
        "session": {
            "input_audio_format": "pcm16",
            "input_audio_transcription": {"model": "whisper-1"},
            "turn_detection": None,
        },
    } == json.loads(wire.opening(Plan(URL, dialect="beta", manual=True)))


def test_audio_goes_in_base64_and_a_commit_has_a_name() -> None:
    append, commit = json.loads(wire.append(b"\1\2")), json.loads(wire.commit("commit_1"))

    assert ("input_audio_buffer.append", b"\1\2") == (append["type"], base64.b64decode(append["audio"]))
    assert {"type": "input_audio_buffer.commit", "event_id": "commit_1"} == commit


TEXT = "conversation.item.input_audio_transcription."
REFUSED = {"type": "invalid_request_error", "code": "input_audio_buffer_commit_empty", "event_id": "commit_1"}


@pytest.mark.parametrize(
    ("event", "fact"),
    [
        ({"type": "session.updated", "session": {}}, None),
        (
            {"type": "input_audio_buffer.speech_started", "item_id": "a", "audio_start_ms": 1500},
            Heard(9, "speech_started", "a", audio=1.5),
        ),
        (
            {"type": "input_audio_buffer.speech_stopped", "item_id": "a", "audio_end_ms": 2500},
            Heard(9, "speech_stopped", "a", audio=2.5),
        ),
        ({"type": "input_audio_buffer.speech_started", "item_id": "a"}, Heard(9, "speech_started", "a")),
        ({"type": "input_audio_buffer.committed", "item_id": "a"}, Heard(9, "committed", "a")),
        ({"type": f"{TEXT}delta", "item_id": "a", "delta": " so"}, Heard(9, "delta", "a", " so")),
        ({"type": f"{TEXT}completed", "item_id": "a", "transcript": "so"}, Heard(9, "completed", "a", "so")),
        (
            {"type": f"{TEXT}failed", "item_id": "a", "error": {"code": None, "type": "server_error"}},
            Heard(9, "failed", "a", "server_error"),
        ),
        (
            {"type": "error", "error": REFUSED},
            Heard(9, "error", "commit_1", "input_audio_buffer_commit_empty"),
        ),
        ({"type": "error", "error": {}}, Heard(9, "error", "", "unknown")),
        # From here on, what no server should say.
        ({"type": "error", "error": None}, Heard(9, "error", "", "unknown")),
        ({"type": "error", "message": "No."}, Heard(9, "error", "", "unknown")),
        ({"type": "error", "error": {"code": "no", "event_id": 5}}, Heard(9, "error", "", "no")),
        ({"type": f"{TEXT}failed", "item_id": "a", "error": "no"}, Heard(9, "failed", "a", "unknown")),
        ({"type": f"{TEXT}completed", "item_id": 5, "transcript": ["so"]}, Heard(9, "completed", "", "")),
        (
            {"type": "input_audio_buffer.speech_started", "item_id": "a", "audio_start_ms": "soon"},
            Heard(9, "speech_started", "a"),
        ),
    ],
)
def test_of_each_event_that_concerns_a_turn_a_fact_is_kept(event: dict[str, Any], fact: Heard | None) -> None:
    assert fact == wire.read(event, 9)


@pytest.mark.parametrize("frame", [b"\x00\xff", '{"ping": 1}', '{"type": 1}', "[1]", "null"])
def test_a_frame_that_is_no_event_says_nothing(frame: str | bytes) -> None:
    assert wire.read(wire.event(frame), 9) is None


@pytest.mark.parametrize("frame", ["", "{", "[" * 100_000])
def test_a_frame_that_is_garbled_is_an_error(frame: str) -> None:
    assert Heard(9, "error", "", "no_json") == wire.read(wire.event(frame), 9)


def test_a_frame_says_what_it_holds() -> None:
    assert {"type": "session.created"} == wire.event('{"type": "session.created"}')
