"""Handshakes and frames through the real application, without a socket."""

import base64
import json
import threading
from collections.abc import Iterator
from math import inf
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from realtime_asr.dialects.negotiate import Shape
from realtime_asr.dialects.openai_realtime import OpenAIRealtime
from realtime_asr.server.app import Gateway
from realtime_asr.session.commands import AppendAudio, ClearAudio, FromClient, HangUp
from realtime_asr.session.events import AudioCleared
from realtime_asr.session.problem import Problem
from realtime_asr.transports.in_flight import Budget, Holding
from realtime_asr.transports.openai_websocket import WebSocketChannel, _turn_away
from tests.dialects.official import assert_official
from tests.fakes import ManualClock, counted_ids, silence, speech
from tests.server.house import KEY, SPOKEN, closed_house, gateway, open_house, settings, stalled_house

GA = "/v1/realtime?intent=transcription"
LITERAL = "/v1/realtime/intent=transcription"
BEARER = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with open_house() as client:
        yield client


@pytest.fixture(scope="module")
def guarded() -> Iterator[TestClient]:
    with open_house(api_keys=KEY) as client:
        yield client


def append(pcm: bytes) -> dict[str, str]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}


def until(socket: WebSocketTestSession, ending: str) -> list[dict[str, Any]]:
    """All events up to and with the one whose name ends so."""
    events = [socket.receive_json()]
    while not events[-1]["type"].endswith(ending):
        events.append(socket.receive_json())
    return events


def turned_away(client: TestClient, url: str = GA, **how: Any) -> tuple[dict[str, Any], int, str]:
    """The error told after the upgrade, the close code and its reason."""
    with client.websocket_connect(url, **how) as socket:
        frame = socket.receive_text()
        assert_official(frame, Shape.GA)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    return json.loads(frame)["error"], closed.value.code, closed.value.reason


def denied(client: TestClient, url: str = GA, **how: Any) -> WebSocketDenialResponse:
    with pytest.raises(WebSocketDenialResponse) as denial, client.websocket_connect(url, **how):
        pass
    return denial.value


# Before the upgrade


def test_before_the_model_is_loaded_nobody_is_let_in() -> None:
    response = denied(closed_house())

    assert (503, "2") == (response.status_code, response.headers["retry-after"])
    assert response.json()["error"]["type"] == "server_error"


def test_a_page_from_elsewhere_is_not_let_in(client: TestClient) -> None:
    response = denied(client, headers={"Origin": "https://evil.example"})

    assert (403, "origin_not_allowed") == (response.status_code, response.json()["error"]["code"])


@pytest.mark.parametrize("url", ["/v1/realtime/", "/v1/realtime/translations", "/nowhere"])
def test_an_unknown_address_is_not_found(client: TestClient, url: str) -> None:
    response = denied(client, url)

    assert (404, f"Invalid URL (GET {url})") == (response.status_code, response.json()["error"]["message"])


def test_a_refused_handshake_has_a_name_to_ask_about(client: TestClient) -> None:
    assert denied(client, "/nowhere").headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://app.example.com"])
def test_a_page_of_this_machine_or_of_an_allowed_origin_is_let_in(origin: str) -> None:
    with (
        open_house(allowed_origins="https://app.example.com") as client,
        client.websocket_connect(GA, headers={"Origin": origin}) as socket,
    ):
        assert socket.receive_json()["type"] == "session.created"


# Refused after the upgrade


def test_without_a_key_the_reason_is_told_on_the_socket(guarded: TestClient) -> None:
    error, code, reason = turned_away(guarded)

    assert error == {
        "type": "invalid_request_error",
        "code": None,
        "message": "Missing bearer or basic authentication in header",
        "param": None,
        "event_id": None,
    }
    assert (3000, "invalid_request_error") == (code, reason)


def test_a_wrong_key_is_told_on_the_socket(guarded: TestClient) -> None:
    error, code, reason = turned_away(guarded, headers={"Authorization": "Bearer sk-wrong"})

    assert ("invalid_api_key", "Incorrect API key provided: ***.") == (error["code"], error["message"])
    assert (3000, "invalid_request_error.invalid_api_key") == (code, reason)


def test_an_unknown_intent_is_refused(client: TestClient) -> None:
    error, code, reason = turned_away(client, "/v1/realtime?intent=conversation")

    assert ("invalid_value", "intent") == (error["code"], error["param"])
    assert (4000, "invalid_request_error.invalid_value") == (code, reason)


def test_an_unknown_model_is_refused(client: TestClient) -> None:
    error, code, reason = turned_away(client, f"{GA}&model=nobody")

    assert error["message"] == "The model `nobody` does not exist or you do not have access to it."
    assert error["param"] is None
    assert (4000, "invalid_request_error.invalid_model") == (code, reason)


