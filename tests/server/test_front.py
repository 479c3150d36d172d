"""What clients can do wrong below the application, and what becomes of them."""

import asyncio
import base64
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from realtime_asr.decoders.recording import UnreadableRecording
from realtime_asr.server import front
from realtime_asr.server.serving import Server
from realtime_asr.server.settings import Settings
from realtime_asr.transports import file_desk
from tests.server.house import settings

MIB: Final = 1024 * 1024
HEAD: Final = b"POST /v1/realtime/client_secrets HTTP/1.1\r\nHost: here\r\n"
UPGRADE: Final = b"GET /v1/realtime?intent=transcription HTTP/1.1\r\nHost: here\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"


@asynccontextmanager
async def serving(**more: Any) -> AsyncIterator[Server]:
    server = Server(settings(**more))
    async with server.serving():
        yield server
        await becomes(lambda: server.gateway.in_flight.held == len(server.gateway.sessions) == 0)


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*server.base_url[7:-3].split(":"))
    try:
        yield reader, writer
    finally:
        writer.close()


async def becomes(condition: Callable[[], bool], within: float = 5) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.01)


def calling(server: Server, **options: Any) -> connect:
    return connect(server.base_url.replace("http", "ws", 1) + "/realtime?intent=transcription", **options)


async def told(server: Server, *sent: bytes) -> bytes:
    """Everything, up to the end of the connection."""
    async with connected(server) as (reader, writer), asyncio.timeout(5):
        for part in sent:
            writer.write(part)
            await writer.drain()
        return await reader.read()


async def anything(reader: asyncio.StreamReader, within: float) -> bytes:
    """The next byte, if one comes in time."""
    try:
        async with asyncio.timeout(within):
            return await reader.read(1)
    except TimeoutError:
        return b""


def overhear(caplog: pytest.LogCaptureFixture) -> None:
    """Servers set up the log of the whole process, and it hears nothing more."""
    logging.getLogger().addHandler(caplog.handler)


