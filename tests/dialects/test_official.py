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
