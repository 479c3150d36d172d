"""What each key may, through the real application: on the WebSocket, in posts and with files."""

import asyncio
import base64
import io
import json
import os
import signal
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any, Final

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import connect

from realtime_asr.server import app as module
from realtime_asr.server.access.revocations import Revocations
from realtime_asr.server.app import Gateway
from realtime_asr.server.serving import Server
from realtime_asr.session.session import Session
from realtime_asr.transports import literal_post
from realtime_asr.transports.accounts import Ticket, not_now
from realtime_asr.transports.literal_post import LITERAL_PATH
from tests.decoders.files import FLAC, encoded
from tests.fakes import ManualClock, silence, speech, tone
from tests.server.house import KEY, SPOKEN, gateway, open_house, settings

GA: Final = "/v1/realtime?intent=transcription"
FILES: Final = "/v1/audio/transcriptions"
ANOTHER: Final = "sk-another-0123456789-abcdef-77aa"
SIGNING: Final = "k1:0123456789abcdef0123456789abcdef"
NEW_SIGNING: Final = "k2:fedcba9876543210fedcba9876543210"


@pytest.fixture(autouse=True)
def _soon_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literal_post, "_QUIET_SECONDS", 0.05)


def bearer(key: str = KEY) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@contextmanager
def limited_house(clock: ManualClock | None = None, **more: Any) -> Iterator[tuple[TestClient, Gateway]]:
    house = Gateway(settings(**({"api_keys": f"{KEY},{ANOTHER}"} | more)), clock)
    with open_house(house) as client:
        yield client, house


def append(pcm: bytes) -> dict[str, str]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}


def ending(socket: WebSocketTestSession) -> tuple[list[dict[str, Any]], int, str]:
    """All that is told until the close, and how it closes."""
    events = []
    try:
        while True:
            events.append(socket.receive_json())
    except WebSocketDisconnect as closed:
        return events, closed.code, closed.reason


def turned_away(client: TestClient, key: str = KEY, url: str = GA) -> tuple[str, int, str]:
    with client.websocket_connect(url, headers=bearer(key)) as socket:
        [told], code, reason = ending(socket)
    return told["error"]["code"], code, reason


def let_in(client: TestClient, key: str = KEY) -> bool:
    with client.websocket_connect(GA, headers=bearer(key)) as socket:
        return bool(socket.receive_json()["type"] == "session.created")


def posted(client: TestClient, key: str = KEY, seconds: float = 0.5) -> Any:
    return client.post(LITERAL_PATH, json=append(speech(seconds)), headers=bearer(key))


def uploaded(client: TestClient, key: str = KEY, seconds: float = 0.5, model: str = "whisper-1") -> Any:
    with io.BytesIO() as file:
        with wave.open(file, "wb") as writer:
            writer.setparams((1, 2, 24_000, 0, "NONE", ""))
            writer.writeframes(speech(seconds))
        files = {"file": ("speech.wav", file.getvalue())}
    return client.post(FILES, files=files, data={"model": model}, headers=bearer(key))


def mint(client: TestClient, key: str = KEY) -> str:
    return str(client.post("/v1/realtime/client_secrets", headers=bearer(key)).json()["value"])


def calling(server: Server) -> connect:
    url = server.base_url.replace("http", "ws") + "/realtime?intent=transcription"
    return connect(url, additional_headers=bearer(), proxy=None)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0)


def wait_until(condition: Callable[[], bool], client: TestClient) -> None:
    while not condition():
        client.get("/health")


TOO_MUCH: Final = ("rate_limit_exceeded", 1013, "requests.rate_limit_exceeded")


def retry(response: Any) -> tuple[int, str, str, int]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["type"], int(response.headers["retry-after"])


# Sessions at the same time


def test_a_key_has_its_places_and_others_have_theirs() -> None:
    with (
        limited_house(key_sessions=1) as (client, _),
        client.websocket_connect(GA, headers=bearer()) as socket,
    ):
        socket.receive_json()

        assert TOO_MUCH == turned_away(client)
        assert (
            (429, "rate_limit_exceeded", "requests", 10) == retry(posted(client)) == retry(uploaded(client))
        )
        assert let_in(client, ANOTHER)