def test_a_full_house_turns_clients_away_who_may_come_back() -> None:
    with open_house(max_sessions=1) as client:
        with client.websocket_connect(GA) as first:
            first.receive_json()
            error, code, reason = turned_away(client)
            first.send_json({"type": "session.close"})
            until(first, "session.closed")
            while client.get("/health").json()["sessions"]:
                pass
        with client.websocket_connect(GA) as again:
            welcome = again.receive_json()

    assert error == {
        "type": "requests",
        "code": "rate_limit_exceeded",
        "message": "The server has 1 of at most 1 sessions open. Try again later.",
        "param": None,
        "event_id": None,
    }
    assert (1013, "requests.rate_limit_exceeded") == (code, reason)
    assert "session.created" == welcome["type"]


def test_where_the_engine_hangs_clients_are_told_to_come_back() -> None:
    with stalled_house() as client:
        error, code, reason = turned_away(client)

    assert ("server_error", None, "The server is overloaded. Try again later.") == (
        error["type"],
        error["code"],
        error["message"],
    )
    assert (1013, "server_error") == (code, reason)


def test_a_client_gone_before_it_is_turned_away_does_no_harm(client: TestClient) -> None:
    with client.websocket_connect("/v1/realtime?intent=conversation"):
        pass

    assert client.get("/health").json()["sessions"] == 0


# Let in


@pytest.mark.parametrize("header", ["api-key", "X-API-Key"])
def test_a_key_may_come_in_any_of_three_headers(guarded: TestClient, header: str) -> None:
    for headers in (BEARER, {header: KEY}):
        with guarded.websocket_connect(GA, headers=headers) as socket:
            assert socket.receive_json()["type"] == "session.created"


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        (None, None),
        (["realtime"], "realtime"),
        (["realtime", f"openai-insecure-api-key.{KEY}"], "realtime"),
        ([f"openai-insecure-api-key.{KEY}", "realtime", "openai-beta.realtime-v1"], "realtime"),
        ([f"openai-insecure-api-key.{KEY}"], None),
        ([f"openai-insecure-api-key.{KEY}", "openai-agents-sdk.1"], "openai-agents-sdk.1"),
    ],
)
def test_the_subprotocol_selected_never_bears_the_key(
    guarded: TestClient, offered: list[str] | None, selected: str | None
) -> None:
    headers = {} if offered and KEY in " ".join(offered) else BEARER

    with guarded.websocket_connect(GA, subprotocols=offered, headers=headers) as socket:
        assert socket.receive_json()["type"].endswith("session.created")
        assert selected == socket.accepted_subprotocol


def test_even_who_is_turned_away_gets_its_subprotocol(guarded: TestClient) -> None:
    offered = ["realtime", "openai-insecure-api-key.wrong"]

    with guarded.websocket_connect(GA, subprotocols=offered) as socket:
        assert socket.receive_json()["type"] == "error"
        assert socket.accepted_subprotocol == "realtime"


def test_a_session_says_its_name_and_when_it_ends(client: TestClient) -> None:
    with client.websocket_connect(GA) as socket:
        frame = socket.receive_text()

    assert_official(frame, Shape.GA)
    session = json.loads(frame)["session"]
    assert session["id"].startswith("sess_")
    assert session["expires_at"] > 1_700_000_000


def test_the_model_in_the_address_is_the_one_that_transcribes(client: TestClient) -> None:
    with client.websocket_connect(f"{GA}&model=gpt-4o-transcribe") as socket:
        session = socket.receive_json()["session"]

    assert session["audio"]["input"]["transcription"]["model"] == "gpt-4o-transcribe"


@pytest.mark.parametrize(
    ("url", "how"),
    [
        (GA, {"headers": {"OpenAI-Beta": "realtime=v1"}}),
        (GA, {"subprotocols": ["realtime", "openai-beta.realtime-v1"]}),
        (LITERAL, {}),
    ],
)
def test_who_speaks_beta_is_answered_so(client: TestClient, url: str, how: dict[str, Any]) -> None:
    with client.websocket_connect(url, **how) as socket:
        frame = socket.receive_text()

    assert_official(frame, Shape.BETA)
    assert json.loads(frame)["type"] == "transcription_session.created"


def test_a_turn_from_the_first_frame_to_the_last(client: TestClient) -> None:
    with client.websocket_connect(GA) as socket:
        socket.send_json(append(speech(1.2)))
        socket.send_json(append(silence(0.6)))
        events = until(socket, ".completed")
        socket.send_json({"type": "session.close"})
        until(socket, "session.closed")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()

    for event in events:
        assert_official(json.dumps(event), Shape.GA)
    text = "".join(event["delta"] for event in events if event["type"].endswith(".delta"))
    assert ("good morning all", events[-1]["transcript"]) == (text, text)
    assert closed.value.code == 1000


