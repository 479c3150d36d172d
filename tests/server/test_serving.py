"""Listening, on loopback, and leaving."""

import asyncio
import base64
import io
import json
import os
import re
import signal
import socket
import ssl
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from realtime_asr.engines.engine import UnusableModel
from realtime_asr.server.serving import Server
from realtime_asr.server.settings import BadSettings, Settings
from realtime_asr.transcript.hypothesis import Hypothesis
from tests.fakes import ScriptedEngine, speech, words
from tests.server.house import SPOKEN, settings


@asynccontextmanager
async def calling(base_url: str) -> AsyncIterator[ClientConnection]:
    """A session in the middle of a turn."""
    async with connect(base_url.replace("http", "ws", 1) + "/realtime?intent=transcription") as call:
        audio = base64.b64encode(speech(1.2)).decode()
        await call.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        await until(call, "speech_started")
        yield call


async def until(call: ClientConnection, ending: str) -> dict[str, Any]:
    while True:
        event: dict[str, Any] = json.loads(await call.recv())
        if event["type"].endswith(ending):
            return event


async def test_a_server_tells_where_it_listens() -> None:
    server = Server(settings())
    async with server.serving(), httpx2.AsyncClient() as client:
        base_url = server.base_url
        answer = await client.get(f"{base_url}/models")

    assert base_url.startswith("http://127.0.0.1:")
    assert answer.status_code == 200


async def test_an_address_of_the_newer_kind_is_told_in_brackets() -> None:
    server = Server(settings(host="::1"))
    async with server.serving():
        assert server.base_url.startswith("http://[::1]:")


async def test_with_a_certificate_the_server_speaks_tls(tmp_path: Path) -> None:
    issuer, certificate, key = trustme.CA(), tmp_path / "cert.pem", tmp_path / "key.pem"
    issued = issuer.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(key)
    for part in issued.cert_chain_pems:
        part.write_to_path(certificate, append=True)
    trusting = ssl.create_default_context()
    issuer.configure_trust(trusting)
    server = Server(settings(tls_cert=certificate, tls_key=key))

    async with server.serving(), httpx2.AsyncClient(verify=trusting) as client:
        base_url = server.base_url
        answer = await client.get(f"{base_url}/models")

    assert base_url.startswith("https://127.0.0.1:")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers", [[("Cookie", "x" * 10_000)], [(f"X-{number}", "") for number in range(200)]]
)
async def test_a_handshake_with_too_much_in_its_headers_is_refused(headers: list[tuple[str, str]]) -> None:
    server = Server(settings())
    async with server.serving():
        address = server.base_url.replace("http", "ws", 1) + "/realtime"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(address, additional_headers=headers, open_timeout=2):
                pass

    assert 431 == refused.value.response.status_code


async def test_a_port_in_use_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(settings(port=port))

        with pytest.raises(
            OSError, match=rf"^Cannot listen on 127\.0\.0\.1: .*{port}.*in use\. --port takes another\.$"
        ):
            async with server.serving():
                pass


async def test_an_address_that_is_not_ours_is_told_without_a_hint_at_the_port() -> None:
    server = Server(settings(host="192.0.2.1", no_auth=True))

    with pytest.raises(OSError, match=r"^Cannot listen on 192\.0\.2\.1: .*requested address\.$"):
        async with server.serving():
            pass


async def test_a_server_may_listen_on_further_ports() -> None:
    server = Server(settings(also_ports=(0, 0)))
    async with server.serving(), httpx2.AsyncClient() as client:
        ports = {listening.sockets[0].getsockname()[1] for listening in server.servers}
        answers = [await client.get(f"http://127.0.0.1:{port}/v1/models") for port in ports]

    assert [200] * 3 == [answer.status_code for answer in answers]


async def test_a_further_port_in_use_is_told_in_a_sentence_and_the_others_are_let_go() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(settings(also_ports=(0, port)))

        with pytest.raises(
            OSError, match=rf"^Cannot listen on 127\.0\.0\.1: .*{port}.*in use\. --also-port takes another\.$"
        ):
            async with server.serving():
                pass

    assert [] == [socket for listening in server.servers for socket in listening.sockets]