def refusal(answer: bytes) -> tuple[int, dict[str, Any]]:
    """The status, and the error in OpenAI's shape."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"x-request-id: req_" in head
    return int(head.split()[1]), json.loads(body)["error"]


async def until(call: ClientConnection, ending: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            event: dict[str, Any] = json.loads(await call.recv())
            if event["type"].endswith(ending):
                return event


def append(size: int) -> str:
    """An event with so much audio, in bytes."""
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(size)).decode()})


# HTTP


async def test_who_says_nothing_is_hung_up_on() -> None:
    async with serving(handshake_seconds=0.2) as server:
        assert b"" == await told(server)


async def test_who_does_not_finish_a_request_in_time_is_told_so() -> None:
    begun = (
        b"G",
        HEAD,
        HEAD + b"Content-Length: 9\r\n\r\n",
        HEAD + b"Content-Length: 9\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    )
    async with serving(handshake_seconds=0.2) as server:
        refusals = [refusal(await told(server, part)) for part in begun]

    assert {408} == {status for status, _ in refusals}
    assert {"invalid_request_error"} == {error["type"] for _, error in refusals}


async def test_a_head_that_dribbles_in_is_not_waited_for() -> None:
    async with serving(handshake_seconds=0.3) as server, connected(server) as (reader, writer):
        async with asyncio.timeout(5):
            while not await anything(reader, within=0.05):
                writer.write(b"G")
            answer = await reader.read()

    assert 408 == refusal(b"H" + answer)[0]


async def test_a_body_that_comes_slowly_but_steadily_is_waited_for() -> None:
    body = b'{"session":{"type":"transcription"}}'.ljust(2_000)
    async with serving(handshake_seconds=0.5) as server, connected(server) as (reader, writer):
        writer.write(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 200):
            assert not await anything(reader, within=0.1)
            writer.write(body[start : start + 200])
        answer = await reader.read()

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_connection_that_is_kept_alive_has_no_more_time_for_its_next_request() -> None:
    first = b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n"
    async with serving(handshake_seconds=0.2) as server:
        answers = await told(server, first, b"GET /hea")

    assert answers.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answers


NO_REQUESTS: Final = {
    "a header of a megabyte": (HEAD + b"Cookie: " + b"x" * MIB, 431),
    "headers that come whole but are too large": (HEAD + b"Cookie: %s\r\n\r\n" % (b"x" * 100_000), 431),
    "two kinds of length": (
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "less than nothing": (HEAD + b"Content-Length: -1\r\n\r\n", 400),
    "an unknown encoding": (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    "a chunk without a length": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "an upgrade without a key": (UPGRADE + b"\r\n", 400),
    "an upgrade with half a key": (
        UPGRADE + b"Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n",
        400,
    ),
    "an upgrade of another version": (
        UPGRADE + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 8\r\n\r\n",
        400,
    ),
    "an upgrade with much in its headers": (UPGRADE + b"Cookie: %s\r\n\r\n" % (b"x" * 10_000), 431),
}


async def test_what_is_no_request_is_refused_as_openai_refuses() -> None:
    async with serving() as server:
        answered = {name: refusal(await told(server, sent))[0] for name, (sent, _) in NO_REQUESTS.items()}

    assert {name: status for name, (_, status) in NO_REQUESTS.items()} == answered


async def test_an_upgrade_to_what_we_do_not_speak_is_a_request_like_others() -> None:
    sent = b"GET /health HTTP/1.1\r\nHost: here\r\nConnection: upgrade, close\r\nUpgrade: h2c\r\n\r\n"
    async with serving() as server:
        answer = await told(server, sent)

    assert answer.startswith(b"HTTP/1.1 200 ")


# WebSockets


async def test_text_that_is_not_utf8_closes_without_a_word_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as server, calling(server) as call:
        overhear(caplog)
        await until(call, "created")
        await call.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed):
            await call.recv()

    assert 1007 == call.close_code
    assert [] == caplog.messages


@pytest.mark.parametrize("fragments", [1, 8])
async def test_a_message_above_the_cap_closes_with_the_reason(fragments: int) -> None:
    parts = ["x" * (3 * MIB // fragments)] * fragments
    async with serving(max_message_mib=2) as server, calling(server) as call:
        await until(call, "created")
        with suppress(ConnectionClosed):
            await call.send(parts if fragments > 1 else parts[0])
        await call.wait_closed()

    assert 1009 == call.close_code


async def test_the_largest_audio_openai_takes_passes() -> None:
    async with serving() as server, calling(server) as call:
        await call.send(append(15 * MIB))
        await call.send('{"type":"input_audio_buffer.clear"}')
        cleared = await until(call, "cleared")

    assert "input_audio_buffer.cleared" == cleared["type"]


async def test_a_client_may_close_in_the_middle_of_a_message() -> None:
    async def half() -> AsyncIterator[str]:
        yield '{"type":'
        call.protocol.send_close(1000)
        call.transport.write(b"".join(call.protocol.data_to_send()))
        await call.wait_closed()

    async with serving() as server, calling(server) as call:
        with pytest.raises(ConnectionClosed):
            await call.send(half())

    assert 1000 == call.close_code


# Signs of life


def vanish(call: ClientConnection) -> None:
    call.transport.pause_reading()


async def test_a_client_that_vanished_is_let_go() -> None:
    async with serving(ping_seconds=0.2) as server, calling(server) as call:
        await until(call, "created")
        vanish(call)
        await becomes(lambda: len(server.gateway.sessions) == 0)
        call.transport.abort()


def test_a_client_that_vanished_is_let_go_within_22_seconds() -> None:
    usual = Settings()

    assert 2 * usual.ping_seconds + front._LINGER_SECONDS <= 22


async def test_a_client_that_says_nothing_but_lives_is_kept() -> None:
    async with serving(ping_seconds=0.1) as server, calling(server) as call:
        await until(call, "created")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await call.recv()
        await call.send('{"type":"input_audio_buffer.clear"}')

        await until(call, "cleared")


async def test_a_client_whose_pongs_we_do_not_read_is_not_taken_for_dead() -> None:
    async def slow(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        # Well beyond two pings.
        await asyncio.sleep(1)
        await send({"type": "websocket.send", "text": (await receive())["text"]})
        await receive()

    async with serving_app(slow, ping_seconds=0.1) as server, calling(server) as call:
        await call.send("still here")

        assert "still here" == await call.recv()


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    cut_off = asyncio.Event()

    async def talkative(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "text": "x" * 100_000})
        finally:
            cut_off.set()

    async with serving_app(talkative, ping_seconds=0.3) as server, small_window(server) as call:
        vanish(call)
        async with asyncio.timeout(5):
            await cut_off.wait()
        call.transport.abort()


@asynccontextmanager
async def serving_app(app: ASGIApp, **more: Any) -> AsyncIterator[Server]:
    """Our front before an application of the test's."""
    server = Server(settings(**more))
    server.config.app = Starlette(routes=[Mount("/", app)])
    server.gateway.reception.ready = True
    async with server.serving():
        yield server


