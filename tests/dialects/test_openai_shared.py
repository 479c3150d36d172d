import base64
from typing import Any

import pytest
from pydantic import ValidationError

from realtime_asr.audio.formats import ALAW_8K, ULAW_8K, AudioFormat, Encoding
from realtime_asr.dialects import openai_shared as shared
from realtime_asr.session.commands import (
    AppendAudio,
    ClearAudio,
    Command,
    CommitAudio,
    DeleteItem,
    EndSession,
    Refuse,
    RetrieveItem,
)
from realtime_asr.session.config import (
    UNSET,
    NoiseReductionPatch,
    Patch,
    SemanticVadPatch,
    ServerVadPatch,
    TranscriptionPatch,
)
from realtime_asr.session.problem import Problem


def patch_of(**settings: Any) -> Patch:
    return shared.validated(shared.InputSettings, settings, strict=False).as_patch(None, UNSET)


def transcription(**settings: Any) -> object:
    return patch_of(transcription=settings).transcription


def detection(**settings: Any) -> object:
    return patch_of(turn_detection=settings).detection


def test_what_was_not_mentioned_is_not_in_the_patch() -> None:
    assert Patch() == patch_of()


def test_null_means_off() -> None:
    off = Patch(transcription=None, noise_reduction=None, detection=None)

    assert off == patch_of(transcription=None, noise_reduction=None, turn_detection=None)


def test_an_empty_object_turns_on_and_changes_nothing_else() -> None:
    on = Patch(
        transcription=TranscriptionPatch(),
        noise_reduction=NoiseReductionPatch(),
        detection=ServerVadPatch(),
    )

    assert on == patch_of(transcription={}, noise_reduction={}, turn_detection={})


def test_every_setting_of_a_transcription_is_taken() -> None:
    expected = TranscriptionPatch("whisper-1", "en", ("en", "de"), "Intel", ("OpenVINO",), "low", "live")

    assert expected == transcription(
        model="whisper-1",
        language="en",
        languages=["en", "de"],
        prompt="Intel",
        keywords=["OpenVINO"],
        delay="low",
        deltas="live",
    )


def test_when_deltas_come_can_be_chosen_and_left_to_us_again() -> None:
    assert TranscriptionPatch(deltas="after_commit") == transcription(deltas="after_commit")
    assert TranscriptionPatch(deltas=None) == transcription(deltas=None)
    with pytest.raises(ValueError, match="literal_error"):
        transcription(deltas="never")


@pytest.mark.parametrize("model", ["", None])
def test_a_model_without_a_name_is_no_wish_to_change_it(model: str | None) -> None:
    assert TranscriptionPatch(language="en") == transcription(model=model, language="en")


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_language_and_an_empty_prompt_are_unset(empty: str | None) -> None:
    assert TranscriptionPatch(language=None, prompt=None) == transcription(language=empty, prompt=empty)


@pytest.mark.parametrize(
    ("sent", "code"), [("en-US", "en"), ("EN", "en"), ("pt_br", "pt"), ("yue", "yue"), ("cmn-Hans-CN", "cmn")]
)
def test_a_language_is_its_code_without_region_in_lower_case(sent: str, code: str) -> None:
    expected = TranscriptionPatch(language=code, languages=(code,))

    assert expected == transcription(language=sent, languages=[sent])


@pytest.mark.parametrize("sent", ["e", "engl", "e1", "-US", " en", "日本"])
def test_what_is_no_language_code_is_refused(sent: str) -> None:
    with pytest.raises(ValueError, match="language_code"):
        transcription(language=sent)


def test_noise_reduction_may_change_its_kind_or_its_strength_alone() -> None:
    assert (
        NoiseReductionPatch(kind="far_field")
        == patch_of(noise_reduction={"type": "far_field"}).noise_reduction
    )
    assert NoiseReductionPatch(strength=0.5) == patch_of(noise_reduction={"strength": 0.5}).noise_reduction


def test_every_setting_of_server_vad_is_taken() -> None:
    assert ServerVadPatch(0.7, 100, 400, 6_000) == detection(
        type="server_vad",
        threshold=0.7,
        prefix_padding_ms=100,
        silence_duration_ms=400,
        idle_timeout_ms=6_000,
    )


