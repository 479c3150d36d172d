import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.detection import ServerVad
from realtime_asr.audio.formats import AudioFormat, Encoding
from realtime_asr.dialects.json_text import LARGEST
from realtime_asr.dialects.openai_files import (
    MOST_IN_FIELDS,
    Enclosed,
    FileRequest,
    field_text,
    read_enclosed,
    read_form,
    read_urlencoded,
    twice,
)
from realtime_asr.session.config import UNSET, Patch, ServerVadPatch, TranscriptionPatch, accept
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.request import Task
from tests.fakes import configured, limited

AUDIO = b"RIFF, say"
BASE64 = base64.b64encode(AUDIO).decode()
MP3_RATE = AudioFormat(Encoding.PCM16, 44_100)


def form(*fields: tuple[str, str], task: Task = "transcribe", strict: bool = False) -> FileRequest:
    asked = read_form([("model", "whisper-1"), *fields], task, strict=strict)
    assert isinstance(asked, FileRequest), asked
    return asked


def refused(*fields: tuple[str, str], task: Task = "transcribe", strict: bool = False) -> Problem:
    answer = read_form([("model", "whisper-1"), *fields], task, strict=strict)
    assert isinstance(answer, Problem)
    return answer


def enclosed(body: Any, task: Task = "transcribe", *, strict: bool = False) -> Enclosed | Problem:
    sent = body if isinstance(body, bytes) else json.dumps({"model": "whisper-1", **body}).encode()
    return read_enclosed(sent, task, strict=strict)


def asked_for(asked: FileRequest) -> TranscriptionPatch:
    assert isinstance(asked.patch.transcription, TranscriptionPatch)
    return asked.patch.transcription


# Forms


def test_a_model_is_enough() -> None:
    expected = FileRequest(
        task="transcribe",
        patch=Patch(transcription=TranscriptionPatch("whisper-1", languages=(), prompt=None, keywords=())),
        language=None,
        temperature=0.0,
        format="json",
        granularities=frozenset({"segment"}),
        logprobs=False,
        stream=False,
    )

    assert expected == form()


def test_every_field_is_understood() -> None:
    asked = form(
        ("language", "de"),
        ("languages[]", "de"),
        ("languages[]", "en"),
        ("keywords[]", "Anna, Bob"),
        ("prompt", "Names."),
        ("response_format", "verbose_json"),
        ("temperature", "0.4"),
        ("include[]", "logprobs"),
        ("timestamp_granularities[]", "word"),
        ("stream", "true"),
        ("chunking_strategy[type]", "server_vad"),
        ("chunking_strategy[threshold]", "0.3"),
        ("known_speaker_names[]", "Anna"),
        ("known_speaker_references[]", "data:audio/wav;base64,AAAA"),
        strict=True,
    )

    expected = FileRequest(
        task="transcribe",
        patch=Patch(
            transcription=TranscriptionPatch("whisper-1", "de", ("de", "en"), "Names.", ("Anna, Bob",)),
            detection=ServerVadPatch(threshold=0.3),
            include=("logprobs", "word_times"),
        ),
        language="de",
        temperature=0.4,
        format="verbose_json",
        granularities=frozenset({"word"}),
        logprobs=True,
        stream=True,
    )
    assert expected == asked


@pytest.mark.parametrize(
    "fields",
    [
        [("languages[]", "de"), ("languages[]", "en")],
        [("languages[0]", "de"), ("languages[1]", "en")],
        [("languages", "de"), ("languages", "en")],
        [("languages", "de, en")],
        [("languages", '["de", "en"]')],
        [("languages[]", '["de", "en"]')],
        [("languages", "de"), ("languages[]", "en"), ("languages[]", "")],
    ],
)
def test_arrays_come_in_many_ways(fields: list[tuple[str, str]]) -> None:
    assert asked_for(form(*fields)).languages == ("de", "en")


def test_a_bracket_that_opens_no_array_is_a_word_like_others() -> None:
    assert asked_for(form(("keywords[]", "[sic]"))).keywords == ("[sic]",)


