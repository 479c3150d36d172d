import json
from typing import Any

import pytest
from openai.types.audio import (
    Transcription,
    TranscriptionDiarized,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionTextSegmentEvent,
    TranscriptionVerbose,
    Translation,
    TranslationVerbose,
)
from pydantic import BaseModel

from realtime_asr.audio.timeline import samples
from realtime_asr.dialects.openai_file_answers import (
    Transcript,
    broken,
    done,
    grown,
    too_large,
    written,
)
from realtime_asr.dialects.openai_files import FileRequest, read_form
from realtime_asr.session.events import TranscriptCompleted
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.hypothesis import Quality, Word
from realtime_asr.transcript.request import Task

LENGTH = 8.47
DURATION = {"type": "duration", "seconds": 9}


def asked(*fields: tuple[str, str], task: Task = "transcribe") -> FileRequest:
    request = read_form([("model", "whisper-1"), *fields], task, strict=True)
    assert isinstance(request, FileRequest)
    return request


def as_format(name: str, **more: str) -> FileRequest:
    return asked(("response_format", name), *more.items())


def word(text: str, start: float, end: float) -> Word:
    return Word(text, -0.25, samples(1000 * start), samples(1000 * end), (7, 8))


MORNING = (word(" Good", 0.5, 0.75), word(" morning.", 0.75, 1.25), word(" Hello!", 1.5, 2))
NIGHT = (word(" Gute", 4, 4.5), word(" Nacht.", 4.5, 5))


def turn(
    said: tuple[Word, ...], language: str | None = None, quality: Quality | None = None, **changes: Any
) -> TranscriptCompleted:
    """As the session tells it when asked for all there is."""
    text = "".join(word.text for word in said).strip()
    facts = {"logprobs": said, "words": said} | changes
    return TranscriptCompleted("item", text, samples(3000), language, quality=quality, **facts)


def transcript(*turns: TranscriptCompleted) -> Transcript:
    """Turns begin 4 s apart."""
    told = Transcript()
    for number, one in enumerate(turns):
        told.add(one, samples(4000 * number))
    return told


def body(request: FileRequest, *turns: TranscriptCompleted, length: float = LENGTH) -> Any:
    return json.loads(written(transcript(*turns), request, length))


def official(model: type[BaseModel], told: Any, ours: tuple[str, ...] = ()) -> None:
    """Exactly what the SDK's types say, and no more but for what is ours."""
    read = model.model_validate_json(json.dumps(told), strict=True)
    assert set(ours) == set(read.model_extra or {})


def events(request: FileRequest, *turns: TranscriptCompleted) -> list[Any]:
    told = Transcript()
    frames: list[str] = []
    for number, one in enumerate(turns):
        if added := told.add(one, samples(4000 * number)):
            frames += grown(added, request)
    frames.append(done(told, request, LENGTH))
    assert all(frame.startswith("data: {") and frame.endswith("}\n\n") for frame in frames)
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


# Whole texts


def test_text_is_told_with_how_much_was_heard() -> None:
    told = body(asked(("language", "en")), turn(MORNING), turn(NIGHT))

    official(Transcription, told)
    assert {"text": "Good morning. Hello! Gute Nacht.", "usage": DURATION} == told


def test_languages_that_were_found_out_are_told() -> None:
    told = body(asked(), turn(MORNING, "en"), turn(NIGHT, "de"), turn(MORNING, "en"))

    official(Transcription, told)
    assert [{"code": "en"}, {"code": "de"}] == told["languages"]


def test_log_probabilities_join_to_the_text() -> None:
    told = body(asked(("include[]", "logprobs")), turn(MORNING), turn(NIGHT))

    assert told["text"] == "".join(one["token"] for one in told["logprobs"])
    assert {"token": "Good", "logprob": -0.25, "bytes": list(b"Good")} == told["logprobs"][0]
    assert told["logprobs"][3]["token"] == " Gute"


def test_words_of_unknown_probability_have_none() -> None:
    told = body(asked(("include[]", "logprobs")), turn((Word(" Good"), word(" night", 1, 2)), words=None))

    assert [" night"] == [one["token"] for one in told["logprobs"]]