def test_a_whole_number_is_a_fine_threshold() -> None:
    assert ServerVadPatch(threshold=1.0) == detection(type="server_vad", threshold=1)


def test_the_idle_timeout_can_be_turned_off() -> None:
    assert ServerVadPatch(idle_timeout_ms=None) == detection(type="server_vad", idle_timeout_ms=None)


def test_semantic_vad_has_its_eagerness() -> None:
    assert SemanticVadPatch() == detection(type="semantic_vad")
    assert SemanticVadPatch("low") == detection(type="semantic_vad", eagerness="low")


def test_wishes_about_responses_are_taken_along_with_either_kind() -> None:
    wishes: dict[str, Any] = {"create_response": True, "interrupt_response": None}

    assert ServerVadPatch(**wishes) == detection(type="server_vad", **wishes)
    assert SemanticVadPatch(**wishes) == detection(type="semantic_vad", **wishes)


def test_turn_detection_without_a_type_is_server_vad() -> None:
    assert ServerVadPatch(threshold=0.3) == detection(threshold=0.3)


def test_turn_detection_without_a_type_is_semantic_where_it_is_about_eagerness() -> None:
    assert SemanticVadPatch("low") == detection(eagerness="low")


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("threshold", 0, 1),
        ("prefix_padding_ms", 0, 30_000),
        ("silence_duration_ms", 0, 60_000),
        ("idle_timeout_ms", 5_000, 30_000),
    ],
)
def test_turn_detection_stays_within_bounds(name: str, lowest: int, highest: int) -> None:
    for bound in (lowest, highest):
        sent: dict[str, Any] = {name: bound}
        assert ServerVadPatch(**sent) == detection(type="server_vad", **sent)
    for beyond in (lowest - 1, highest + 1):
        with pytest.raises(ValueError, match="equal"):
            detection(type="server_vad", **{name: beyond})


@pytest.mark.parametrize("strength", [-0.1, 1.1])
def test_the_strength_of_noise_reduction_stays_within_bounds(strength: float) -> None:
    with pytest.raises(ValueError, match="equal"):
        patch_of(noise_reduction={"strength": strength})


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_pcm_comes_at_these_rates(rate: int) -> None:
    sent = shared.validated(shared.Pcm, {"type": "audio/pcm", "rate": rate}, strict=True)

    assert AudioFormat(Encoding.PCM16, rate) == sent.audio_format()