async def test_a_model_that_cannot_be_loaded_is_raised() -> None:
    server = Server(settings(engine="faster_whisper", model="./nowhere"))

    with pytest.raises(UnusableModel, match="nowhere"):
        async with server.serving():
            pass


async def test_a_server_told_to_leave_before_it_is_ready_never_serves() -> None:
    server = Server(settings())
    server.gateway.catalogue.start = asyncio.Event().wait  # type: ignore[assignment, method-assign]
    asyncio.get_running_loop().call_later(0.05, server.handle_exit, signal.SIGTERM, None)

    with pytest.raises(KeyboardInterrupt):
        await in_own_context(server)


async def in_own_context(server: Server) -> None:
    async with server.serving():
        raise AssertionError("It is not ready.")


async def test_a_server_told_to_leave_lets_the_open_item_finish() -> None:
    server = Server(settings())
    async with server.serving() as running, calling(server.base_url) as call:
        server.handle_exit(signal.SIGTERM, None)
        completed = await until(call, ".completed")
        with pytest.raises(ConnectionClosed):
            await call.recv()
        await running

    assert (SPOKEN, 1012, "The server is restarting.") == (
        completed["transcript"],
        call.close_code,
        call.close_reason,
    )


async def test_told_to_reload_a_server_swaps_its_models_and_keeps_its_sessions() -> None:
    server = Server(settings(), reread=lambda: settings(model="better"))
    async with server.serving(), calling(server.base_url) as call:
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(5):
            while "better" not in server.gateway.catalogue.progress:  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0)
        await call.send(json.dumps({"type": "input_audio_buffer.commit"}))
        completed = await until(call, ".completed")

    assert SPOKEN == completed["transcript"]


async def test_settings_that_are_wrong_when_read_again_change_nothing() -> None:
    asked = asyncio.Event()

    def broken() -> Settings:
        asked.set()
        raise BadSettings(["port: Input should be an integer."])

    server = Server(settings(), reread=broken)
    async with server.serving(), httpx2.AsyncClient() as client:
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(5):
            await asked.wait()
        answer = await client.get(f"{server.base_url}/models")

    assert 200 == answer.status_code


async def test_a_server_that_stops_does_not_wait_for_a_model_to_be_swapped() -> None:
    class Endless(ScriptedEngine):
        async def start(self) -> None:
            loading.set()
            await asyncio.Event().wait()

    loading = asyncio.Event()
    server = Server(settings(), reread=lambda: settings(model="endless"))
    server.gateway._new_engine = lambda _: Endless()
    async with server.serving(), asyncio.timeout(5):
        os.kill(os.getpid(), signal.SIGHUP)
        await loading.wait()


async def test_while_it_leaves_a_server_takes_nobody_in_and_finishes_what_was_said() -> None:
    server = Server(settings())
    final = asyncio.Event()
    server.gateway.sessions.engine.open = lambda _: Held(final)  # type: ignore[assignment, method-assign]
    async with server.serving() as running, calling(server.base_url) as call, httpx2.AsyncClient() as client:
        base_url = server.base_url.removesuffix("/v1")
        server.handle_exit(signal.SIGTERM, None)
        ready, alive = [await client.get(f"{base_url}/{name}") for name in ("readyz", "livez")]
        minted = await client.post(f"{base_url}/v1/realtime/client_secrets", json={})
        with pytest.raises(InvalidStatus) as refused:
            await connect(base_url.replace("http", "ws", 1) + "/v1/realtime")
        final.set()
        completed = await until(call, ".completed")
        with pytest.raises(ConnectionClosed):
            await call.recv()
        await running

    turned_away = refused.value.response
    assert [503, 200, 503, 503] == [answer.status_code for answer in (ready, alive, minted, turned_away)]
    assert all("retry-after" in answer.headers for answer in (ready, minted, turned_away))
    assert (SPOKEN, 1012) == (completed["transcript"], call.close_code)


