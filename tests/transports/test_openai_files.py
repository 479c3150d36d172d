"""Files through the real application, as the official SDK and others send them."""

import asyncio
import base64
import io
import json
import wave
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from itertools import repeat
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit
from typing import Any, Final

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from realtime_asr.engines.engine import Capabilities, EngineError
from realtime_asr.runtime.recordings import AHEAD, CutShort
from realtime_asr.server.access.auth import Auth
from realtime_asr.server.app import Gateway
from realtime_asr.session.events import Event
from realtime_asr.transcript.hypothesis import Hypothesis
from realtime_asr.transcript.request import TurnRequest
from realtime_asr.transports import file_desk
from realtime_asr.transports.accounts import Proof
from realtime_asr.transports.file_desk import IN_MEMORY
from tests.fakes import ManualClock, ScriptedEngine, ScriptedStream, final, silence, speech
from tests.server.house import KEY, SPOKEN, closed_house, gateway, open_house

TRANSCRIPTIONS, TRANSLATIONS = "/v1/audio/transcriptions", "/v1/audio/translations"
ROUTES: Final = (
    TRANSCRIPTIONS,
    TRANSLATIONS,
    "/openai/v1/audio/transcriptions",
    "/openai/v1/audio/translations",
)
BEARER: Final = {"Authorization": f"Bearer {KEY}"}
MODEL: Final = {"model": "whisper-1"}


def wav(*pieces: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(24_000)
        recording.writeframes(b"".join(pieces))
    return file.getvalue()


ONE_TURN: Final = wav(speech(1.2), silence(0.8))
TWO_TURNS: Final = wav(speech(1.2), silence(0.8), speech(1.2), silence(0.8))
FILE: Final = {"file": ("speech.wav", ONE_TURN, "audio/wav")}
ENCODED: Final = base64.b64encode(ONE_TURN).decode()


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with open_house(api_keys=KEY, max_file_mib=1) as client:
        client.headers.update(BEARER)
        yield client


def text_of(response: Any) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["text"])


def assert_refused(response: Any, status: int, code: str | None, param: str | None = None) -> None:
    """In OpenAI's form, with an id to ask about it."""
    error = response.json()["error"]
    assert (status, code, param) == (response.status_code, error["code"], error["param"])
    assert {"message", "type", "param", "code"} == set(error)
    assert response.headers["x-request-id"].startswith("req_")


# What comes back


@pytest.mark.parametrize("route", ROUTES)
def test_a_file_goes_up_and_its_text_comes_down(client: TestClient, route: str) -> None:
    assert SPOKEN == text_of(client.post(route, files=FILE, data=MODEL))


@pytest.mark.parametrize(
    ("format", "kind"),
    [
        ("json", "application/json"),
        ("verbose_json", "application/json"),
        ("diarized_json", "application/json"),
        ("text", "text/plain; charset=utf-8"),
        ("srt", "text/plain; charset=utf-8"),
        ("vtt", "text/plain; charset=utf-8"),
    ],
)
def test_every_format_says_what_it_is(client: TestClient, format: str, kind: str) -> None:
    response = client.post(TRANSCRIPTIONS, files=FILE, data={**MODEL, "response_format": format})

    assert (200, kind) == (response.status_code, response.headers["content-type"])
    assert SPOKEN in response.text


def test_a_file_of_several_turns_has_one_text(client: TestClient) -> None:
    response = client.post(TRANSCRIPTIONS, files={"file": TWO_TURNS}, data=MODEL)

    assert f"{SPOKEN} {SPOKEN}" == text_of(response)
    assert {"type": "duration", "seconds": 4} == response.json()["usage"]


def test_segments_lie_where_their_turns_do(client: TestClient) -> None:
    wish = {**MODEL, "response_format": "verbose_json"}

    first, second = client.post(TRANSCRIPTIONS, files={"file": TWO_TURNS}, data=wish).json()["segments"]

    assert first["start"] == 0
    assert 1.2 <= first["end"] < second["start"] <= 2
    assert second["end"] < 4