def test_a_sample_of_a_speaker_is_not_cut_at_its_comma() -> None:
    names = [("known_speaker_references", "data:audio/wav;base64,AAAA")] * 4

    assert form(*names)


@pytest.mark.parametrize(
    "fields",
    [
        [("chunking_strategy[type]", "server_vad"), ("chunking_strategy[silence_duration_ms]", "700")],
        [("chunking_strategy[silence_duration_ms]", "700")],
        [("chunking_strategy", '{"type": "server_vad", "silence_duration_ms": 700}')],
    ],
)
def test_a_chunking_strategy_comes_in_many_ways(fields: list[tuple[str, str]]) -> None:
    assert form(*fields).patch.detection == ServerVadPatch(silence_duration_ms=700)


@pytest.mark.parametrize("sent", ["auto", "null", ""])
def test_who_has_no_wish_for_chunks_gets_those_of_the_server(sent: str) -> None:
    assert form(("chunking_strategy", sent)).patch.detection is UNSET


@pytest.mark.parametrize(("sent", "stream"), [("1", True), ("True", True), ("0", False), ("false", False)])
def test_a_yes_or_no_comes_in_many_ways(sent: str, *, stream: bool) -> None:
    assert stream == form(("stream", sent)).stream


def test_fields_that_nobody_filled_in_are_as_good_as_none() -> None:
    empty = [(name, "") for name in ("language", "prompt", "temperature", "stream", "include[]")]

    assert form() == form(*empty)


def test_no_granularity_at_all_means_the_usual_one() -> None:
    assert form(("timestamp_granularities", "[]")).granularities == {"segment"}


@pytest.mark.parametrize("format", ["srt", "vtt", "verbose_json", "diarized_json"])
def test_times_are_asked_of_the_model_where_they_will_be_told(format: str) -> None:
    assert form(("response_format", format)).patch.include == ("logprobs", "word_times")


@pytest.mark.parametrize("format", ["json", "text"])
def test_the_model_is_spared_what_nobody_will_see(format: str) -> None:
    assert form(("response_format", format)).patch.include is UNSET


def test_log_probabilities_are_asked_of_the_model_when_included() -> None:
    assert form(("include", "logprobs")).patch.include == ("logprobs",)


def test_what_is_unknown_is_ignored() -> None:
    unknown = [("foo", "1"), ("foo[bar]", ""), ("include[]", "usage"), ("chunking_strategy[foo]", "1")]

    assert form(("chunking_strategy[type]", "server_vad")).patch.include == form(*unknown).patch.include


@pytest.mark.parametrize(
    ("field", "code", "param"),
    [
        (("foo", "1"), "unknown_parameter", "foo"),
        (("foo[bar]", "1"), "unknown_parameter", "foo"),
        (("include[]", "usage"), "invalid_value", "include[0]"),
        (("chunking_strategy[silence_duration_ms]", "1"), "missing_required_parameter", "chunking_strategy.type"),
        (("chunking_strategy", '{"type": "server_vad", "foo": 1}'), "unknown_parameter", "chunking_strategy.foo"),
    ],
)  # fmt: skip
def test_what_is_unknown_is_refused_when_strict(field: tuple[str, str], code: str, param: str) -> None:
    answer = refused(field, strict=True)

    assert (code, param) == (answer.code, answer.param)