def test_a_binary_frame_is_an_error_and_not_the_end(client: TestClient) -> None:
    with client.websocket_connect(GA) as socket:
        socket.receive_json()
        socket.send_bytes(speech(0.1))
        error = socket.receive_json()["error"]
        socket.send_json({"type": "input_audio_buffer.clear"})

        assert error["code"] == "invalid_event"
        assert socket.receive_json()["type"] == "input_audio_buffer.cleared"


def test_an_unknown_setting_is_ignored_unless_the_server_is_strict(client: TestClient) -> None:
    update = {"type": "session.update", "session": {"type": "transcription", "colour": "red"}}

    def answer(client: TestClient) -> str:
        with client.websocket_connect(GA) as socket:
            socket.receive_json()
            socket.send_json(update)
            return str(socket.receive_json()["type"])

    with open_house(strict=True) as strict:
        assert ("session.updated", "error") == (answer(client), answer(strict))


def test_who_asks_for_it_is_warned_before_the_end() -> None:
    with (
        open_house(session_minutes=0.5) as client,
        client.websocket_connect(f"{GA}&expiry_warning=true") as warned,
    ):
        warned.receive_json()
        assert warned.receive_json()["type"] == "session.expiring"


def test_who_does_not_ask_is_not_warned() -> None:
    with (
        open_house(session_minutes=0.5) as client,
        client.websocket_connect(GA) as socket,
    ):
        socket.send_json({"type": "input_audio_buffer.clear"})
        assert ["session.created", "input_audio_buffer.cleared"] == [
            event["type"] for event in until(socket, "cleared")
        ]


# Client secrets


def mint(client: TestClient, route: str, body: dict[str, Any]) -> str:
    answer = client.post(f"/v1/realtime/{route}", json=body, headers=BEARER).json()
    return str(answer.get("value") or answer["client_secret"]["value"])


def test_a_secret_carries_its_configuration_to_the_socket(guarded: TestClient) -> None:
    wish = {"audio": {"input": {"transcription": {"model": "whisper-1", "language": "de"}}}}
    secret = mint(guarded, "client_secrets", {"session": {"type": "transcription", **wish}})
    offered = ["realtime", f"openai-insecure-api-key.{secret}"]

    with guarded.websocket_connect(f"{GA}&model=gpt-4o-transcribe", subprotocols=offered) as socket:
        created = socket.receive_json()

    transcription = created["session"]["audio"]["input"]["transcription"]
    assert ("whisper-1", "de") == (transcription["model"], transcription["language"])


def test_a_beta_secret_opens_a_beta_session(guarded: TestClient) -> None:
    secret = mint(
        guarded, "transcription_sessions", {"input_audio_format": "g711_ulaw", "turn_detection": None}
    )

    with guarded.websocket_connect(GA, headers={"Authorization": f"Bearer {secret}"}) as socket:
        created = socket.receive_json()

    assert created["type"] == "transcription_session.created"
    assert ("g711_ulaw", None) == (
        created["session"]["input_audio_format"],
        created["session"]["turn_detection"],
    )


def test_a_session_outlives_the_secret_that_opened_it_but_no_other_is_opened() -> None:
    clock = ManualClock()
    house = Gateway(settings(api_keys=KEY), clock)
    with open_house(house) as client:
        lifetime = {"client_secret": {"expires_at": {"seconds": 60}}}
        secret = {"Authorization": f"Bearer {mint(client, 'transcription_sessions', lifetime)}"}
        with client.websocket_connect(GA, headers=secret) as socket:
            clock.advance(70)
            house.reception.dismiss()
            socket.send_json(append(speech(0.5) + silence(1.5)))
            events = until(socket, ".completed")
            error, code, _ = turned_away(client, headers=secret)

    assert SPOKEN == events[-1]["transcript"]
    assert ("invalid_api_key", 3000) == (error["code"], code)


# Azure


@pytest.mark.parametrize("path", ["/openai/v1/realtime", "/openai/realtime"])
def test_azures_addresses_name_the_model_as_a_deployment(path: str) -> None:
    with (
        open_house(api_keys=KEY) as client,
        client.websocket_connect(
            f"{path}?api-version=1&deployment=whisper-1", headers={"api-key": KEY}
        ) as socket,
    ):
        session = socket.receive_json()["session"]

    assert session["audio"]["input"]["transcription"]["model"] == "whisper-1"


def test_a_key_in_the_address_counts_on_azures_paths_when_asked_for() -> None:
    with (
        open_house(azure=True, api_keys=KEY) as client,
        client.websocket_connect(f"/openai/realtime?api-key={KEY}") as socket,
    ):
        assert socket.receive_json()["type"] == "session.created"


