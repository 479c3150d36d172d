import json
from typing import Any

import pytest
from openai.types.beta.realtime import TranscriptionSession

from realtime_asr.audio.formats import ALAW_8K, PCM16_24K, ULAW_8K, AudioFormat, Encoding
from realtime_asr.dialects import openai_beta as beta
from realtime_asr.dialects.negotiate import Shape
from realtime_asr.dialects.openai_shared import ClientFrame, Mint, validated
from realtime_asr.session.commands import Command, Configure
from realtime_asr.session.config import (
    NoiseReductionPatch,
    Patch,
    ServerVadPatch,
    SessionConfig,
    Transcription,
    TranscriptionPatch,
)
from realtime_asr.session.problem import Problem

PCM16_16K = AudioFormat(Encoding.PCM16, 16_000)


def update(session: dict[str, Any], *, strict: bool = False) -> Command:
    return sent(beta.TranscriptionSessionUpdateFrame, "transcription_session.update", session, strict=strict)


def flat_update(session: dict[str, Any]) -> Command:
    return sent(beta.FlatSessionUpdateFrame, "session.update", session, strict=False)


def sent(model: type[ClientFrame], name: str, session: dict[str, Any], *, strict: bool) -> Command:
    return validated(model, {"type": name, "event_id": "c-1", "session": session}, strict=strict).command()


def test_every_setting_goes_by_its_flat_name() -> None:
    patch = Patch(
        format=ULAW_8K,
        transcription=TranscriptionPatch("whisper-1"),
        noise_reduction=NoiseReductionPatch("far_field"),
        detection=None,
        include=(),
    )

    assert Configure(patch, beta.UPDATE, "c-1") == update(
        {
            "input_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1"},
            "input_audio_noise_reduction": {"type": "far_field"},
            "turn_detection": None,
            "include": [],
        },
        strict=True,
    )


@pytest.mark.parametrize(
    ("name", "format"), [("pcm16", Encoding.PCM16), ("g711_ulaw", ULAW_8K), ("g711_alaw", ALAW_8K)]
)
def test_a_format_is_a_name(name: str, format: AudioFormat | Encoding) -> None:
    assert Configure(Patch(format=format), beta.UPDATE, "c-1") == update({"input_audio_format": name})


@pytest.mark.parametrize("format", [{"input_audio_format": "pcm16"}, {}])
def test_pcm_may_have_another_rate(format: dict[str, str]) -> None:
    asked = update({**format, "input_audio_sample_rate": 16_000}, strict=True)

    assert Configure(Patch(format=PCM16_16K), beta.UPDATE, "c-1") == asked


def test_a_rate_is_no_wish_where_the_format_has_its_own() -> None:
    asked = update({"input_audio_format": "g711_ulaw", "input_audio_sample_rate": 8_000})

    assert Configure(Patch(format=ULAW_8K), beta.UPDATE, "c-1") == asked


@pytest.mark.parametrize(("rate", "kind"), [(4_000, "greater_than_equal"), (44_100, "unsupported_rate")])
def test_a_rate_that_we_do_not_take_is_refused(rate: int, kind: str) -> None:
    with pytest.raises(ValueError, match=kind):
        update({"input_audio_sample_rate": rate})


def test_no_format_is_no_error_unless_we_are_strict() -> None:
    assert Configure(Patch(), beta.UPDATE, "c-1") == update({"input_audio_format": "none"})
    with pytest.raises(ValueError, match="literal_error"):
        update({"input_audio_format": "none"}, strict=True)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="literal_error"):
        update({"input_audio_format": "mp3"})


def test_what_a_session_shows_besides_its_settings_may_come_back() -> None:
    shown = {"id": "sess_1", "object": "x", "expires_at": 0, "modalities": ["text"], "client_secret": None}

    assert Configure(Patch(), beta.UPDATE, "c-1") == update(shown, strict=True)


def test_settings_misplaced_by_an_old_client_are_nothing() -> None:
    misplaced = {"model": "whisper-1", "language": "", "prompt": "", "noise_reduction_type": "near_field"}

    patch = Patch(transcription=TranscriptionPatch("whisper-1", language=None, prompt=None))
    assert Configure(patch, beta.UPDATE, "c-1") == update({"input_audio_transcription": misplaced})


def test_flat_settings_may_come_by_the_new_name() -> None:
    assert Configure(Patch(detection=None), beta.FLAT_UPDATE, "c-1") == flat_update({"turn_detection": None})


def test_a_rate_alone_is_a_flat_setting() -> None:
    patch = Patch(format=PCM16_16K)

    assert Configure(patch, beta.FLAT_UPDATE, "c-1") == flat_update({"input_audio_sample_rate": 16_000})