def test_silence_has_no_text(client: TestClient) -> None:
    assert text_of(client.post(TRANSCRIPTIONS, files={"file": wav(silence(2))}, data=MODEL)) == ""


@pytest.mark.parametrize(
    "recording",
    [
        {"file": ENCODED},
        {"file": f"data:audio/wav;base64,{ENCODED}"},
        {"audio": ENCODED},
        {"input_audio": {"data": ENCODED, "format": "wav"}},
    ],
)
@pytest.mark.parametrize("route", [TRANSCRIPTIONS, TRANSLATIONS])
def test_a_file_may_come_inside_of_json(client: TestClient, route: str, recording: Any) -> None:
    assert SPOKEN == text_of(client.post(route, json={**MODEL, **recording}))


def test_a_file_may_come_as_a_field_of_a_form(client: TestClient) -> None:
    """As OPEA's clients do it."""
    encoded = client.post(TRANSCRIPTIONS, data={**MODEL, "file": ENCODED})
    in_parts = client.post(TRANSCRIPTIONS, files={"file": (None, ENCODED), "model": (None, "whisper-1")})

    assert (SPOKEN, SPOKEN) == (text_of(encoded), text_of(in_parts))


def test_a_file_needs_no_name(client: TestClient) -> None:
    assert SPOKEN == text_of(client.post(TRANSCRIPTIONS, files={"file": (None, ONE_TURN)}, data=MODEL))


def test_who_names_no_model_gets_the_default_one() -> None:
    house = gateway()
    house.sessions.engine = engine = ScriptedEngine()
    with open_house(house) as client:
        client.post(TRANSCRIPTIONS, files=FILE, data={"language": "english"})

    [stream] = engine.streams
    assert (house.catalogue.default, "en") == (stream.request.model, stream.request.language)


def test_a_file_may_come_in_chunks(client: TestClient) -> None:
    request = client.build_request("POST", TRANSCRIPTIONS, files=FILE, data=MODEL)
    body = request.read()

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    response = client.post(
        TRANSCRIPTIONS, content=chunks(), headers={"content-type": request.headers["content-type"]}
    )

    assert SPOKEN == text_of(response)


def test_a_stream_tells_each_turn_as_it_is_known(client: TestClient) -> None:
    response = client.post(TRANSCRIPTIONS, files={"file": TWO_TURNS}, data={**MODEL, "stream": "true"})

    events = [json.loads(line.removeprefix("data: ")) for line in response.text.split("\n\n")[:-1]]
    assert "text/event-stream; charset=utf-8" == response.headers["content-type"]
    assert ["delta", "delta", "done"] == [event["type"].rpartition(".")[2] for event in events]
    assert f"{SPOKEN} {SPOKEN}" == "".join(event.get("delta", "") for event in events)


def test_the_engine_is_told_what_was_asked_for() -> None:
    house = gateway()
    house.sessions.engine = engine = ScriptedEngine((final("good morning"),))
    wish = {**MODEL, "language": "en", "temperature": "0.3", "prompt": "Names.", "response_format": "srt"}

    with open_house(house) as client:
        client.post(TRANSLATIONS, files=FILE, data=wish)

    [stream] = engine.streams
    expected = TurnRequest(
        model="whisper-1",
        prompt="Names.",
        logprobs=True,
        word_times=True,
        task="translate",
        temperature=0.3,
        recorded=True,
        source=stream.request.source,
    )
    assert expected == stream.request


def test_chunks_are_cut_as_asked(client: TestClient) -> None:
    wish = {**MODEL, "chunking_strategy": '{"type": "server_vad", "silence_duration_ms": 1500}'}

    assert SPOKEN == text_of(client.post(TRANSCRIPTIONS, files={"file": TWO_TURNS}, data=wish))