@pytest.mark.parametrize(
    ("rate", "error"),
    [
        (23_999, "greater_than_equal"),
        (44_100, "unsupported_rate"),
        (48_001, "less_than_equal"),
        (-1, "greater_than_equal"),
    ],
)
def test_pcm_at_other_rates_is_refused(rate: int, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        shared.validated(shared.Pcm, {"type": "audio/pcm", "rate": rate}, strict=True)


def test_g711_has_one_rate_and_names_none() -> None:
    assert shared.validated(shared.Pcmu, {"type": "audio/pcmu"}, strict=True).audio_format() == ULAW_8K
    assert shared.validated(shared.Pcma, {"type": "audio/pcma"}, strict=True).audio_format() == ALAW_8K


LOGPROBS = "item.input_audio_transcription.logprobs"
WORD_TIMES = "item.input_audio_transcription.word_times"
TIMINGS = "item.input_audio_transcription.timings"


def extras(*, strict: bool = False, **sent: object) -> object:
    return shared.validated(shared.SessionSettings, sent, strict=strict).extras()


@pytest.mark.parametrize("strict", [False, True])
def test_what_to_include_can_be_left_out_nothing_or_some(*, strict: bool) -> None:
    assert UNSET == extras(strict=strict)
    assert extras(strict=strict, include=None) is None
    assert extras(strict=strict, include=[]) == ()
    assert extras(strict=strict, include=[LOGPROBS]) == ("logprobs",)


@pytest.mark.parametrize("strict", [False, True])
def test_what_to_include_keeps_its_order_and_is_there_once(*, strict: bool) -> None:
    asked = [WORD_TIMES, LOGPROBS, WORD_TIMES, TIMINGS]

    assert extras(strict=strict, include=asked) == ("word_times", "logprobs", "timings")


@pytest.mark.parametrize("unknown", ["reasoning", 5, None, {}, ["item.input_audio_transcription.logprobs"]])
def test_what_else_could_be_included_is_left_out(unknown: object) -> None:
    assert extras(include=[unknown, WORD_TIMES]) == ("word_times",)
    assert extras(include=[unknown]) == ()


def test_what_else_could_be_included_is_refused_when_strict() -> None:
    with pytest.raises(ValueError, match="literal_error"):
        extras(strict=True, include=["reasoning"])


def test_claims_hold_what_was_said_and_nothing_that_is_only_echoed() -> None:
    sent = {
        "id": "sess_1",
        "object": "x",
        "expires_at": 0,
        "modalities": [],
        "client_secret": {},
        "model": "m",
    }

    settings = shared.validated(shared.SessionSettings, sent | {"include": []}, strict=True)

    assert settings.claims() == {"include": []}


def command(model: type[shared.ClientFrame], **sent: object) -> Command:
    return shared.validated(model, {"event_id": "c-1", **sent}, strict=True).command()


def test_every_event_becomes_its_command() -> None:
    assert CommitAudio("c-1") == command(shared.CommitFrame, type="input_audio_buffer.commit")
    assert ClearAudio("c-1") == command(shared.ClearFrame, type="input_audio_buffer.clear")
    assert RetrieveItem("i", "c-1") == command(
        shared.RetrieveFrame, type="conversation.item.retrieve", item_id="i"
    )
    assert DeleteItem("i", "c-1") == command(shared.DeleteFrame, type="conversation.item.delete", item_id="i")
    assert EndSession("c-1") == command(shared.CloseFrame, type="session.close")


def append(audio: str) -> Command:
    return command(shared.AppendFrame, type="input_audio_buffer.append", audio=audio)


def test_audio_comes_in_base64() -> None:
    assert AppendAudio(b"\x00\x01\x02", "c-1") == append("AAEC")


def test_no_audio_is_no_error() -> None:
    assert AppendAudio(b"", "c-1") == append("")


@pytest.mark.parametrize(
    "audio", ["AAA", "AA=A", "AAAA=", "AA AA", "AA\nAA", "AA-_", "=AAA", "ÄÄÄÄ", "AA==AAAA", "AAAA===="]
)
def test_what_is_not_base64_is_refused(audio: str) -> None:
    message = (
        "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got an invalid value."
    )

    assert Refuse(Problem("invalid_value", message, "audio", "c-1")) == append(audio)


def test_fifteen_mebibytes_of_audio_fit_and_not_a_byte_more() -> None:
    most = bytes(shared.LONGEST_APPEND)

    assert AppendAudio(most, "c-1") == append(base64.b64encode(most).decode())
    with pytest.raises(ValueError, match="string_too_long"):
        append(base64.b64encode(most + b"\x00").decode())


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"transcription": {"languages": ["e"] * 50}}, "transcription.languages"),
        ({"transcription": {"languages": ["en"] * 5_000 + ["e"] * 5_000}}, "transcription.languages"),
        ({"transcription": {"keywords": [1] * 5_000}}, "transcription.keywords"),
    ],
)
def test_of_a_list_that_is_wrong_all_over_one_mistake_is_noticed(
    settings: dict[str, Any], param: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        shared.validated(shared.InputSettings, settings, strict=False)

    # And perhaps that nothing of the list is left.
    assert refused.value.error_count() <= 2
    assert param.split(".") == list(refused.value.errors()[0]["loc"][:2])


def test_a_body_that_is_no_json_is_named_as_such() -> None:
    for body in (b"x", b"\xff", b'{"seconds":NaN}', b'{"seconds":60,"seconds":60}', b"[" * 100_000):
        refused = shared.read_body(shared.Lifetime, body, strict=False)

        assert isinstance(refused, Problem)
        assert refused.code is None
        assert refused.message.startswith("We could not parse the JSON body of your request: ")