@pytest.mark.parametrize("type", [None, "far_field"])
def test_no_kind_of_noise_reduction_is_none_at_all(type: str | None) -> None:
    patch = Patch(noise_reduction=NoiseReductionPatch("far_field") if type else None)

    assert Configure(patch, beta.UPDATE, "c-1") == update(
        {"input_audio_noise_reduction": {"type": type}}, strict=True
    )


@pytest.mark.parametrize("session", [{}, {"foo": 1}, {"include": None}])
def test_an_update_of_no_dialect_is_known_as_such(session: dict[str, Any]) -> None:
    configure = flat_update(session)

    assert isinstance(configure, Configure)
    assert configure.via == beta.BARE_UPDATE


def test_a_session_to_be_minted_comes_flat() -> None:
    session = {
        "input_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1", "language": "en"},
        "input_audio_noise_reduction": {"type": "near_field"},
        "turn_detection": {"type": "server_vad", "threshold": 0.5},
        "include": [],
    }
    asked = session | {
        "client_secret": {"expires_at": {"anchor": "created_at", "seconds": 60}},
        "modalities": [],
    }

    minted = beta.read_transcription_session(json.dumps(asked).encode())

    patch = Patch(
        format=Encoding.PCM16,
        transcription=TranscriptionPatch("whisper-1", "en"),
        noise_reduction=NoiseReductionPatch("near_field"),
        detection=ServerVadPatch(0.5),
        include=(),
    )
    assert Mint(Shape.BETA, patch, session, 60) == minted


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b"", 600),
        (b"{}", 600),
        (b'{"client_secret":null}', 600),
        (b'{"client_secret":{}}', 600),
        (b'{"client_secret":{"expires_at":{"seconds":60}}}', 60),
        (b'{"client_secret":{"expires_after":{"seconds":70}}}', 70),
    ],
)
def test_a_secret_lives_as_long_as_asked_for(body: bytes, seconds: int) -> None:
    assert Mint(Shape.BETA, Patch(), {}, seconds) == beta.read_transcription_session(body)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b'{"turn_detection":{"threshold":4}}', "decimal_above_max_value", "turn_detection.threshold"),
        (
            b'{"client_secret":{"expires_at":{"seconds":9}}}',
            "integer_below_min_value",
            "client_secret.expires_at.seconds",
        ),
        (b"{", None, None),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(body: bytes, code: str | None, param: str | None) -> None:
    refused = beta.read_transcription_session(body)

    assert isinstance(refused, Problem)
    assert (code, param) == (refused.code, refused.param)


def test_unknown_parameters_are_refused_when_strict() -> None:
    refused = beta.read_transcription_session(b'{"foo":1}', strict=True)

    assert Problem("unknown_parameter", "Unknown parameter: 'foo'.", "foo") == refused


def shown(config: SessionConfig) -> str:
    return beta.session_object(config, session_id="sess_1", expires_at=1_800_003_600).model_dump_json()


def test_the_session_reads_as_openai_s_did() -> None:
    assert shown(SessionConfig(None)) == (
        '{"id":"sess_1","object":"realtime.transcription_session","expires_at":1800003600,'
        '"input_audio_noise_reduction":null,'
        '"turn_detection":{"type":"server_vad","threshold":0.5,"prefix_padding_ms":300,"silence_duration_ms":200},'
        '"input_audio_format":"pcm16","input_audio_transcription":null,"client_secret":null,"include":null}'
    )


def test_another_rate_than_openai_s_is_shown_too() -> None:
    session = json.loads(shown(SessionConfig(None, PCM16_16K)))

    assert ("pcm16", 16_000) == (session["input_audio_format"], session["input_audio_sample_rate"])


def test_a_transcription_without_language_and_prompt_shows_them_empty() -> None:
    session = json.loads(shown(SessionConfig(Transcription("whisper-1"))))

    assert session["input_audio_transcription"] == {"model": "whisper-1", "language": "", "prompt": ""}


@pytest.mark.parametrize(
    ("format", "name"),
    [
        (PCM16_24K, "pcm16"),
        (PCM16_16K, "pcm16"),
        (ULAW_8K, "g711_ulaw"),
        (ALAW_8K, "g711_alaw"),
    ],
)
def test_a_format_is_shown_by_its_name(format: AudioFormat, name: str) -> None:
    assert name == json.loads(shown(SessionConfig(None, format)))["input_audio_format"]


def test_what_is_shown_with_a_secret_is_what_the_official_types_expect() -> None:
    session = json.loads(shown(SessionConfig(Transcription("whisper-1"))))
    session["client_secret"] = {"value": "ek_1", "expires_at": 1_800_000_600}

    TranscriptionSession.model_validate_json(json.dumps(session), strict=True)