@asynccontextmanager
async def small_window(server: Server) -> AsyncIterator[ClientConnection]:
    """A client whose kernel takes little that it does not read."""
    host, port = server.base_url[7:-3].split(":")
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plug.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plug, (host, int(port)))
    async with calling(server, sock=plug, ping_interval=None, close_timeout=0.1) as call:
        yield call


async def test_who_pings_and_reads_no_pongs_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "_FRAMES_PER_SECOND", 1_000_000)
    pings = b"\x89\xfd\0\0\0\0" + bytes(125)
    async with serving() as server, small_window(server) as call:
        vanish(call)
        async with asyncio.timeout(10):
            while len(server.gateway.sessions):
                call.transport.write(pings * 100)
                await asyncio.sleep(0)
        call.transport.abort()


# What is in flight


async def test_what_is_in_flight_is_counted_until_a_session_took_it() -> None:
    async with serving() as server, calling(server) as call:
        await until(call, "created")
        begun = asyncio.create_task(call.send(half_of(append(MIB), go_on := asyncio.Event())))
        await becomes(lambda: server.gateway.in_flight.held > MIB // 2)
        go_on.set()
        await begun
        await call.send('{"type":"input_audio_buffer.clear"}')
        await until(call, "cleared")

        assert 0 == server.gateway.in_flight.held


async def half_of(message: str, go_on: asyncio.Event) -> AsyncIterator[str]:
    """The message as fragments of which the second waits."""
    middle = len(message) // 2
    yield message[:middle]
    await go_on.wait()
    yield message[middle:]


async def test_messages_that_are_each_half_there_all_get_through_a_full_server() -> None:
    async with serving(in_flight_mib=1) as server:
        go_on = asyncio.Event()

        async def send_much() -> None:
            async with calling(server) as call:
                await call.send(half_of(append(MIB), go_on))
                await call.send('{"type":"input_audio_buffer.clear"}')
                await until(call, "cleared")

        async with asyncio.TaskGroup() as senders, asyncio.timeout(20):
            for _ in range(4):
                senders.create_task(send_much())
            await becomes(lambda: server.gateway.in_flight.held > MIB)
            go_on.set()


async def test_who_keeps_a_full_server_waiting_is_asked_to_come_back_and_others_go_on() -> None:
    async with (
        serving(in_flight_mib=1, handshake_seconds=0.5) as server,
        calling(server) as slow,
        calling(server) as small,
        calling(server) as large,
    ):
        stuck = asyncio.create_task(slow.send(half_of(append(2 * MIB), asyncio.Event())))
        await becomes(lambda: server.gateway.in_flight.held > MIB)
        await small.send('{"type":"input_audio_buffer.clear"}')
        await until(small, "cleared")
        await large.send(append(MIB))
        await large.send('{"type":"input_audio_buffer.clear"}')
        await until(large, "cleared")
        await slow.wait_closed()
        stuck.cancel()

    assert 1013 == slow.close_code


async def test_a_body_that_is_gathered_in_memory_counts_too() -> None:
    async with serving(in_flight_mib=1, handshake_seconds=0.5) as server:
        head = b"POST /v1/realtime/intent=transcription HTTP/1.1\r\nHost: here\r\nContent-Length: 9000000\r\n\r\n"
        answer = await told(server, head, bytes(3 * MIB))

    assert 503 == refusal(answer)[0]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/realtime/intent=transcription", "multipart/form-data; boundary=b"),
        ("/v1/asr", "multipart/form-data; boundary=b"),
        ("/v1/audio/transcriptions", "application/json; profile=multipart/form-data"),
        ("/v1/audio/transcriptions", "application/json\r\nContent-Type: multipart/form-data; boundary=b"),
    ],
)
async def test_what_only_claims_to_be_a_form_counts_like_other_bodies(path: str, kind: str) -> None:
    async with serving(in_flight_mib=1, handshake_seconds=0.5) as server:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Type: {kind}\r\nContent-Length: 9000000\r\n\r\n"
        )
        answer = await told(server, head.encode(), bytes(3 * MIB))

    assert 503 == refusal(answer)[0]