def test_a_client_secret_takes_a_place_of_the_key_that_minted_it() -> None:
    with limited_house(key_sessions=1) as (client, _):
        secret = mint(client)
        with client.websocket_connect(GA, headers=bearer(secret)) as socket:
            socket.receive_json()

            assert TOO_MUCH == turned_away(client) == turned_away(client, mint(client))


def test_without_keys_all_share_the_places_of_the_anonymous() -> None:
    with (
        limited_house(api_keys=(), key_sessions=1) as (client, _),
        client.websocket_connect(GA) as socket,
    ):
        socket.receive_json()

        assert TOO_MUCH == turned_away(client, "whoever")


def gone(socket: WebSocketTestSession) -> None:
    socket.close()


def done(socket: WebSocketTestSession) -> None:
    socket.send_json({"type": "session.close"})
    ending(socket)


@pytest.mark.parametrize("leave", [gone, done])
def test_a_place_is_free_when_the_session_has_ended(leave: Callable[[WebSocketTestSession], None]) -> None:
    with limited_house(key_sessions=1) as (client, house):
        for _ in range(3):
            with client.websocket_connect(GA, headers=bearer()) as socket:
                assert socket.receive_json()["type"] == "session.created"
                leave(socket)
            wait_until(lambda: not house.reception.accounts.seated, client)


def test_a_place_is_free_when_a_session_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    with limited_house(key_sessions=1) as (client, house):
        with monkeypatch.context() as clumsy, client.websocket_connect(GA, headers=bearer()) as socket:
            socket.receive_json()
            clumsy.setattr(Session, "receive", None)
            socket.send_json({"type": "session.close"})
            [told], code, _ = ending(socket)
        wait_until(lambda: not house.reception.accounts.seated, client)

        assert ("server_error", 1011) == (told["error"]["type"], code)
        assert let_in(client)


def test_a_place_is_free_when_the_handshake_asks_for_what_there_is_not() -> None:
    with limited_house(key_sessions=1) as (client, _):
        for _ in range(3):
            assert ("invalid_value", 4000) == turned_away(client, url="/v1/realtime?intent=conversation")[:2]


def test_a_place_is_free_when_a_post_or_a_file_was_answered() -> None:
    with limited_house(key_sessions=1) as (client, house):
        for ask in (posted, uploaded, posted):
            assert 200 == ask(client).status_code
            wait_until(lambda: not house.reception.accounts.seated, client)


async def test_a_place_is_free_when_the_clients_network_resets_the_connection() -> None:
    server = Server(settings(api_keys=KEY, key_sessions=1))
    async with server.serving():
        for _ in range(3):
            async with calling(server) as socket:
                assert json.loads(await socket.recv())["type"] == "session.created"
                await socket.send(json.dumps(append(speech(0.5))))
                socket.transport.abort()
            await eventually(lambda: not server.gateway.reception.accounts.seated)


# Starts


def test_starts_are_counted_at_all_doors_together() -> None:
    clock = ManualClock()
    with limited_house(clock, key_starts_per_minute=3) as (client, _):
        assert let_in(client)
        assert [200, 200] == [ask(client).status_code for ask in (posted, uploaded)]

        clock.advance(5.0)
        assert TOO_MUCH == turned_away(client)
        assert (
            (429, "rate_limit_exceeded", "requests", 15) == retry(posted(client)) == retry(uploaded(client))
        )
        assert let_in(client, ANOTHER)

        clock.advance(15.0)
        assert 200 == posted(client).status_code


def test_posts_that_continue_a_session_are_no_starts() -> None:
    with limited_house(key_starts_per_minute=2) as (client, _):
        secret, another = mint(client), mint(client)

        assert [200] * 3 == [posted(client, secret).status_code for _ in range(3)]
        assert [200, 429] == [posted(client, each).status_code for each in (another, KEY)]


@pytest.mark.parametrize("path", ["client_secrets", "transcription_sessions"])
def test_there_are_as_many_client_secrets_a_minute_as_starts(path: str) -> None:
    def minted(client: TestClient, key: str = KEY) -> Any:
        return client.post(f"/v1/realtime/{path}", headers=bearer(key))

    clock = ManualClock()
    with limited_house(clock, key_starts_per_minute=2) as (client, _):
        assert [200, 200] == [minted(client).status_code for _ in range(2)]
        assert (429, "rate_limit_exceeded", "requests", 30) == retry(minted(client))
        assert (200, 200) == (minted(client, ANOTHER).status_code, posted(client).status_code)

        clock.advance(30.0)
        assert 200 == minted(client).status_code