@pytest.mark.parametrize(("azure", "address"), [(True, GA), (False, "/openai/realtime?deployment=whisper-1")])
def test_a_key_in_the_address_counts_nowhere_else(*, azure: bool, address: str) -> None:
    with open_house(azure=azure, api_keys=KEY) as client:
        _, code, _ = turned_away(client, f"{address}&api-key={KEY}")

    assert code == 3000


# Leaving


def test_a_client_that_goes_leaves_no_session(client: TestClient) -> None:
    with client.websocket_connect(GA) as socket:
        socket.receive_json()
        socket.send_json(append(speech(0.5)))

    while client.get("/health").json()["sessions"]:
        pass


def test_a_server_that_leaves_closes_its_sessions_and_takes_nobody_in() -> None:
    house = gateway()
    with open_house(house) as client, client.websocket_connect(GA) as socket:
        socket.receive_json()
        socket.send_json(append(speech(1.2)))
        until(socket, "speech_started")
        client.portal.call(house.leave)  # type: ignore[union-attr]
        events = until(socket, ".completed")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()

        assert events[-1]["transcript"] == "good morning all"
        assert (1012, "The server is restarting.") == (closed.value.code, closed.value.reason)
        assert denied(client).status_code == 503


# The connection as a channel


class Line:
    """An accepted connection whose client goes after so many messages to it."""

    def __init__(self, bears: int) -> None:
        self.sent: list[str] = []
        self._bears = bears

    async def receive(self) -> Message:
        return {"type": "websocket.connect"}

    async def send(self, message: Message) -> None:
        if len(self.sent) == self._bears:
            raise OSError
        self.sent.append(message["type"])

    async def websocket(self) -> WebSocket:
        websocket = WebSocket({"type": "websocket"}, self.receive, self.send)
        await websocket.accept()
        return websocket


def channel(websocket: WebSocket, holding: Holding | None = None) -> WebSocketChannel:
    dialect = OpenAIRealtime("sess_1", 0, counted_ids("event"), Shape.GA)
    return WebSocketChannel(websocket, dialect, holding or Holding(Budget(inf), lambda: None))


async def test_whoever_is_gone_cannot_be_told_anything() -> None:
    gone = channel(await Line(bears=1).websocket())

    with pytest.raises(ConnectionError):
        await gone.send(AudioCleared())
    with pytest.raises(ConnectionError):
        await gone.send(AudioCleared())
    await gone.close(1000, "")


async def test_to_close_twice_does_no_harm() -> None:
    line = Line(bears=9)
    closed = channel(await line.websocket())

    await closed.close(1000, "")
    await closed.close(1011, "server_error")

    assert ["websocket.accept", "websocket.close"] == line.sent


class Told(Line):
    """A client that says what it is given, and goes."""

    def __init__(self, *frames: str) -> None:
        super().__init__(bears=9)
        self._coming: list[Message] = [
            {"type": "websocket.connect"},
            *({"type": "websocket.receive", "text": frame} for frame in frames),
            {"type": "websocket.disconnect"},
        ]

    async def receive(self) -> Message:
        return self._coming.pop(0)


async def test_a_large_message_is_in_flight_until_more_is_asked_for() -> None:
    large = json.dumps(append(bytes(1024 * 1024)))
    budget = Budget(inf)
    told = channel(
        await Told(large, json.dumps({"type": "input_audio_buffer.clear"})).websocket(),
        Holding(budget, lambda: None),
    )

    commands, held = [], []
    for _ in range(3):
        commands.append(await told.receive())
        held.append(budget.taken)

    assert [AppendAudio(bytes(1024 * 1024)), ClearAudio(), HangUp()] == commands
    assert [len(large), 0, 0] == held


async def test_a_large_message_is_not_decoded_where_all_others_would_wait() -> None:
    threads = []

    class Dialect(OpenAIRealtime):
        def decode(self, frame: str | bytes) -> FromClient:
            threads.append(threading.current_thread())
            return super().decode(frame)

    dialect = Dialect("sess_1", 0, counted_ids("event"), Shape.GA)
    websocket = await Told(json.dumps(append(bytes(1024 * 1024))), "{}").websocket()
    told = WebSocketChannel(websocket, dialect, Holding(Budget(inf), lambda: None))
    await told.receive()
    await told.receive()

    assert [False, True] == [thread is threading.current_thread() for thread in threads]


async def test_whoever_is_gone_cannot_be_turned_away() -> None:
    line = Line(bears=1)

    await _turn_away(await line.websocket(), Problem("invalid_value", "No."), 4000)

    assert ["websocket.accept"] == line.sent
