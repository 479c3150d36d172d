import json

import pytest
from pydantic import ValidationError

from realtime_asr.dialects.negotiate import Shape
from tests.dialects.official import assert_official

SPEECH_STARTED = {
    "type": "input_audio_buffer.speech_started",
    "event_id": "event_1",
    "audio_start_ms": 660,
    "item_id": "item_1",
}


@pytest.mark.parametrize("shape", Shape)
def test_a_valid_frame_passes(shape: Shape) -> None:
    assert_official(json.dumps(SPEECH_STARTED), shape)


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("missing", ["audio_start_ms", "item_id"])
def test_a_frame_without_a_required_field_fails(shape: Shape, missing: str) -> None:
    frame = {key: value for key, value in SPEECH_STARTED.items() if key != missing}

    with pytest.raises(ValidationError):
        assert_official(json.dumps(frame), shape)


def test_a_number_in_quotes_fails() -> None:
    with pytest.raises(ValidationError):
        assert_official(json.dumps(SPEECH_STARTED | {"audio_start_ms": "660"}), Shape.GA)


@pytest.mark.parametrize("shape", Shape)
def test_a_key_that_no_type_has_fails(shape: Shape) -> None:
    with pytest.raises(AssertionError, match="words"):
        assert_official(json.dumps(SPEECH_STARTED | {"words": []}), shape)


@pytest.mark.parametrize("shape", Shape)
def test_words_with_their_times_pass_and_no_other_key_besides_them(shape: Shape) -> None:
    completed = {
        "type": "conversation.item.input_audio_transcription.completed",
        "event_id": "event_1",
        "item_id": "item_1",
        "content_index": 0,
        "transcript": "",
        "usage": {"type": "duration", "seconds": 0},
        "words": [],
        "timings": {"from_commit_ms": 1},
    }

    assert_official(json.dumps(completed), shape)
    with pytest.raises(AssertionError, match="segments"):
        assert_official(json.dumps(completed | {"segments": []}), shape)


@pytest.mark.parametrize("kind", ["word_times", "timings"])
def test_times_may_be_included_and_nothing_that_is_unknown(kind: str) -> None:
    session = {"type": "transcription", "audio": {"input": {}}}
    frame = {"type": "session.updated", "event_id": "event_1"}
    times = f"item.input_audio_transcription.{kind}"

    assert_official(json.dumps({**frame, "session": {**session, "include": [times]}}), Shape.GA)
    with pytest.raises(ValidationError):
        assert_official(json.dumps({**frame, "session": {**session, "include": [times, "x"]}}), Shape.GA)


def test_an_event_nobody_knows_fails() -> None:
    with pytest.raises(AssertionError):
        assert_official('{"type":"nope","event_id":"event_1"}', Shape.GA)


def test_an_event_of_the_other_dialect_fails() -> None:
    with pytest.raises(AssertionError):
        assert_official('{"type":"conversation.item.added","event_id":"event_1"}', Shape.BETA)


def test_our_own_extensions_need_no_official_type_but_an_id() -> None:
    assert_official('{"type":"session.closed","event_id":"event_1"}', Shape.GA)
    with pytest.raises(AssertionError):
        assert_official('{"type":"session.closed"}', Shape.GA)


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(
    "session",
    [
        {"type": "transcription", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 44_100}}}},
        {"audio": {}},
        {"input_audio_format": 5, "input_audio_transcription": None},
        {"input_audio_transcription": {"model": "whisper-1", "prompt": 5}},
    ],
)
def test_a_session_that_is_none_fails(shape: Shape, session: dict[str, object]) -> None:
    frame = {"type": "session.updated", "event_id": "event_1", "session": session}

    with pytest.raises(ValidationError):
        assert_official(json.dumps(frame), shape)


def test_our_own_rates_of_pcm_and_models_pass() -> None:
    nested = {"type": "transcription", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}}
    flat = {"input_audio_transcription": {"model": "tiny"}, "client_secret": None}

    for name, session in (("session.updated", nested), ("transcription_session.updated", flat)):
        assert_official(json.dumps({"type": name, "event_id": "event_1", "session": session}), Shape.GA)