# Audio


def test_a_recording_sent_at_once_is_heard_for_a_minute_and_told_why_it_ends() -> None:
    said = silence(2.0) + speech(1.2) + silence(0.6)
    with (
        limited_house(ManualClock(), key_audio_per_minute=60) as (client, _),
        client.websocket_connect(GA, headers=bearer()) as socket,
    ):
        socket.send_json(append(said))
        for second in range(100):
            socket.send_json(append(silence(1.0)) | {"event_id": f"second {second}"})
        events, code, reason = ending(socket)

        [text] = [event["transcript"] for event in events if event["type"].endswith(".completed")]
        error = events[-1]["error"]
        # 3.8 s were said, so of the silence it is the 58th second that finds nothing left.
        assert (SPOKEN, "second 57", "requests") == (text, error["event_id"], error["type"])
        assert TOO_MUCH == (error["code"], code, reason)
        assert TOO_MUCH == turned_away(client)
        assert 429 == posted(client).status_code


def test_who_streams_in_real_time_is_never_in_the_way_of_the_limit() -> None:
    clock = ManualClock()
    with (
        limited_house(clock, key_audio_per_minute=60) as (client, _),
        client.websocket_connect(GA, headers=bearer()) as socket,
    ):
        socket.receive_json()
        for _ in range(300):
            clock.advance(1.0)
            socket.send_json(append(silence(1.0)))
            socket.send_json({"type": "input_audio_buffer.clear"})
            assert socket.receive_json()["type"] == "input_audio_buffer.cleared"


def test_what_is_owed_for_a_file_has_to_come_back_first() -> None:
    clock = ManualClock()
    with limited_house(clock, key_audio_per_minute=60) as (client, _):
        assert 200 == uploaded(client, seconds=90.0).status_code

        assert (
            (429, "rate_limit_exceeded", "requests", 40) == retry(uploaded(client)) == retry(posted(client))
        )
        clock.advance(40.0)
        assert 200 == uploaded(client).status_code


