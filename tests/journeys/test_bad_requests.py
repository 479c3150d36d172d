"""What a client can get wrong over HTTP: the answer to each mistake, minting secrets, posting events, sending files."""

import base64
import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import httpx
import pytest

from tests.decoders.files import WAV, encoded
from tests.fakes import silence, tone
from tests.journeys.marks import SCRIPTED
from tests.journeys.server import running

pytestmark = SCRIPTED
WORDS: Final = "good morning all"
LARGEST_MIB: Final = 1
SECRETS: Final = "/realtime/client_secrets"
SESSIONS: Final = "/realtime/transcription_sessions"
EVENT: Final = "/realtime/intent=transcription"
FILES: Final = "/audio/transcriptions"
TRANSLATIONS: Final = "/audio/translations"
SPEECH: Final = encoded(tone(16_000), WAV)
INVALID: Final = "invalid_request_error"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    flags = ("--engine", "replay", "--replay-script", WORDS, "--vad", "energy")
    folder = tmp_path_factory.mktemp("requests")
    with (
        running(folder, *flags, "--max-file-mib", str(LARGEST_MIB)) as server,
        httpx.Client(base_url=server.base_url, timeout=60) as client,
    ):
        yield client


class Asked(NamedTuple):
    where: str
    body: bytes
    type: str = "application/json"


class Told(NamedTuple):
    status: int
    code: str | None = None
    param: str | None = None
    kind: str = INVALID


def form(*parts: tuple[str, bytes], end: bytes = b"--b--\r\n") -> bytes:
    """Each with what its header says."""
    head = b"--b\r\nContent-Disposition: form-data; "
    return b"".join(head + says.encode() + b"\r\n\r\n" + data + b"\r\n" for says, data in parts) + end


FORM: Final = "multipart/form-data; boundary=b"
FILE: Final = ('name="file"; filename="a.wav"', SPEECH)
MODEL: Final = ('name="model"', b"whisper-1")


def upload(*parts: tuple[str, bytes], where: str = FILES) -> Asked:
    return Asked(where, form(*parts), FORM)


def with_field(name: str, value: bytes, where: str = FILES) -> Asked:
    return upload(FILE, MODEL, (f'name="{name}"', value), where=where)


def with_file(data: bytes) -> Asked:
    return upload(('name="file"; filename="a.wav"', data), MODEL)


def enclosed(**members: Any) -> Asked:
    return Asked(FILES, json.dumps({"model": "whisper-1", **members}).encode())


def event(type: str, **fields: Any) -> Asked:
    return Asked(EVENT, json.dumps({"type": type, **fields}).encode())