class Held:
    """A turn whose text waits for an event."""

    def __init__(self, final: asyncio.Event) -> None:
        self.over = asyncio.Event()
        self._final = final

    def _take(self, *_: object) -> None: ...

    feed = prepare = abandon = _take

    def finish(self, _: int) -> None:
        self.over.set()

    async def hypotheses(self) -> AsyncIterator[Hypothesis]:
        await self._final.wait()
        yield Hypothesis(words(SPOKEN), final=True)


async def test_a_file_that_was_heard_is_transcribed_before_the_server_leaves() -> None:
    server = Server(settings())
    final = asyncio.Event()
    turn = Held(final)
    server.gateway.sessions.engine.open = lambda _: turn  # type: ignore[assignment, method-assign]
    file = {"file": ("a.wav", wav(speech(1)))}
    async with server.serving() as running, httpx2.AsyncClient(base_url=server.base_url) as client:
        sent = asyncio.create_task(
            client.post("/audio/transcriptions", data={"model": "whisper-1"}, files=file)
        )
        await turn.over.wait()
        server.handle_exit(signal.SIGTERM, None)
        await client.get("/models")
        final.set()
        answer = await sent
        await running

    assert (200, SPOKEN) == (answer.status_code, answer.json()["text"])


def wav(pcm: bytes) -> bytes:
    whole = io.BytesIO()
    with wave.open(whole, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(pcm)
    return whole.getvalue()


MUTE = """
import asyncio, sys
from realtime_asr.server.serving import Server
from tests.server.house import settings
from tests.server.test_serving import Held

server = Server(settings(log_level="info", drain_seconds=float(sys.argv[1])))
server.gateway.sessions.engine.open = lambda request: Held(asyncio.Event())
server.run()
"""


@asynccontextmanager
async def mute(drain_seconds: float) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server whose engine never says anything."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MUTE, str(drain_seconds), stderr=asyncio.subprocess.PIPE
    )
    yield process, f"{await address(process)}/v1"
    async with asyncio.timeout(6):
        await process.communicate()


async def test_a_server_leaves_in_time_whatever_is_not_transcribed_by_then() -> None:
    async with mute(drain_seconds=1) as (process, base_url), calling(base_url) as call:
        process.terminate()
        failed = await until(call, ".failed")
        with pytest.raises(ConnectionClosed):
            await call.recv()

    assert "server_error" == failed["error"]["type"]
    assert (1012, 0) == (call.close_code, process.returncode)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_twice_a_server_leaves_at_once(number: signal.Signals) -> None:
    async with mute(drain_seconds=60) as (process, base_url), calling(base_url) as call:
        process.terminate()
        async with httpx2.AsyncClient() as client:
            while (await client.get(base_url.replace("/v1", "/readyz"))).status_code == 200:
                pass
        process.send_signal(number)
        with pytest.raises(ConnectionClosed):
            await until(call, "transcription.completed")

    assert process.returncode == -number


async def address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if found := re.search(rb"running on (http://[^ ]+)", line):
            return found[1].decode()
    raise AssertionError("It does not run.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_is_stopping_already_takes_it_for_the_second_time(number: signal.Signals) -> None:
    server = Server(settings())
    server.should_exit = True

    server.handle_exit(number, None)

    assert server.force_exit


async def test_an_upload_that_does_not_end_does_not_keep_the_server() -> None:
    server = Server(settings(drain_seconds=0.5))
    async with server.serving() as running:
        _, writer = await asyncio.open_connection(*server.base_url[7:-3].split(":"))
        writer.write(b"POST /v1/realtime/client_secrets HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        await writer.drain()
        async with httpx2.AsyncClient() as client:
            await client.get(f"{server.base_url}/models")
        server.handle_exit(signal.SIGTERM, None)
        async with asyncio.timeout(5):
            await running
        writer.close()
