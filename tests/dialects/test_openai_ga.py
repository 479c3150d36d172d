import json
from typing import Any

import pytest
from openai.types.realtime import ClientSecretCreateResponse

from realtime_asr.audio.detection import SemanticVad
from realtime_asr.audio.formats import ALAW_8K, PCM16_24K, ULAW_8K, AudioFormat, Encoding
from realtime_asr.dialects import openai_ga as ga
from realtime_asr.dialects.negotiate import Shape
from realtime_asr.dialects.openai_shared import Mint, validated
from realtime_asr.session.commands import Configure
from realtime_asr.session.config import (
    NoiseReduction,
    Patch,
    ServerVadPatch,
    SessionConfig,
    Transcription,
    TranscriptionPatch,
)
from realtime_asr.session.problem import Problem


def update(session: dict[str, Any], *, strict: bool = False) -> Configure:
    sent = {"type": "session.update", "event_id": "c-1", "session": session}
    return validated(ga.SessionUpdateFrame, sent, strict=strict).command()


def test_an_update_says_by_which_name_it_came_and_whose_it_is() -> None:
    assert Configure(Patch(), ga.UPDATE, "c-1") == update({"type": "transcription"}, strict=True)


def test_the_type_may_be_left_out_unless_we_are_strict() -> None:
    assert Patch() == update({"audio": {}}).patch
    with pytest.raises(ValueError, match=r"session\.type"):
        update({"audio": {}}, strict=True)


@pytest.mark.parametrize("session", [{"audio": None}, {"audio": {"input": None}}, {"audio": {"input": {}}}])
def test_audio_without_settings_changes_nothing(session: dict[str, Any]) -> None:
    assert Patch() == update(session).patch


@pytest.mark.parametrize(
    ("sent", "format"),
    [
        ({"type": "audio/pcm", "rate": 16_000}, AudioFormat(Encoding.PCM16, 16_000)),
        ({"type": "audio/pcmu"}, ULAW_8K),
        ({"type": "audio/pcma"}, ALAW_8K),
        ("pcm16", Encoding.PCM16),
        ("g711_ulaw", ULAW_8K),
        ("g711_alaw", ALAW_8K),
        ("audio/pcmu", ULAW_8K),
    ],
)
def test_a_format_is_an_object_or_a_name(sent: object, format: AudioFormat | Encoding) -> None:
    assert Patch(format=format) == update({"audio": {"input": {"format": sent}}}).patch


def test_a_format_of_null_is_no_format() -> None:
    assert Patch() == update({"audio": {"input": {"format": None}}}).patch


def test_a_name_that_is_no_format_is_refused() -> None:
    with pytest.raises(ValueError, match="union_tag_invalid"):
        update({"audio": {"input": {"format": "mp3"}}})


def test_a_client_secret_comes_with_its_lifetime_and_its_session() -> None:
    session = {
        "type": "transcription",
        "audio": {"input": {"transcription": {"model": "whisper-1", "language": "de-DE"}}},
        "include": ["item.input_audio_transcription.logprobs"],
    }
    body = {
        "expires_after": {"anchor": "created_at", "seconds": 60},
        "session": session | {"foo": 1, "id": "x"},
    }

    minted = ga.read_client_secret(json.dumps(body).encode())

    session["audio"] = {"input": {"transcription": {"model": "whisper-1", "language": "de"}}}
    patch = Patch(transcription=TranscriptionPatch("whisper-1", "de"), include=("logprobs",))
    assert Mint(Shape.GA, patch, session, 60) == minted


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"session":null,"expires_after":null}', b'{"expires_after":{}}']
)
def test_who_asks_for_nothing_gets_the_defaults_for_ten_minutes(body: bytes) -> None:
    assert Mint(Shape.GA, Patch(), {"type": "transcription"}, 600) == ga.read_client_secret(body)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b'{"expires_after":600}', "invalid_type", "expires_after"),
        (b'{"expires_after":{"seconds":9}}', "integer_below_min_value", "expires_after.seconds"),
        (b'{"expires_after":{"seconds":7201}}', "integer_above_max_value", "expires_after.seconds"),
        (b'{"expires_after":{"anchor":"now"}}', "invalid_value", "expires_after.anchor"),
        (b'{"session":{"type":"realtime"}}', "invalid_parameter", None),
        (
            b'{"session":{"audio":{"input":{"turn_detection":1}}}}',
            "invalid_type",
            "session.audio.input.turn_detection",
        ),
        (b"[]", "invalid_type", None),
        (b"{", None, None),
    ],
)
def test_a_bad_request_for_a_secret_is_told_what_is_wrong(
    body: bytes, code: str | None, param: str | None
) -> None:
    refused = ga.read_client_secret(body)

    assert isinstance(refused, Problem)
    assert (code, param) == (refused.code, refused.param)


