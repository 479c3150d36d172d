"""Each frame as it stands in the reference, key by key."""

import pytest

from realtime_asr.audio.detection import SemanticVad, ServerVad
from realtime_asr.dialects.openai_frames import (
    AboutAudio,
    AboutText,
    AboutTheRest,
    detection_object,
    frame,
    included,
    noise_reduction_object,
    transcription_object,
)
from realtime_asr.session.config import NoiseReduction, Responses, Transcription
from realtime_asr.session.events import (
    AudioCleared,
    AudioCommitted,
    IdleTimedOut,
    ItemDeleted,
    ItemRetrieved,
    SessionClosed,
    SessionExpiring,
    SpeechStarted,
    SpeechStopped,
    Timing,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.hypothesis import Effort, Word


def told(event: AboutAudio | AboutText | AboutTheRest) -> str:
    return frame(event, "event_1").model_dump_json()


ON_THE_WIRE = [
    (
        SpeechStarted("item_1", 10_560),
        '{"type":"input_audio_buffer.speech_started","event_id":"event_1","audio_start_ms":660,"item_id":"item_1"}',
    ),
    (
        SpeechStopped("item_1", 46_080),
        '{"type":"input_audio_buffer.speech_stopped","event_id":"event_1","audio_end_ms":2880,"item_id":"item_1"}',
    ),
    (
        IdleTimedOut("item_1", 153_600, 249_856),
        '{"type":"input_audio_buffer.timeout_triggered","event_id":"event_1","audio_start_ms":9600,"audio_end_ms":15616,"item_id":"item_1"}',
    ),
    (
        AudioCommitted("item_1", None),
        '{"type":"input_audio_buffer.committed","event_id":"event_1","previous_item_id":null,"item_id":"item_1"}',
    ),
    (AudioCleared(), '{"type":"input_audio_buffer.cleared","event_id":"event_1"}'),
    (
        TranscriptGrew("item_1", " morning."),
        '{"type":"conversation.item.input_audio_transcription.delta","event_id":"event_1","item_id":"item_1","content_index":0,"delta":" morning."}',
    ),
    (
        TranscriptGrew("item_1", "Good", (Word(" Good", -0.0123),)),
        '{"type":"conversation.item.input_audio_transcription.delta","event_id":"event_1","item_id":"item_1","content_index":0,"delta":"Good","logprobs":[{"token":"Good","logprob":-0.0123,"bytes":[71,111,111,100]}]}',
    ),
    (
        TranscriptCompleted("item_1", "Good morning.", 35_520, language="en"),
        '{"type":"conversation.item.input_audio_transcription.completed","event_id":"event_1","item_id":"item_1","content_index":0,"transcript":"Good morning.","languages":[{"code":"en"}],"usage":{"type":"duration","seconds":3}}',
    ),
    (
        TranscriptCompleted("item_1", "", 0, logprobs=()),
        '{"type":"conversation.item.input_audio_transcription.completed","event_id":"event_1","item_id":"item_1","content_index":0,"transcript":"","logprobs":[],"usage":{"type":"duration","seconds":0}}',
    ),
    (
        TranscriptCompleted("item_1", "Good", 0, words=(Word(" Good", -0.0123, 5_601, 12_007),)),
        '{"type":"conversation.item.input_audio_transcription.completed","event_id":"event_1","item_id":"item_1","content_index":0,"transcript":"Good","usage":{"type":"duration","seconds":0},"words":[{"word":"Good","start":0.35,"end":0.75,"probability":0.9878}]}',
    ),
    (
        TranscriptCompleted("item_1", "", 0, words=()),
        '{"type":"conversation.item.input_audio_transcription.completed","event_id":"event_1","item_id":"item_1","content_index":0,"transcript":"","usage":{"type":"duration","seconds":0},"words":[]}',
    ),
    (
        TranscriptCompleted("item_1", "", 0, timing=Timing(7.0, 7.5, 8.0, Effort(0.0124, 0.75, 3))),
        '{"type":"conversation.item.input_audio_transcription.completed","event_id":"event_1","item_id":"item_1","content_index":0,"transcript":"","usage":{"type":"duration","seconds":0},"timings":{"from_speech_end_ms":1000,"from_commit_ms":500,"queue_ms":12,"decode_ms":750,"passes":3}}',
    ),
    (
        TranscriptCompleted("item_1", "", 0, timing=Timing(7.5, 7.5, 7.5)),
        '{"type":"conversation.item.input_audio_transcription.completed","event_id":"event_1","item_id":"item_1","content_index":0,"transcript":"","usage":{"type":"duration","seconds":0},"timings":{"from_speech_end_ms":0,"from_commit_ms":0}}',
    ),
    (
        TranscriptFailed("item_1", Problem(None, "It broke.", kind="server_error")),
        '{"type":"conversation.item.input_audio_transcription.failed","event_id":"event_1","item_id":"item_1","content_index":0,"error":{"type":"server_error","code":null,"message":"It broke.","param":null}}',
    ),
    (
        ItemRetrieved("item_1", "Good morning.", b"\x00\x00\x01\x00\x02\x00\x03\x00"),
        '{"type":"conversation.item.retrieved","event_id":"event_1","item":{"id":"item_1","object":"realtime.item","type":"message","status":"completed","role":"user","content":[{"type":"input_audio","transcript":"Good morning.","audio":"AAABAAIAAwA=","format":"pcm16"}]}}',
    ),
    (
        ItemRetrieved("item_1", None, None),
        '{"type":"conversation.item.retrieved","event_id":"event_1","item":{"id":"item_1","object":"realtime.item","type":"message","status":"completed","role":"user","content":[{"type":"input_audio","transcript":null}]}}',
    ),
    (
        ItemDeleted("item_1"),
        '{"type":"conversation.item.deleted","event_id":"event_1","item_id":"item_1"}',
    ),
    (SessionExpiring(60.0), '{"type":"session.expiring","event_id":"event_1","seconds_left":60.0}'),
    (SessionClosed(), '{"type":"session.closed","event_id":"event_1"}'),
]


@pytest.mark.parametrize(("event", "written"), ON_THE_WIRE)
def test_each_event_reads_on_the_wire_as_the_reference_has_it(
    event: AboutAudio | AboutText | AboutTheRest, written: str
) -> None:
    assert written == told(event)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("Good morning", ["Good", " morning"]), (" Good morning", [" Good", " morning"])],
)
def test_tokens_joined_read_as_the_text(text: str, tokens: list[str]) -> None:
    written = frame(
        TranscriptGrew("i", text, (Word(" Good", -0.1), Word(" morning", -0.2))), "e"
    ).model_dump()

    assert tokens == [entry["token"] for entry in written["logprobs"]]
    assert text == "".join(tokens)