def test_for_a_file_that_breaks_off_only_what_was_heard_is_owed() -> None:
    whole = encoded(tone(120 * 16_000), FLAC)
    with limited_house(ManualClock(), key_audio_per_minute=60) as (client, _):
        files = {"file": ("speech.flac", whole[: len(whole) // 4])}
        client.post(FILES, files=files, data={"model": "whisper-1"}, headers=bearer())

        assert 200 == uploaded(client).status_code


def test_a_post_that_is_too_much_may_come_again_and_its_session_goes_on() -> None:
    clock = ManualClock()
    with limited_house(clock, key_audio_per_minute=60) as (client, house):
        secret = mint(client)
        posted(client, secret, seconds=61.0)

        assert (429, "rate_limit_exceeded", "requests", 11) == retry(posted(client, secret))
        clock.advance(11.0)
        assert 200 == posted(client, secret).status_code
        assert 1 == len(house.reception.accounts.seated)


# Bytes in flight


async def test_what_is_in_flight_counts_for_the_key() -> None:
    server = Server(settings(api_keys=KEY, key_in_flight_mib=1))
    async with server.serving(), calling(server) as socket:
        await socket.recv()
        [ticket] = server.gateway.reception.accounts.seated.values()
        budget = server.gateway.reception.accounts.in_flight(ticket.proof.key)
        half = asyncio.Event()

        async def parts() -> AsyncIterator[str]:
            yield '{"type": "input_audio_buffer.clear", "padding": "' + "x" * 500_000
            await half.wait()
            yield '"}'

        sending = asyncio.create_task(socket.send(parts()))
        await eventually(lambda: budget.held > 500_000)
        half.set()
        await sending
        await socket.recv()

        assert (0, 1024 * 1024) == (budget.held, budget.most)


# Models


def table(**more: Any) -> dict[str, Any]:
    return {"keys": {"alice": {"key": "sk-alice", **more}}}


@pytest.fixture(scope="module")
def choosy() -> Iterator[TestClient]:
    """`alice` may use one model of two."""
    more: dict[str, Any] = {"models": "fast=tiny", "aliases": "quick=fast", **table(models=["fast"])}
    with limited_house(**more) as (client, _):
        yield client


def test_a_key_sees_the_models_it_may_use(choosy: TestClient) -> None:
    def names(key: str) -> set[str]:
        return {model["id"] for model in choosy.get("/v1/models", headers=bearer(key)).json()["data"]}

    assert {"fast", "quick"} == names("sk-alice")
    assert {"fast", "quick", "bundled", "whisper-1"} <= names(KEY)


@pytest.mark.parametrize(("model", "status"), [("fast", 200), ("quick", 200), ("bundled", 404), ("no", 404)])
def test_a_model_one_may_not_use_is_not_found(choosy: TestClient, model: str, status: int) -> None:
    asked = choosy.get(f"/v1/models/{model}", headers=bearer("sk-alice"))
    wish = {"session": {"type": "transcription", "audio": {"input": {"transcription": {"model": model}}}}}
    minted = choosy.post("/v1/realtime/client_secrets", json=wish, headers=bearer("sk-alice"))
    heard = uploaded(choosy, "sk-alice", model=model)

    assert [status] * 3 == [asked.status_code, minted.status_code, heard.status_code]


@pytest.mark.parametrize("model", ["bundled", "whisper-1", "no"])
def test_a_model_one_may_not_use_is_none_at_the_door_and_in_updates(choosy: TestClient, model: str) -> None:
    wish = {"audio": {"input": {"transcription": {"model": model}}}}
    update = {"type": "session.update", "session": {"type": "transcription", **wish}}

    with choosy.websocket_connect(GA, headers=bearer("sk-alice")) as socket:
        created = socket.receive_json()["session"]
        socket.send_json(update)
        error = socket.receive_json()["error"]

    assert "fast" == created["audio"]["input"]["transcription"]["model"]
    assert ("model_not_found", None) == (error["code"], error["param"])
    assert ("invalid_model", 4000) == turned_away(choosy, "sk-alice", f"{GA}&model={model}")[:2]
    assert 200 == posted(choosy, "sk-alice").status_code


# Keys that come and go


async def reloaded(house: Gateway, **more: Any) -> None:
    await house.reload(settings(**more))


def test_a_key_that_is_gone_is_refused_at_once_and_its_sessions_end() -> None:
    with limited_house() as (client, house):
        secret = mint(client)
        with (
            client.websocket_connect(GA, headers=bearer()) as mine,
            client.websocket_connect(GA, headers=bearer(secret)) as by_secret,
            client.websocket_connect(GA, headers=bearer(ANOTHER)) as another,
        ):
            mine.send_json(append(speech(1.2)))
            while mine.receive_json()["type"] != "input_audio_buffer.speech_started":
                pass
            by_secret.receive_json()
            another.receive_json()

            client.portal.call(lambda: reloaded(house, api_keys=ANOTHER))  # type: ignore[union-attr]

            told, code, reason = ending(mine)
            [last], secrets_code, _ = ending(by_secret)
            another.send_json({"type": "input_audio_buffer.clear"})

            assert SPOKEN in [event.get("transcript") for event in told]
            assert {"invalid_api_key"} == {event["error"]["code"] for event in (told[-1], last)}
            assert (3000, 3000, "invalid_request_error.invalid_api_key") == (code, secrets_code, reason)
            assert "input_audio_buffer.cleared" == another.receive_json()["type"]
        for key in (KEY, secret):
            assert ("invalid_api_key", 3000) == turned_away(client, key)[:2]
            assert [401, 401] == [ask(client, key).status_code for ask in (posted, uploaded)]


async def test_a_server_told_to_read_its_settings_again_closes_who_may_not_be_there_any_more() -> None:
    server = Server(settings(api_keys=KEY), reread=lambda: settings(api_keys=ANOTHER))
    async with server.serving(), calling(server) as socket:
        await socket.recv()
        os.kill(os.getpid(), signal.SIGHUP)
        told = json.loads(await socket.recv())
        await socket.wait_closed()

    assert ("invalid_api_key", 3000) == (told["error"]["code"], socket.close_code)


def test_keys_that_a_restart_would_do_without_are_kept_until_then() -> None:
    """The server listens to the whole network still."""
    with limited_house(host="0.0.0.0") as (client, house):
        client.portal.call(lambda: house.reload(settings(host="127.0.0.1")))  # type: ignore[union-attr]

        answers = [client.get("/v1/models", headers=headers).status_code for headers in ({}, bearer())]

    assert [401, 200] == answers


def test_a_new_key_and_new_limits_hold_at_once() -> None:
    with limited_house() as (client, house):
        before = posted(client, "sk-alice").status_code

        more = table(starts_per_minute=1) | {"api_keys": KEY, "key_sessions": 7}
        client.portal.call(lambda: reloaded(house, **more))  # type: ignore[union-attr]

        after = [posted(client, "sk-alice").status_code for _ in range(2)]
        assert (401, [200, 429]) == (before, after)
        assert 7 == house.reception.accounts.allowances.of("others").sessions


def test_without_signing_keys_a_reload_leaves_client_secrets_good() -> None:
    with limited_house() as (client, house):
        secret = mint(client)

        client.portal.call(lambda: reloaded(house, api_keys=KEY, key_sessions=5))  # type: ignore[union-attr]

        assert let_in(client, secret)


def test_signing_keys_rotate_while_clients_come_and_nobody_is_refused() -> None:
    with limited_house(secret_keys=SIGNING) as (client, house):
        secrets = [mint(client)]

        for ring in ([SIGNING], [NEW_SIGNING, SIGNING], [NEW_SIGNING, SIGNING], [SIGNING, NEW_SIGNING]):
            more = {"api_keys": f"{KEY},{ANOTHER}", "secret_keys": ring}
            swap = client.portal.start_task_soon(reloaded_often, house, more)  # type: ignore[union-attr]
            is_done = False
            while not is_done:
                is_done = swap.done()
                secrets.append(mint(client))
                assert all(let_in(client, secret) for secret in secrets[-3:])
            swap.result()

        assert all(let_in(client, secret) for secret in secrets)


async def reloaded_often(house: Gateway, more: dict[str, Any]) -> None:
    for _ in range(20):
        await reloaded(house, **more)
        await asyncio.sleep(0)


def test_what_a_signing_key_signed_falls_with_it() -> None:
    with limited_house(secret_keys=SIGNING) as (client, house):
        secret = mint(client)

        client.portal.call(lambda: reloaded(house, api_keys=KEY, secret_keys=NEW_SIGNING))  # type: ignore[union-attr]

        assert ("invalid_api_key", 3000) == turned_away(client, secret)[:2]
        assert let_in(client, mint(client))


# Client secrets that are taken back


def revoke(client: TestClient, value: object, key: str = KEY) -> Any:
    return client.post("/v1/realtime/client_secrets/revoke", json={"value": value}, headers=bearer(key))


def test_a_client_secret_that_is_revoked_opens_nothing_and_its_sessions_end(tmp_path: Path) -> None:
    with limited_house(state_folder=tmp_path) as (client, _):
        secret, another = mint(client), mint(client)
        with (
            client.websocket_connect(GA, headers=bearer(secret)) as socket,
            client.websocket_connect(GA, headers=bearer(another)) as other,
        ):
            socket.receive_json()
            other.receive_json()
            answers = [revoke(client, secret) for _ in range(2)]
            [told], code, _ = ending(socket)
            other.send_json({"type": "input_audio_buffer.clear"})

            assert [(200, {"revoked": True})] * 2 == [(each.status_code, each.json()) for each in answers]
            assert ("invalid_api_key", 3000) == (told["error"]["code"], code)
            assert "input_audio_buffer.cleared" == other.receive_json()["type"]
        assert ("invalid_api_key", 3000) == turned_away(client, secret)[:2]
        assert 401 == posted(client, secret).status_code
        assert let_in(client, another)


def test_it_is_remembered_after_a_restart(tmp_path: Path) -> None:
    lasting: dict[str, Any] = {"state_folder": tmp_path, "secret_keys": SIGNING}
    with limited_house(**lasting) as (client, _):
        secret, another = mint(client), mint(client)
        revoke(client, secret)

    with limited_house(**lasting) as (client, _):
        assert ("invalid_api_key", 3000) == turned_away(client, secret)[:2]
        assert let_in(client, another)


def test_a_server_that_shares_the_folder_ends_its_sessions_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY_SECONDS", 0.01)
    shared: dict[str, Any] = {"state_folder": tmp_path, "secret_keys": SIGNING}
    with (
        limited_house(**shared) as (here, _),
        limited_house(**shared) as (there, _),
        there.websocket_connect(GA, headers=bearer(secret := mint(here))) as socket,
    ):
        socket.receive_json()
        revoke(here, secret)

        [told], code, _ = ending(socket)
        assert ("invalid_api_key", 3000) == (told["error"]["code"], code)


def test_looking_for_what_others_revoked_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder may be large, and far away."""
    looks, answered, in_time = Event(), Event(), list[bool]()

    def look(_: Revocations) -> None:
        looks.set()
        in_time.append(answered.wait(5))

    house = gateway()
    monkeypatch.setattr(module, "_LOOK_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(Revocations, "look", look)
    with open_house(house) as client:
        assert looks.wait(5)
        client.get("/livez")
        answered.set()

    assert in_time
    assert all(in_time)


def refusal(response: Any) -> tuple[int, str | None, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def test_only_who_minted_a_client_secret_can_revoke_it(tmp_path: Path) -> None:
    with limited_house(state_folder=tmp_path) as (client, _):
        secret = mint(client)

        assert (404, "client_secret_not_found", "value") == refusal(revoke(client, secret, ANOTHER))
        assert (401, "invalid_api_key", None) == refusal(revoke(client, secret, secret))
        assert let_in(client, secret)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ek_made.up.here", (404, "client_secret_not_found", "value")),
        (KEY, (404, "client_secret_not_found", "value")),
        (7, (400, "invalid_type", "value")),
        (None, (400, "invalid_type", "value")),
    ],
)
def test_what_is_no_client_secret_cannot_be_revoked(
    value: object, expected: tuple[int, str, str], tmp_path: Path
) -> None:
    with limited_house(state_folder=tmp_path) as (client, _):
        assert expected == refusal(revoke(client, value))


def test_what_cannot_be_written_down_is_an_error_and_holds_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "revoked").write_text("a file where the folder would be")
    with limited_house(state_folder=tmp_path) as (client, _):
        secret = mint(client)

        response = revoke(client, secret)

        assert (500, None, None) == refusal(response)
        assert "good again" in response.json()["error"]["message"]
        assert ("invalid_api_key", 3000) == turned_away(client, secret)[:2]


# Those who watch


class Doorman:
    """Notes who was not let in."""

    def __init__(self, house: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, str, str | None]] = []
        monkeypatch.setattr(house.sessions.observer, "refused", self.refused)

    def refused(self, visitor: Any, code: str | None) -> None:
        assert visitor.traceparent == "00-trace"
        self.seen.append((visitor.door, visitor.key_id, code))


def test_who_is_not_let_in_is_told_to_those_who_watch_at_every_door(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, evil = {"traceparent": "00-trace"}, {"origin": "https://evil.example"}
    with limited_house(**table(sessions=1)) as (client, house):
        doorman = Doorman(house, monkeypatch)

        def knock(headers: dict[str, str]) -> None:
            with (
                suppress(WebSocketDenialResponse),
                client.websocket_connect(GA, headers=trace | headers) as socket,
            ):
                ending(socket)

        def everywhere(headers: dict[str, str]) -> None:
            for path in (LITERAL_PATH, FILES, "/v1/realtime/client_secrets"):
                client.post(path, headers=trace | headers)
            knock(headers)

        doors = ("post", "files", "rest", "realtime")
        everywhere(evil)
        everywhere(bearer("sk-wrong"))
        with client.websocket_connect(GA, headers=bearer("sk-alice")):
            knock(bearer("sk-alice"))
            client.post(LITERAL_PATH, json=append(speech(0.5)), headers=trace | bearer("sk-alice"))
        house.sessions.most = 0
        client.post("/v1/realtime/client_secrets", headers=trace | bearer("sk-alice"))
        house.reception.ready = False
        everywhere({})

    assert [
        *((door, "anonymous", "origin_not_allowed") for door in doors),
        *((door, "anonymous", "invalid_api_key") for door in doors),
        ("realtime", "alice", "rate_limit_exceeded"),
        ("post", "alice", "rate_limit_exceeded"),
        ("rest", "alice", "rate_limit_exceeded"),
        *((door, "anonymous", None) for door in doors),
    ] == doorman.seen


def test_so_is_whose_file_finds_nothing_left_of_the_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others spent it while this one came up."""
    with limited_house(**table()) as (client, house):
        doorman = Doorman(house, monkeypatch)
        monkeypatch.setattr(Ticket, "heard", lambda *_: not_now("Others were heard."))
        client.headers["traceparent"] = "00-trace"

        assert 429 == uploaded(client, "sk-alice").status_code

    assert [("files", "alice", "rate_limit_exceeded")] == doorman.seen