# What is refused


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"model": "nobody"}, 404, "model_not_found", "model"),
        ({**MODEL, "language": "??"}, 400, "invalid_value", "language"),
        ({**MODEL, "response_format": "xml"}, 400, "invalid_value", "response_format"),
        ({**MODEL, "timestamp_granularities[]": "x"}, 400, "invalid_value", "timestamp_granularities[0]"),
    ],
)  # fmt: skip
def test_a_wish_that_cannot_be_granted_is_refused(
    client: TestClient, fields: Mapping[str, str], status: int, code: str, param: str
) -> None:
    assert_refused(client.post(TRANSCRIPTIONS, files=FILE, data=fields), status, code, param)


def test_a_language_that_the_model_does_not_know_is_refused() -> None:
    house = gateway(lambda _: ScriptedEngine(capabilities=Capabilities(languages=frozenset({"en"}))))
    with open_house(house) as client:
        response = client.post(TRANSCRIPTIONS, files=FILE, data={**MODEL, "language": "de"})

    assert_refused(response, 400, "unsupported_language", "language")


def test_a_model_of_one_language_leaves_no_doubt_about_it() -> None:
    house = gateway(lambda _: ScriptedEngine(capabilities=Capabilities(languages=frozenset({"de"}))))
    with open_house(house) as client:
        verbose = client.post(TRANSCRIPTIONS, files=FILE, data={**MODEL, "response_format": "verbose_json"})
        plain = client.post(TRANSCRIPTIONS, files=FILE, data=MODEL)

    assert ("german", False) == (verbose.json()["language"], "languages" in plain.json())


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({**MODEL, "foo": "bar"}, "unknown_parameter", "foo"),
        ({}, "missing_required_parameter", "model"),
    ],
)
def test_what_openai_refuses_is_refused_when_strict(fields: Mapping[str, str], code: str, param: str) -> None:
    with open_house(strict=True) as client:
        response = client.post(TRANSCRIPTIONS, files=FILE, data=fields)

    assert_refused(response, 400, code, param)


def test_a_form_without_a_file_is_refused(client: TestClient) -> None:
    response = client.post(TRANSCRIPTIONS, files={"model": (None, "whisper-1")})

    assert_refused(response, 400, "missing_required_parameter", "file")


def test_a_form_with_two_files_is_refused(client: TestClient) -> None:
    files = [("file", ONE_TURN), ("file", ONE_TURN)]

    response = client.post(TRANSCRIPTIONS, files=files, data=MODEL)

    assert_refused(response, 400, "duplicate_parameter", "file")


@pytest.mark.parametrize("audio", [b"", b"no audio at all", ONE_TURN[:20], b"#EXTM3U\nhttp://127.0.0.1/"])
def test_a_file_that_is_no_recording_is_refused(client: TestClient, audio: bytes) -> None:
    response = client.post(TRANSCRIPTIONS, files={"file": ("speech.wav", audio)}, data=MODEL)

    assert_refused(response, 400, "invalid_value", "file")


@pytest.mark.parametrize("stream", ["true", "false"])
def test_a_recording_of_nothing_is_refused(client: TestClient, stream: str) -> None:
    response = client.post(TRANSCRIPTIONS, files={"file": wav()}, data={**MODEL, "stream": stream})

    error = json.loads(response.text.removeprefix("data: "))["error"]
    assert ("invalid_value", "file") == (error["code"], error["param"])


@pytest.mark.parametrize("kind", ["text/plain", "", "audio/wav"])
def test_a_body_of_another_kind_is_refused(client: TestClient, kind: str) -> None:
    response = client.post(TRANSCRIPTIONS, content=ONE_TURN, headers={"content-type": kind})

    assert_refused(response, 400, None)
    assert f"'{kind}'" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n"),
        ("multipart/form-data; boundary=" + "x" * 1000, b"--x--\r\n"),
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/x-www-form-urlencoded", b"&" * 10_000),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused(client: TestClient, kind: str, body: bytes) -> None:
    assert_refused(client.post(TRANSCRIPTIONS, content=body, headers={"content-type": kind}), 400, None)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", "file"),
        ({"file": "?"}, "invalid_value", "file"),
        ({"file": ""}, "invalid_value", "file"),
        ({"file": base64.b64encode(b"no audio").decode()}, "invalid_value", "file"),
    ],
)
def test_json_without_a_recording_is_refused(
    client: TestClient, body: Mapping[str, str], code: str, param: str
) -> None:
    assert_refused(client.post(TRANSCRIPTIONS, json={**MODEL, **body}), 400, code, param)