def test_a_word_of_unknown_probability_has_no_entry() -> None:
    words = (Word(" Good"), Word(" morning", -0.2))

    written = frame(TranscriptCompleted("i", "Good morning", 1, logprobs=words), "e").model_dump()

    assert [{"token": " morning", "logprob": -0.2, "bytes": list(b" morning")}] == written["logprobs"]


def timed(*words: Word) -> object:
    return frame(TranscriptCompleted("i", "", 0, words=words), "e").model_dump()["words"]


def test_the_times_of_a_word_are_seconds_to_the_millisecond() -> None:
    hour = 3_600 * 16_000

    assert [{"word": "on", "start": 3600.0, "end": 3600.123}] == timed(Word(" on", None, hour, hour + 1_970))


def test_a_word_loses_its_leading_space_and_nothing_else() -> None:
    assert timed(Word(" don't,", start=0, end=0), Word("。", start=0, end=0)) == [
        {"word": "don't,", "start": 0.0, "end": 0.0},
        {"word": "。", "start": 0.0, "end": 0.0},
    ]


@pytest.mark.parametrize(("logprob", "probability"), [(0.0, 1.0), (-0.6931, 0.5), (-20.0, 0.0)])
def test_a_probability_has_four_decimals(logprob: float, probability: float) -> None:
    word = {"word": "a", "start": 0.0, "end": 0.0, "probability": probability}

    assert [word] == timed(Word("a", logprob, 0, 0))


def test_a_word_of_unknown_times_has_no_entry() -> None:
    assert [{"word": "b", "start": 0.0, "end": 1.0}] == timed(Word("a"), Word(" b", start=0, end=16_000))


@pytest.mark.parametrize(("length", "seconds"), [(1, 1), (16_000, 1), (16_001, 2)])
def test_seconds_begun_are_seconds_used(length: int, seconds: int) -> None:
    written = frame(TranscriptCompleted("i", "", length), "e").model_dump()

    assert {"type": "duration", "seconds": seconds} == written["usage"]


def test_a_transcription_shows_its_three_old_settings_always_and_the_new_ones_when_set() -> None:
    plain = transcription_object(Transcription("m"), unset=None)
    rich = transcription_object(
        Transcription("m", "en", ("en", "de"), "p", ("k",), "low", "after_commit"), unset=None
    )

    assert plain
    assert rich
    assert plain.model_dump_json() == '{"model":"m","language":null,"prompt":null}'
    assert (
        rich.model_dump_json()
        == '{"model":"m","language":"en","prompt":"p","languages":["en","de"],"keywords":["k"],"delay":"low","deltas":"after_commit"}'
    )


def test_no_transcription_is_null() -> None:
    assert transcription_object(None, unset="") is None


def test_noise_reduction_shows_its_strength_when_set() -> None:
    plain = noise_reduction_object(NoiseReduction("near_field"))
    strong = noise_reduction_object(NoiseReduction("far_field", 0.5))

    assert plain
    assert strong
    assert plain.model_dump() == {"type": "near_field"}
    assert strong.model_dump() == {"type": "far_field", "strength": 0.5}
    assert noise_reduction_object(None) is None


def test_turn_detection_shows_an_idle_timeout_when_set() -> None:
    plain = detection_object(ServerVad(), Responses())
    idle = detection_object(ServerVad(idle_timeout_ms=6_000), Responses())
    semantic = detection_object(SemanticVad("low"), Responses())

    assert plain
    assert idle
    assert semantic
    assert (
        plain.model_dump_json()
        == '{"type":"server_vad","threshold":0.5,"prefix_padding_ms":300,"silence_duration_ms":200}'
    )
    assert plain.model_dump() | {"idle_timeout_ms": 6_000} == idle.model_dump()
    assert semantic.model_dump() == {"type": "semantic_vad", "eagerness": "low"}
    assert detection_object(None, Responses(create=True)) is None


def test_what_is_included_is_null_until_chosen() -> None:
    assert included(None) is None
    assert included(()) == ()
    assert included(("logprobs",)) == ("item.input_audio_transcription.logprobs",)


def test_what_is_included_keeps_its_order() -> None:
    assert included(("word_times", "logprobs", "timings")) == (
        "item.input_audio_transcription.word_times",
        "item.input_audio_transcription.logprobs",
        "item.input_audio_transcription.timings",
    )