def test_unknown_parameters_of_a_secret_are_refused_when_strict() -> None:
    refused = ga.read_client_secret(b'{"foo":1}', strict=True)

    assert Problem("unknown_parameter", "Unknown parameter: 'foo'.", "foo") == refused


def test_a_revocation_names_a_secret() -> None:
    assert ga.read_revocation(b'{"value":"ek_1","foo":1}') == "ek_1"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "missing_required_parameter", "value"),
        (b'{"value":7}', "invalid_type", "value"),
        (b'{"value":"ek_1","foo":1}', "unknown_parameter", "foo"),
        (b"[", None, None),
    ],
)
def test_a_bad_revocation_is_told_what_is_wrong(body: bytes, code: str | None, param: str | None) -> None:
    refused = ga.read_revocation(body, strict=True)

    assert isinstance(refused, Problem)
    assert (code, param) == (refused.code, refused.param)


def shown(config: SessionConfig) -> str:
    return ga.session_object(config, session_id="sess_1", expires_at=0).model_dump_json()


def test_the_session_reads_as_openai_s_does() -> None:
    assert shown(SessionConfig(None)) == (
        '{"type":"transcription","object":"realtime.transcription_session","id":"sess_1","expires_at":0,'
        '"audio":{"input":{"format":{"type":"audio/pcm","rate":24000},"transcription":null,"noise_reduction":null,'
        '"turn_detection":{"type":"server_vad","threshold":0.5,"prefix_padding_ms":300,"silence_duration_ms":200}}},'
        '"include":null}'
    )


@pytest.mark.parametrize(
    "config",
    [
        SessionConfig(Transcription("whisper-1"), chosen_detection=None, include=()),
        SessionConfig(Transcription("whisper-1", "de"), format=ULAW_8K, include=("logprobs",)),
        SessionConfig(Transcription("m"), format=ALAW_8K, noise_reduction=NoiseReduction("far_field", 0.5)),
        SessionConfig(Transcription("m"), chosen_detection=SemanticVad("low")),
    ],
)
def test_what_a_secret_shows_is_what_the_official_types_expect(config: SessionConfig) -> None:
    body = json.dumps({"value": "ek_1", "expires_at": 1, "session": json.loads(shown(config))})

    ClientSecretCreateResponse.model_validate_json(body, strict=True)


def test_another_rate_of_pcm_is_shown_as_it_was_chosen() -> None:
    config = SessionConfig(None, AudioFormat(Encoding.PCM16, 16_000))

    assert json.loads(shown(config))["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 16_000}


def test_a_model_whose_clients_commit_shows_no_turn_detection() -> None:
    config = SessionConfig(Transcription("gpt-realtime-whisper"))

    assert json.loads(shown(config))["audio"]["input"]["turn_detection"] is None


def test_settings_shown_are_settings_taken() -> None:
    settings = json.loads(shown(SessionConfig(Transcription("whisper-1"))))

    assert update(settings, strict=True).patch == Patch(
        format=PCM16_24K,
        transcription=TranscriptionPatch("whisper-1", language=None, prompt=None),
        noise_reduction=None,
        detection=ServerVadPatch(0.5, 300, 200),
        include=None,
    )