# What is too much


TOO_LARGE: Final = bytes(1024 * 1024 + 1)


def assert_too_large(response: Any) -> None:
    assert_refused(response, 413, None)
    assert "Maximum content size limit (1048576) exceeded" in response.json()["error"]["message"]
    assert "server_error" == response.json()["error"]["type"]
    assert {"type": "duration", "seconds": 0} == response.json()["usage"]


def test_a_file_too_large_is_refused(client: TestClient) -> None:
    assert_too_large(client.post(TRANSCRIPTIONS, files={"file": TOO_LARGE}, data=MODEL))
    assert_too_large(
        client.post(TRANSCRIPTIONS, json={**MODEL, "file": base64.b64encode(TOO_LARGE).decode()})
    )


KINDS: Final = ("multipart/form-data; boundary=x", "application/json")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_too_large_is_refused_unread(kind: str) -> None:
    async def receive() -> Message:
        raise AssertionError("not to be read")

    start, *_ = await posted(
        gateway(max_file_mib=1), {"content-type": kind, "content-length": "100000000"}, receive
    )

    assert start["status"] == 413


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_without_end_is_not_read_for_ever(kind: str) -> None:
    start, *_ = await posted(
        gateway(max_file_mib=1), {"content-type": kind}, sending(repeat(b"\r\n" * 10_000))
    )

    assert start["status"] == 413


async def test_so_many_files_are_transcribed_at_the_same_time_and_no_more() -> None:
    house = gateway(max_files=1)
    house.sessions.engine = engine = Pondering()
    async with asking(house) as client:
        first = asyncio.create_task(client.post(TRANSCRIPTIONS, files=FILE, data=MODEL))
        await engine.asked.wait()
        second = await client.post(TRANSLATIONS, files=FILE, data=MODEL)
        engine.released.set()
        third = await first

    assert_refused(second, 429, "rate_limit_exceeded")
    assert int(second.headers["retry-after"]) >= 1
    assert ("good morning", 0) == (text_of(third), len(house.sessions))


async def trickled(house: Gateway) -> Message:
    """How an answer begins to who sends a thousand bytes a second."""
    headers, body = form()
    starts = iter(range(0, len(body), 1000))
    house.reception.clock = clock = ManualClock()

    async def receive() -> Message:
        if (start := next(starts, None)) is None:
            await asyncio.Event().wait()
        assert start is not None
        clock.advance(1.0)
        more = start + 1000 < len(body)
        return {"type": "http.request", "body": body[start : start + 1000], "more_body": more}

    start, *_ = await posted(house, headers, receive)
    return start


async def test_who_sends_slower_than_speech_holds_no_place_where_all_are_taken() -> None:
    start = await trickled(gateway(max_files=1))

    headers = dict(start["headers"])
    assert (503, b"10", b"close") == (start["status"], headers[b"retry-after"], headers[b"connection"])


async def test_where_there_are_places_left_one_may_send_slowly() -> None:
    assert 200 == (await trickled(gateway(max_files=2)))["status"]


def test_a_key_that_sent_too_much_audio_has_to_wait() -> None:
    with open_house(api_keys=KEY, key_audio_per_minute=1) as client:
        first = client.post(TRANSCRIPTIONS, files=FILE, data=MODEL, headers=BEARER)
        second = client.post(TRANSCRIPTIONS, files=FILE, data=MODEL, headers=BEARER)

    assert SPOKEN == text_of(first)
    assert_refused(second, 429, "rate_limit_exceeded")
    assert int(second.headers["retry-after"]) >= 1