@pytest.mark.parametrize("format", ["json", "verbose_json", "diarized_json"])
def test_where_nobody_spoke_there_is_no_text(format: str) -> None:
    told = body(as_format(format), turn(()))

    assert ("", []) == (told["text"], told.get("segments", []))


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("Good morning.", "Hello", "Good morning. Hello"),
        ("你好。", "世界", "你好。世界"),
        ("สวัสดี", "ครับ", "สวัสดีครับ"),
        ("你好。", "Hello", "你好。 Hello"),
        ("안녕", "하세요", "안녕 하세요"),
        ("", "Hello", "Hello"),
        ("Hello", "", "Hello"),
    ],
)
def test_turns_are_joined_as_their_languages_are_written(first: str, second: str, together: str) -> None:
    turns = [TranscriptCompleted("item", text, samples(1000)) for text in (first, second)]

    assert body(asked(), *turns)["text"] == together


def test_plain_text_ends_its_line() -> None:
    assert "Good morning. Hello!\n" == written(transcript(turn(MORNING)), as_format("text"), LENGTH)


def test_srt_numbers_its_cues() -> None:
    expected = """\
1
00:00:00,500 --> 00:00:01,250
Good morning.

2
00:00:01,500 --> 00:00:02,000
Hello!

3
00:00:04,000 --> 00:00:05,000
Gute Nacht.

"""

    assert expected == written(transcript(turn(MORNING), turn(NIGHT)), as_format("srt"), LENGTH)


def test_vtt_says_so() -> None:
    expected = "WEBVTT\n\n00:00:04.000 --> 00:00:05.000\nGute Nacht.\n\n"

    assert expected == written(transcript(turn(NIGHT)), as_format("vtt"), LENGTH)


@pytest.mark.parametrize(("format", "text"), [("srt", ""), ("vtt", "WEBVTT\n\n")])
def test_where_nobody_spoke_there_is_nothing_to_read_along(format: str, text: str) -> None:
    assert text == written(transcript(), as_format(format), LENGTH)


def test_a_verbose_answer_has_segments() -> None:
    told = body(as_format("verbose_json"), turn(MORNING, "en", Quality(0.2, 0.01)), turn(NIGHT, "de"))

    official(TranscriptionVerbose, told, ours=("task",))
    segment = {
        "id": 0,
        "seek": 50,
        "start": 0.5,
        "end": 1.25,
        "text": " Good morning.",
        "tokens": [7, 8, 7, 8],
        "temperature": 0.2,
        "avg_logprob": -0.25,
        "compression_ratio": round(14 / 22, 4),
        "no_speech_prob": 0.01,
    }
    assert segment == told["segments"][0]
    assert [0, 1, 2] == [one["id"] for one in told["segments"]]
    assert told["text"] == "".join(one["text"] for one in told["segments"]).strip()
    assert ("transcribe", "english", 8.47) == (told["task"], told["language"], told["duration"])
    assert (DURATION, None) == (told["usage"], told.get("words"))


def test_a_verbose_answer_has_words_when_asked() -> None:
    told = body(as_format("verbose_json", **{"timestamp_granularities[]": "word"}), turn(MORNING))

    official(TranscriptionVerbose, told, ours=("task",))
    assert {"word": "Good", "start": 0.5, "end": 0.75} == told["words"][0]
    assert (3, None) == (len(told["words"]), told.get("segments"))


@pytest.mark.parametrize(
    ("named", "found", "language"), [("de", None, "german"), ("", "en", "english"), ("", None, "unknown")]
)
def test_the_language_is_the_one_named_or_else_the_one_found(
    named: str, found: str | None, language: str
) -> None:
    assert language == body(as_format("verbose_json", language=named), turn(MORNING, found))["language"]


def test_the_language_is_the_one_spoken_most() -> None:
    told = body(as_format("verbose_json"), turn(MORNING, "en"), turn(NIGHT, "de"), turn(NIGHT, "de"))

    assert told["language"] == "german"