@pytest.mark.parametrize(
    ("field", "code", "param"),
    [
        (("response_format", "xml"), "invalid_value", "response_format"),
        (("timestamp_granularities[]", "letter"), "invalid_value", "timestamp_granularities[0]"),
        (("temperature", "hot"), "invalid_type", "temperature"),
        (("temperature", "NaN"), "invalid_type", "temperature"),
        (("temperature", "1.5"), "decimal_above_max_value", "temperature"),
        (("temperature", "-1"), "decimal_below_min_value", "temperature"),
        (("stream", "maybe"), "invalid_type", "stream"),
        (("language", "klingon"), "invalid_value", "language"),
        (("languages", "[]"), "empty_array", "languages"),
        (("languages", "[1]"), "invalid_type", "languages[0]"),
        (("keywords[]", "w" * 513), "string_above_max_length", "keywords[0]"),
        (("prompt", "w" * 32_769), "string_above_max_length", "prompt"),
        (("chunking_strategy", "server_vad"), "invalid_type", "chunking_strategy"),
        (("chunking_strategy[type]", "semantic_vad"), "invalid_value", "chunking_strategy.type"),
        (("chunking_strategy[silence_duration_ms]", "0.5"), "invalid_type", "chunking_strategy.silence_duration_ms"),
        (("chunking_strategy[threshold]", "1e999"), "decimal_above_max_value", "chunking_strategy.threshold"),
        (("known_speaker_names", "a,b,c,d,e"), "array_above_max_length", "known_speaker_names"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(field: tuple[str, str], code: str, param: str) -> None:
    answer = refused(field)

    assert (code, param) == (answer.code, answer.param)


@pytest.mark.parametrize("fields", [[], [("model", "")]])
def test_without_a_model_it_is_the_default_one_unless_we_are_strict(fields: list[tuple[str, str]]) -> None:
    asked = read_form(fields, "transcribe", strict=False)
    answer = read_form(fields, "transcribe", strict=True)

    assert isinstance(asked, FileRequest)
    assert UNSET == asked_for(asked).model
    assert Problem("missing_required_parameter", "Missing required parameter: 'model'.", "model") == answer


@pytest.mark.parametrize(
    "fields",
    [
        [("model", "whisper-2")],
        [("prompt", "a"), ("prompt", "b")],
        [("chunking_strategy", "auto"), ("chunking_strategy[type]", "server_vad")],
        [("chunking_strategy[type]", "server_vad"), ("chunking_strategy[type]", "server_vad")],
    ],
)
def test_one_field_has_one_value(fields: list[tuple[str, str]]) -> None:
    assert twice(fields[-1][0].partition("[")[0]) == refused(*fields)


@pytest.mark.parametrize(
    "fields",
    [
        [("prompt", "x" * (LARGEST + 1))],
        [("languages", "e," * LARGEST)],
        [("languages", "[" + '"e",' * LARGEST + '"e"]')],
        [("languages[]", "e" * (LARGEST // 2)), ("languages[]", "e" * (LARGEST // 2 + 1))],
        [("temperature", "[" + "[]," * LARGEST + "0]")],
        [("nobody[knows]", "x" * (LARGEST + 1))],
    ],
)
def test_what_a_field_says_may_not_be_long(fields: list[tuple[str, str]]) -> None:
    name = fields[0][0].partition("[")[0]
    length = sum(len(text) for _, text in fields)
    message = (
        f"Invalid '{name}': string too long. Expected a string with maximum length 262144, but got a string "
        f"with length {length} instead."
    )

    assert Problem("string_above_max_length", message, name) == refused(*fields)


@pytest.mark.parametrize("text", ["e," * 1_001, "[" + '"e",' * 1_000 + '"e"]', "[" + "[]," * 20_000 + "0]"])
def test_a_list_may_not_be_long_and_nobody_looks_at_what_is_in_it(text: str) -> None:
    message = "Invalid 'languages': array too long. Expected an array with maximum length 1000."

    assert Problem("array_above_max_length", message, "languages") == refused(("languages", text))


def test_a_sample_of_a_speaker_may_be_long() -> None:
    sample = "data:audio/wav;base64," + "AAAA" * LARGEST

    assert form() == form(("known_speaker_references[]", sample), ("known_speaker_names[]", "Anna"))


@pytest.mark.parametrize("name", ["stream", "language", "include[]", "timestamp_granularities[]"])
def test_a_translation_has_no_use_for_some_fields(name: str) -> None:
    assert form(task="translate") == form((name, "x"), task="translate")


def test_a_translation_is_into_english() -> None:
    asked = form(("prompt", "Names."), ("response_format", "srt"), ("temperature", "1"), task="translate")

    expected = FileRequest(
        task="translate",
        patch=Patch(
            transcription=TranscriptionPatch("whisper-1", prompt="Names."), include=("logprobs", "word_times")
        ),
        language="en",
        temperature=1.0,
        format="srt",
        granularities=frozenset({"segment"}),
        logprobs=False,
        stream=False,
    )
    assert expected == asked


def test_nobody_is_told_apart_in_a_translation() -> None:
    assert refused(("response_format", "diarized_json"), task="translate").param == "response_format"


NAMES = (
    "model include[] languages keywords[0] temperature stream chunking_strategy chunking_strategy[threshold] "
    "chunking_strategy[silence_duration_ms] response_format timestamp_granularities language prompt"
)
VALUES = '[] {} [[ {"type":1} {"type":"server_vad"} null true 1e999 -0 9999999999999999999999 NaN'


@given(
    fields=st.lists(
        st.tuples(
            st.one_of(st.text(), st.sampled_from(NAMES.split())),
            st.one_of(st.text(), st.sampled_from(VALUES.split())),
        )
    ),
    task=st.sampled_from(["transcribe", "translate"]),
    strict=st.booleans(),
)
def test_any_form_is_a_request_or_a_problem(
    fields: list[tuple[str, str]], task: Task, *, strict: bool
) -> None:
    asked = read_form([("model", "whisper-1"), *fields], task, strict=strict)

    assert isinstance(asked, FileRequest | Problem)


# JSON


@pytest.mark.parametrize(
    "recording",
    [
        {"file": BASE64},
        {"file": f"data:audio/wav;base64,{BASE64}"},
        {"file": f"data:;base64,{BASE64}\n"},
        {"file": "\n".join(BASE64)},
        {"audio": BASE64},
        {"input_audio": {"data": BASE64, "format": "wav"}},
        {"input_audio": {"data": BASE64}, "file": None},
    ],
)
def test_a_recording_may_come_inside_of_json(recording: Any) -> None:
    assert Enclosed(form(), AUDIO) == enclosed(recording, strict=True)


def test_json_says_what_a_form_says() -> None:
    wish = {"response_format": "verbose_json", "timestamp_granularities": ["word"], "temperature": 0.5}

    asked = enclosed({"file": BASE64, **wish, "language": None, "chunking_strategy": "auto"})

    assert isinstance(asked, Enclosed)
    expected = form(
        ("response_format", "verbose_json"), ("timestamp_granularities", "word"), ("temperature", "0.5")
    )
    assert expected == asked.request


def test_a_translation_may_come_inside_of_json() -> None:
    assert Enclosed(form(task="translate"), AUDIO) == enclosed({"file": BASE64}, "translate")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", "file"),
        ({"file": "äöü"}, "invalid_value", "file"),
        ({"file": BASE64[:-1]}, "invalid_value", "file"),
        ({"file": "data:audio/wav," + BASE64}, "invalid_value", "file"),
        ({"file": 1}, "invalid_type", "file"),
        ({"input_audio": {"data": "?"}}, "invalid_value", "input_audio.data"),
        ({"input_audio": {}}, "missing_required_parameter", "input_audio.data"),
        ({"input_audio": {"data": BASE64}, "file": BASE64}, "duplicate_parameter", "input_audio"),
        ({"audio": BASE64, "file": BASE64}, "duplicate_parameter", "audio"),
        ({"file": BASE64, "stream": 1}, "invalid_type", "stream"),
        (b"", None, None),
        (b"{", None, None),
        (b"[" * 10_000, None, None),
        (b'{"model": "\xff"}', None, None),
        (b'{"temperature": NaN}', None, None),
        (b"[]", "invalid_type", None),
    ],
)
def test_json_that_makes_no_sense_is_refused(body: Any, code: str | None, param: str | None) -> None:
    answer = enclosed(body)

    assert isinstance(answer, Problem)
    assert (code, param) == (answer.code, answer.param)


def test_the_recording_may_be_long_and_the_rest_of_the_json_may_not() -> None:
    audio = bytes(range(256)) * 4_096
    file = base64.encodebytes(audio).decode()

    fine = enclosed({"file": file, "known_speaker_references": ["data:;base64," + file]})
    large = enclosed({"file": file, "languages": ["e"] * 100_000})
    many = enclosed({"file": file, "x": [[]] * 10_001})

    assert Enclosed(form(), audio) == fine
    told = "We could not parse the JSON body of your request: more than"
    assert Problem(None, f"{told} 262144 bytes besides long texts.") == large
    assert Problem(None, f"{told} 10000 values.") == many


def test_a_key_that_comes_twice_is_refused() -> None:
    told = (
        'We could not parse the JSON body of your request: Detected duplicate key "file" at line 1 column 23.'
    )

    assert Problem(None, told) == enclosed(b'{"file":"AAAA","file":"AAAA"}')


@given(st.binary(max_size=200))
def test_any_body_is_a_request_or_a_problem(body: bytes) -> None:
    assert isinstance(read_enclosed(body, "transcribe", strict=False), Enclosed | Problem)
    assert isinstance(read_urlencoded(body, "transcribe", strict=False), Enclosed | Problem)


# A recording inside of a form that is all text


PLUS = base64.b64encode(b"\xfb\xef\xbe").decode()


@pytest.mark.parametrize(
    "file", [PLUS, PLUS.replace("+", "%2B"), PLUS.replace("+", " "), f"data:;base64,{PLUS}"]
)
def test_a_recording_may_come_inside_of_a_form(file: str) -> None:
    asked = read_urlencoded(f"model=whisper-1&file={file}&stream=1".encode(), "transcribe", strict=True)

    assert Enclosed(form(("stream", "true")), b"\xfb\xef\xbe") == asked


def test_how_long_a_recording_is_does_not_matter_however_it_is_escaped() -> None:
    escaped = quote(PLUS * 40_000, safe="")

    asked = read_urlencoded(f"model=whisper-1&file={escaped}".encode(), "transcribe", strict=False)

    assert Enclosed(form(), b"\xfb\xef\xbe" * 40_000) == asked


def test_fields_are_unescaped_and_those_that_say_nothing_are_none() -> None:
    body = b"prompt=a%20b+c%E4%BD%A0%ff%2&languages=&&language&file=UklGRiwgc2F5"

    asked = read_urlencoded(body, "transcribe", strict=True)

    assert Problem("missing_required_parameter", "Missing required parameter: 'model'.", "model") == asked
    assert Enclosed(form(("prompt", "a b c你\ufffd%2")), AUDIO) == read_urlencoded(
        body + b"&model=whisper-1", "transcribe", strict=True
    )


def test_what_is_no_utf_8_is_shown_where_somebody_reads_it() -> None:
    assert ("\ufffd", LARGEST + 1) == (field_text(b"\xff"), len(field_text(b"\xff" * (LARGEST + 1))))


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"prompt=" + b"x" * MOST_IN_FIELDS + b"&file=AAAA", None, None),
        (b"prompt=" + b"x" * (LARGEST + 1) + b"&file=AAAA", "string_above_max_length", "prompt"),
        (b"model=whisper-1", "missing_required_parameter", "file"),
        (b"model=whisper-1&file=", "missing_required_parameter", "file"),
        (b"model=whisper-1&file=?", "invalid_value", "file"),
        (b"file=UklGRg&file=UklGRg", "duplicate_parameter", "file"),
        (b"file=UklGRg%3D%3D&temperature=9", "decimal_above_max_value", "temperature"),
        (b"&" * 3_000, None, None),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(body: bytes, code: str | None, param: str | None) -> None:
    answer = read_urlencoded(body, "transcribe", strict=False)

    assert isinstance(answer, Problem)
    assert (code, param) == (answer.code, answer.param)


# What a session is configured to


@pytest.mark.parametrize(
    ("fields", "detection"),
    [
        ([], ServerVad()),
        ([("chunking_strategy", '{"silence_duration_ms": 700}')], ServerVad(silence_duration_ms=700)),
    ],
)
def test_nobody_is_there_who_could_end_turns(fields: Any, detection: ServerVad) -> None:
    """Not even with a model whose clients do that in realtime."""
    asked = form(("temperature", "0.5"), *fields, task="transcribe")
    patched = accept(configured(), asked.patch, limited())
    assert not isinstance(patched, Problem)

    config = asked.configured(patched, MP3_RATE)

    assert (detection, MP3_RATE) == (config.detection, config.format)
    assert config.transcription is not None
    assert (0.5, "transcribe") == (config.transcription.temperature, config.transcription.task)