# Who may


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_gets_anything_without_a_key(client: TestClient, route: str) -> None:
    missing = client.post(route, files=FILE, data=MODEL, headers={"Authorization": ""})
    wrong = client.post(route, files=FILE, data=MODEL, headers={"Authorization": "Bearer sk-wrong"})

    assert_refused(missing, 401, None)
    assert_refused(wrong, 401, "invalid_api_key")


def test_a_client_secret_is_no_key(client: TestClient) -> None:
    secret = client.post("/v1/realtime/client_secrets").json()["value"]

    response = client.post(
        TRANSCRIPTIONS, files=FILE, data=MODEL, headers={"Authorization": f"Bearer {secret}"}
    )

    assert_refused(response, 401, "invalid_api_key")


def test_before_the_model_is_loaded_clients_are_asked_to_wait() -> None:
    response = closed_house().post(TRANSCRIPTIONS, files=FILE, data=MODEL)

    assert_refused(response, 503, None)
    assert response.headers["retry-after"]


async def test_a_server_about_to_leave_takes_no_file_that_is_still_coming() -> None:
    house = gateway()
    headers, body = form()

    def chunks() -> Iterator[bytes]:
        yield body[:100]
        house.reception.ready = False
        yield body[100:]

    start, *_ = await posted(house, headers, sending(chunks()))

    assert start["status"] == 503


# What breaks


@pytest.mark.parametrize("stream", [False, True])
def test_a_turn_that_fails_fails_the_file(*, stream: bool) -> None:
    house = gateway()
    house.sessions.engine = ScriptedEngine((final("good morning"),), (EngineError("Out of breath."),))
    with open_house(house) as client:
        response = client.post(
            TRANSCRIPTIONS, files={"file": TWO_TURNS}, data={**MODEL, "stream": json.dumps(stream)}
        )

    *told, last = response.text.rstrip().split("\n\n")
    error = json.loads(last.removeprefix("data: "))["error"]
    assert (200 if stream else 500, stream) == (response.status_code, bool(told))
    assert ("server_error", True) == (error["type"], error["message"].endswith("Out of breath."))


async def test_a_key_revoked_while_its_file_is_heard_gets_no_text() -> None:
    house = gateway(api_keys=KEY)
    house.sessions.engine = engine = Pondering()
    many_turns = wav(*[speech(0.5), silence(0.5)] * 5 * AHEAD)
    async with asking(house) as client:
        asked = asyncio.create_task(client.post(TRANSCRIPTIONS, files={"file": many_turns}, data=MODEL))
        await engine.asked.wait()
        house.reception.doorkeeper = Nobody()
        house.reception.dismiss()
        engine.released.set()

        assert_refused(await asked, 401, "invalid_api_key")


@pytest.mark.parametrize("stream", [False, True])
def test_a_session_cut_short_is_no_text(monkeypatch: pytest.MonkeyPatch, *, stream: bool) -> None:
    async def cut_short(*_: object) -> AsyncGenerator[Event]:
        raise CutShort("The server is restarting.")
        yield

    monkeypatch.setattr(file_desk, "transcribed", cut_short)
    with open_house() as client:
        response = client.post(TRANSCRIPTIONS, files=FILE, data={**MODEL, "stream": json.dumps(stream)})

    assert "The server is restarting." in response.text
    assert (200 if stream else 503, stream) == (
        response.status_code,
        "retry-after" not in response.headers,
    )