async def test_a_file_that_is_heard_by_now_is_in_flight_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    opened, go_on = threading.Event(), threading.Event()

    def heard(_: object) -> None:
        opened.set()
        go_on.wait()
        raise UnreadableRecording("It was none.")

    monkeypatch.setattr(file_desk, "open_recording", heard)
    async with serving() as server, httpx2.AsyncClient() as client:
        body = {"audio": base64.b64encode(bytes(MIB)).decode()}
        posting = asyncio.create_task(client.post(server.base_url + "/asr", json=body))
        await becomes(opened.is_set)
        held = server.gateway.in_flight.held
        go_on.set()
        answer = await posting

    assert (0, 400) == (held, answer.status_code)


async def test_the_file_of_a_form_goes_to_disk_and_does_not_count() -> None:
    async with serving(in_flight_mib=1) as server, connected(server) as (reader, writer):
        kind = "Multipart/Form-Data; boundary=b"
        head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: here\r\nContent-Type: {kind}\r\n"
        part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(3 * MIB)
        writer.write(f"{head}Content-Length: {len(part) + 9}\r\n\r\n".encode() + part)
        await writer.drain()
        held = server.gateway.in_flight.held
        writer.write(b"\r\n--b--\r\n")
        answer = await reader.readline()

    assert (0, b"HTTP/1.1 400 Bad Request\r\n") == (held, answer)


# Refused handshakes


async def status_of(server: Server, path: str = "/realtime", **headers: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(server.base_url.replace("http", "ws", 1) + path, additional_headers=headers):
            pass
    return refused.value.response.status_code


async def test_a_refused_handshake_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        overhear(caplog)
        nowhere = await status_of(server, "/nowhere")
        foreign = await status_of(server, Origin="https://elsewhere.example")
        server.gateway.reception.ready = False
        too_early = await status_of(server)
        server.gateway.reception.ready = True

    assert (404, 403, 503) == (nowhere, foreign, too_early)
    assert [] == caplog.messages


# Pages


LOOKED_AT: Final = {"/v1/health_check", "/v1/statistics"}
"""As /health is, and /stats: answered to all, and shown to no page."""


async def test_pages_of_other_origins_may_not_talk_to_any_of_our_routes() -> None:
    foreign = {"Origin": "https://elsewhere.example"}
    async with serving() as server, httpx2.AsyncClient(headers=foreign) as client:
        app = server.gateway.app(lambda _: None)
        base_url = server.base_url.removesuffix("/v1")
        for route in app.routes:
            path = getattr(route, "path", "").replace("{name:path}", "x")
            for method in getattr(route, "methods", None) or ():
                if path.startswith(("/v1", "/openai")) and path not in LOOKED_AT:
                    answer = await client.request(method, base_url + path)
                    assert (403, path, method) == (answer.status_code, path, method)
            if not hasattr(route, "methods") and "any:path" not in path:
                with pytest.raises(InvalidStatus) as refused:
                    async with connect(base_url.replace("http", "ws") + path, additional_headers=foreign):
                        pass
                assert 403 == refused.value.response.status_code