NO_JSON: Final = {
    "half an object": b'{"a"',
    "text that is no UTF-8": b'{"prompt": "\xff"}',
    "NaN": b'{"temperature": NaN}',
    "half a surrogate pair": b'{"prompt": "\\ud800"}',
    "an integer of 5000 digits": b'{"temperature": ' + b"9" * 5_000 + b"}",
    "60 000 arrays in one another": b"[" * 60_000,
    "20 000 numbers": b'{"x": [' + b"1," * 20_000 + b"1]}",
    "a key twice": b'{"session": {}, "session": null}',
    "a form": b"model=whisper-1",
}
ROWS: Final[dict[str, tuple[Asked, Told]]] = {
    **{
        f"{name} to {where}": (Asked(where, body), Told(400))
        for where in (SECRETS, SESSIONS, FILES, TRANSLATIONS)
        for name, body in NO_JSON.items()
    },
    **{
        f"{name} to {where}": (Asked(where, body), Told(400, "invalid_type"))
        for where in (SECRETS, SESSIONS, FILES, TRANSLATIONS)
        for name, body in {"an array": b"[]", "null": b"null", "a number": b"1"}.items()
    },
    # Secrets
    "a session that is a number": (
        Asked(SECRETS, b'{"session": 1}'),
        Told(400, "invalid_type", "session"),
    ),
    "a session of another kind": (
        Asked(SECRETS, b'{"session": {"type": "realtime"}}'),
        Told(400, "invalid_parameter"),
    ),
    "a secret for no time": (
        Asked(SECRETS, b'{"expires_after": {"seconds": 0}}'),
        Told(400, "integer_below_min_value", "expires_after.seconds"),
    ),
    "a secret for ever": (
        Asked(SECRETS, b'{"expires_after": {"seconds": 7201}}'),
        Told(400, "integer_above_max_value", "expires_after.seconds"),
    ),
    "a secret for an unknown model": (
        Asked(SECRETS, b'{"session": {"audio": {"input": {"transcription": {"model": "nope"}}}}}'),
        Told(404, "model_not_found", "session.audio.input.transcription.model"),
    ),
    "an unknown model in beta": (
        Asked(SESSIONS, b'{"input_audio_transcription": {"model": "nope"}}'),
        Told(404, "model_not_found", "input_audio_transcription.model"),
    ),
    "a session too large for a secret": (
        Asked(SESSIONS, json.dumps({"input_audio_transcription": {"prompt": "x" * 4_000}}).encode()),
        Told(400, "string_above_max_length", "session"),
    ),
    **{
        f"64 KiB and more to {where}": (Asked(where, b" " * (64 * 1024 + 1)), Told(413))
        for where in (SECRETS, SESSIONS)
    },
    # Events
    **{
        f"{name} as an event": (Asked(EVENT, body), Told(400, "invalid_json"))
        for name, body in NO_JSON.items()
        if name != "text that is no UTF-8"
    },
    "nothing as an event": (Asked(EVENT, b""), Told(400, "invalid_json")),
    "a type that is no UTF-8": (
        Asked(EVENT, b'{"type": "\xff"}'),
        Told(400, "invalid_value", "type"),
    ),
    "an array as an event": (Asked(EVENT, b"[]"), Told(400, "invalid_event")),
    "an event without a type": (Asked(EVENT, b"{}"), Told(400, "invalid_event")),
    "an unknown event": (event("nonsense"), Told(400, "invalid_value", "type")),
    "audio that is no base64": (
        event("input_audio_buffer.append", audio="!!"),
        Told(400, "invalid_value", "audio"),
    ),
    "99 ms of audio": (
        event("input_audio_buffer.append", audio=base64.b64encode(silence(0.099)).decode()),
        Told(400, "input_audio_buffer_commit_empty"),
    ),
    "a commit of nothing": (event("input_audio_buffer.commit"), Told(400, "input_audio_buffer_commit_empty")),
    "a million languages as an event": (
        event(
            "session.update",
            session={"audio": {"input": {"transcription": {"languages": ["e"] * 1_000_000}}}},
        ),
        Told(400, "event_too_large"),
    ),
    "24 MiB and more as an event": (Asked(EVENT, b" " * (24 * 1024 * 1024 + 1)), Told(413)),
    # Forms
    "a form of another kind": (
        Asked(FILES, b"model=m", "application/x-www-form-urlencoded"),
        Told(400, "missing_required_parameter", "file"),
    ),
    "a recording by itself": (Asked(FILES, SPEECH, "audio/wav"), Told(400)),
    "a recording of no declared type": (Asked(FILES, SPEECH, ""), Told(400)),
    "a form without a boundary": (Asked(FILES, form(FILE, MODEL), "multipart/form-data"), Told(400)),
    "a form with another boundary": (Asked(FILES, form(FILE, MODEL), FORM + "c"), Told(400)),
    "a form that does not end": (Asked(FILES, form(FILE, MODEL, end=b""), FORM), Told(400)),
    "a form with nothing in it": (
        Asked(FILES, b"--b--\r\n", FORM),
        Told(400, "missing_required_parameter", "file"),
    ),
    "a part without a name": (upload(('filename="a.wav"', SPEECH)), Told(400)),
    "a part with 20 000 characters in its header": (
        upload((f'name="file"; filename="{"a" * 20_000}"', SPEECH), MODEL),
        Told(400),
    ),
    "3000 parts": (upload(*[('name="keywords[]"', b"x")] * 3_000), Told(400)),
    "no file": (upload(MODEL), Told(400, "missing_required_parameter", "file")),
    "two files": (upload(FILE, FILE, MODEL), Told(400, "duplicate_parameter", "file")),
    "two models": (upload(FILE, MODEL, MODEL), Told(400, "duplicate_parameter", "model")),
    "a file above the limit": (
        with_file(bytes(LARGEST_MIB * 1024 * 1024 + 1)),
        Told(413, kind="server_error"),
    ),
    "a prompt of 5 MB": (with_field("prompt", b"x" * 5_000_000), Told(413, kind="server_error")),
    # Recordings
    "a file that is empty": (with_file(b""), Told(400, "invalid_value", "file")),
    "a file that is text": (with_file(b"hello"), Told(400, "invalid_value", "file")),
    "a file that is noise": (with_file(bytes(range(256)) * 64), Told(400, "invalid_value", "file")),
    "a header with no audio behind it": (with_file(SPEECH[:44]), Told(400, "invalid_value", "file")),
    "a playlist of files that are ours": (
        with_file(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
        Told(400, "invalid_value", "file"),
    ),
    "a list of files that are ours": (
        with_file(b"ffconcat version 1.0\nfile /etc/passwd\n"),
        Told(400, "invalid_value", "file"),
    ),
    # Fields
    "an unknown model": (
        upload(FILE, ('name="model"', b"nope")),
        Told(404, "model_not_found", "model"),
    ),
    "an unknown format": (
        with_field("response_format", b"xml"),
        Told(400, "invalid_value", "response_format"),
    ),
    "a translation in columns for speakers": (
        with_field("response_format", b"diarized_json", TRANSLATIONS),
        Told(400, "invalid_value", "response_format"),
    ),
    "a temperature in words": (with_field("temperature", b"hot"), Told(400, "invalid_type", "temperature")),
    "a temperature of NaN": (with_field("temperature", b"NaN"), Told(400, "invalid_type", "temperature")),
    "a temperature beyond any number": (
        with_field("temperature", b"1e999"),
        Told(400, "decimal_above_max_value", "temperature"),
    ),
    "a temperature below zero": (
        with_field("temperature", b"-1"),
        Told(400, "decimal_below_min_value", "temperature"),
    ),
    "a language that is none": (with_field("language", b"klingon"), Told(400, "invalid_value", "language")),
    "a stream that may be": (with_field("stream", b"perhaps"), Told(400, "invalid_type", "stream")),
    "times of letters": (
        with_field("timestamp_granularities[]", b"letter"),
        Told(400, "invalid_value", "timestamp_granularities[0]"),
    ),
    "an unknown strategy": (
        with_field("chunking_strategy", b"never"),
        Told(400, "invalid_type", "chunking_strategy"),
    ),
    "a prompt of 300 kB": (
        with_field("prompt", b"x" * 300_000),
        Told(400, "string_above_max_length", "prompt"),
    ),
    "a thousand languages and more": (
        with_field("languages", b"en," * 1_001),
        Told(400, "array_above_max_length", "languages"),
    ),
    "a prompt beyond measure": (
        with_field("prompt", b"x" * 40_000),
        Told(400, "string_above_max_length", "prompt"),
    ),
    # Files in JSON
    "no file in JSON": (enclosed(), Told(400, "missing_required_parameter", "file")),
    "a file that is a number": (enclosed(file=1), Told(400, "invalid_type", "file")),
    "a file that is no base64": (enclosed(file="!!"), Told(400, "invalid_value", "file")),
    "a million arrays beside a file": (enclosed(file="AAAA", x=[[]] * 1_000_000), Told(400)),
    "a file in two places": (
        enclosed(file="AAAA", input_audio={"data": "AAAA"}),
        Told(400, "duplicate_parameter", "input_audio"),
    ),
}


@pytest.mark.parametrize(("asked", "told"), ROWS.values(), ids=ROWS)
def test_a_mistake_is_told_as_openai_tells_it(client: httpx.Client, asked: Asked, told: Told) -> None:
    answer = client.post(asked.where, content=asked.body, headers={"Content-Type": asked.type})

    assert told == judged(answer)


@pytest.mark.parametrize(
    ("method", "where", "told"),
    [
        ("GET", SECRETS, Told(405, "method_not_supported")),
        ("DELETE", FILES, Told(405, "method_not_supported")),
        ("PUT", "/models", Told(405, "method_not_supported")),
        ("GET", "/nowhere", Told(404)),
        ("GET", "/realtime", Told(404)),
        ("GET", "/models/nope", Told(404, "model_not_found", "model")),
        ("GET", "/models/%00", Told(404, "model_not_found", "model")),
        ("GET", "/models/%ff", Told(404, "model_not_found", "model")),
        ("GET", "/models/..%2f..%2fetc%2fpasswd", Told(404, "model_not_found", "model")),
    ],
)
def test_an_address_or_a_method_that_does_not_exist_is_told_as_openai_tells_it(
    client: httpx.Client, method: str, where: str, told: Told
) -> None:
    assert told == judged(client.request(method, where))


@pytest.mark.parametrize(
    "asked",
    [
        Asked(SECRETS, b"{" + b",".join(b'"%d": 0' % number for number in range(5_000)) + b"}"),
        Asked(SECRETS, b"{}", "text/plain"),
        upload(('name="file"; filename="../../etc/passwd"', SPEECH), MODEL),
        upload(("name=\"file\"; filename*=UTF-8''%00%ff", SPEECH), MODEL),
        with_field("unheard_of", b"x"),
        with_file(SPEECH[:-1]),
        with_file(SPEECH + b"something behind it"),
        enclosed(file=base64.encodebytes(SPEECH).decode()),
    ],
    ids=[
        "5000 keys",
        "JSON by another name",
        "a file name that leads elsewhere",
        "a file name that is none",
        "an unknown field",
        "half a sample in the end",
        "more than a recording",
        "base64 in lines",
    ],
)
def test_what_is_only_odd_is_no_error(client: httpx.Client, asked: Asked) -> None:
    answer = client.post(asked.where, content=asked.body, headers={"Content-Type": asked.type})

    assert 200 == answer.status_code
    assert asked.where == SECRETS or WORDS == answer.json()["text"]


def judged(answer: httpx.Response) -> Told:
    """Whatever the answer, it has a name, and nothing of the server is in it."""
    error = answer.json()["error"]
    assert answer.headers["x-request-id"].startswith("req_")
    assert error["message"]
    assert not set(error) ^ {"message", "type", "param", "code"}
    assert [] == [word for word in ("Traceback", "realtime_asr", "site-packages") if word in answer.text]
    return Told(answer.status_code, error["code"], error["param"], error["type"])