# What is full


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond a MiB and a half."""
    _, most = before = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (IN_MEMORY * 3 // 2, most))
    try:
        yield
    finally:
        setrlimit(RLIMIT_FSIZE, before)


LONG: Final = wav(bytes(5_000_000))


@pytest.mark.parametrize(
    "sent",
    [
        {"files": {"file": LONG}, "data": MODEL},
        {"files": {"file": (None, base64.b64encode(LONG))}, "data": MODEL},
        {"json": {**MODEL, "file": base64.b64encode(LONG).decode()}},
    ],
    ids=["form", "field", "json"],
)
def test_a_file_the_disk_has_no_room_for_may_come_again_later(sent: Mapping[str, Any]) -> None:
    house = gateway()
    with open_house(house) as client:
        text_of(client.post(TRANSCRIPTIONS, files=FILE, data=MODEL))
        files = len(list(Path("/proc/self/fd").iterdir()))
        with full_disk():
            refused = client.post(TRANSCRIPTIONS, **sent)
        left = len(list(Path("/proc/self/fd").iterdir())) - files, len(house.sessions)
        again = client.post(TRANSCRIPTIONS, files=FILE, data=MODEL)

    assert_refused(refused, 503, None)
    assert int(refused.headers["retry-after"]) >= 1
    assert (0, 0) == left
    assert SPOKEN == text_of(again)


# Who goes


class Nobody(Auth):
    """May come in any more."""

    def __init__(self) -> None: ...

    def accepts(self, proof: Proof) -> bool:
        return False


@asynccontextmanager
async def asking(house: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    house.reception.ready = True
    transport = httpx.ASGITransport(house.app(print))
    async with httpx.AsyncClient(transport=transport, base_url="http://server", headers=BEARER) as client:
        yield client


class Pondering(ScriptedEngine):
    """Says nothing until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.released = asyncio.Event(), asyncio.Event()

    def open(self, request: TurnRequest) -> ScriptedStream:
        stream = _Pondering(request, self.released)
        self.streams.append(stream)
        self.asked.set()
        return stream


class _Pondering(ScriptedStream):
    def __init__(self, request: TurnRequest, released: asyncio.Event) -> None:
        super().__init__(request, ())
        self._released = released

    def abandon(self) -> None:
        super().abandon()
        self._released.set()

    async def hypotheses(self) -> AsyncIterator[Hypothesis]:
        await self._released.wait()
        if not self.abandoned:
            yield final("good morning")


Receive = Callable[[], Awaitable[Message]]


async def posted(house: Gateway, headers: Mapping[str, str], receive: Receive) -> list[Message]:
    """All that is answered to a client whose every move is known."""
    answered: list[Message] = []

    async def send(message: Message) -> None:
        answered.append(message)

    house.reception.ready = True
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": TRANSCRIPTIONS, "headers": raw, "query_string": b""}
    async with asyncio.timeout(30):
        await house.app(print)(scope, receive, send)
    return answered


def sending(chunks: Iterable[bytes], then: Callable[[], Awaitable[Any]] | None = None) -> Receive:
    """The client goes after what happens then; or else it stays, and has sent all."""
    coming = iter(chunks)

    async def receive() -> Message:
        if (chunk := next(coming, None)) is not None:
            return {"type": "http.request", "body": chunk, "more_body": True}
        if then is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        await then()
        return {"type": "http.disconnect"}

    return receive


def form(stream: str = "false") -> tuple[Mapping[str, str], bytes]:
    request = httpx.Request("POST", "http://server", files=FILE, data={**MODEL, "stream": stream})
    return request.headers, request.read()


@pytest.mark.parametrize("stream", ["false", "true"])
async def test_who_goes_while_waiting_for_the_text_leaves_nothing_behind(stream: str) -> None:
    house = gateway()
    house.sessions.engine = engine = Pondering()
    headers, body = form(stream)
    coming = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        if (message := next(coming, None)) is None:
            await engine.asked.wait()
        return message or {"type": "http.disconnect"}

    answered = await posted(house, headers, receive)

    [turn] = engine.streams
    assert (True, 0) == (turn.abandoned, len(house.sessions))
    assert not any(message.get("body") for message in answered)


async def test_who_goes_while_the_file_comes_up_leaves_nothing_behind() -> None:
    house = gateway()
    headers, body = form()

    answered = await posted(house, headers, sending([body[:5000]], then=partial(asyncio.sleep, 0)))

    assert ([], 0) == (answered, len(house.sessions))


async def test_who_stops_sending_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_desk, "_STALLED_SECONDS", 0.01)
    headers, body = form()

    start, *_ = await posted(gateway(), headers, sending([body[:5000]], then=asyncio.Event().wait))

    assert (408, True) == (start["status"], (b"connection", b"close") in start["headers"])