def test_a_turn_whose_words_have_no_times_is_one_segment() -> None:
    told = body(as_format("verbose_json"), turn(MORNING), turn((Word(" Gute"), *NIGHT[1:]), words=NIGHT[1:]))

    last = told["segments"][-1]
    assert (4.0, 7.0, "Gute Nacht.") == (last["start"], last["end"], last["text"])
    assert ([], 0.0, 0.0) == (last["tokens"], last["avg_logprob"], last["no_speech_prob"])


def test_all_is_put_down_to_one_speaker_and_that_is_said() -> None:
    told = body(as_format("diarized_json"), turn(MORNING), turn(NIGHT))

    official(TranscriptionDiarized, told, ours=("diarized",))
    assert told["diarized"] is False
    assert ["A", "A", "A"] == [one["speaker"] for one in told["segments"]]
    expected = {
        "type": "transcript.text.segment",
        "id": "seg_0003",
        "start": 4.0,
        "end": 5.0,
        "text": "Gute Nacht.",
        "speaker": "A",
    }
    assert expected == told["segments"][2]


def test_a_translation_is_text_and_nothing_else() -> None:
    told = body(asked(task="translate"), turn(MORNING, "de"))

    official(Translation, told)
    assert {"text": "Good morning. Hello!"} == told


def test_a_verbose_translation_is_in_english() -> None:
    told = body(asked(("response_format", "verbose_json"), task="translate"), turn(MORNING, "de"))

    official(TranslationVerbose, told, ours=("task", "usage"))
    assert ("translate", "english", 2) == (told["task"], told["language"], len(told["segments"]))


# Streams


def test_a_stream_tells_each_turn_and_then_all_of_it() -> None:
    told = events(asked(("language", "en")), turn(MORNING), turn(()), turn(NIGHT))

    assert [
        {"type": "transcript.text.delta", "delta": "Good morning. Hello!"},
        {"type": "transcript.text.delta", "delta": " Gute Nacht."},
        {"type": "transcript.text.done", "text": "Good morning. Hello! Gute Nacht.", "usage": DURATION},
    ] == told


def test_a_stream_tells_log_probabilities_when_asked() -> None:
    first, second, last = events(asked(("include[]", "logprobs")), turn(MORNING), turn(NIGHT, "de"))

    official(TranscriptionTextDeltaEvent, first)
    assert first["logprobs"] + second["logprobs"] == last["logprobs"]
    assert ("Good", " Gute") == (first["logprobs"][0]["token"], second["logprobs"][0]["token"])
    assert [{"code": "de"}] == last["languages"]


def test_a_stream_tells_who_said_what() -> None:
    *told, last = events(as_format("diarized_json", language="en"), turn(MORNING), turn(NIGHT))

    for delta, segment in zip(told[::2], told[1::2], strict=True):
        official(TranscriptionTextDeltaEvent, delta)
        official(TranscriptionTextSegmentEvent, segment)
        assert delta["segment_id"] == segment["id"]
        assert delta["delta"].strip() == segment["text"]
    assert last["text"] == "".join(delta["delta"] for delta in told[::2])
    official(TranscriptionTextDoneEvent, {**last, "usage": None}, ours=("diarized",))
    assert last["diarized"] is False


@pytest.mark.parametrize("format", ["text", "srt", "vtt", "verbose_json"])
def test_a_stream_is_one_whatever_else_was_asked(format: str) -> None:
    assert events(asked(), turn(MORNING)) == events(as_format(format), turn(MORNING))


def test_silence_streams_nothing_but_the_end() -> None:
    [told] = events(asked(), turn(()))

    assert ("transcript.text.done", "") == (told["type"], told["text"])


def test_a_stream_that_breaks_says_why() -> None:
    told = broken(Problem(None, "Sorry.", kind="server_error"))

    error = {"type": "server_error", "code": None, "message": "Sorry.", "param": None}
    assert f"data: {json.dumps({'error': error}, separators=(',', ':'))}\n\n" == told


def test_a_file_too_large_costs_nothing() -> None:
    told = too_large(26_214_401, 26_214_400).model_dump()

    message = "413: Maximum content size limit (26214400) exceeded (26214401 bytes read)"
    error = {"type": "server_error", "code": None, "message": message, "param": None}
    assert {"error": error, "usage": {"type": "duration", "seconds": 0}} == told
