"""Clients and networks at their worst: one server takes it all, and nobody else notices."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.fakes import speech
from tests.faults.asking import HEALTH_SECONDS, slowest_health
from tests.faults.machine import within
from tests.faults.victim import (
    SECONDS,
    WORDS,
    beyond,
    health,
    memory,
    port,
    says,
    unharmed,
    victim,
)
from tests.journeys.server import Server
from tests.journeys.speaking import calling, pieces

MIB: Final = 1024 * 1024
OTHERS: Final = 2
"""Sessions that go on beside what happens."""
CUT_OFF: Final = SECONDS + SECONDS + 2
"""Seconds from the last sign of life to the end."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with victim(tmp_path_factory.mktemp("wire")) as server:
        yield server


async def test_a_connection_that_is_reset_in_the_middle_of_an_item_frees_everything(server: Server) -> None:
    async with unharmed(server), beyond(server) as (far, network), calling(far) as caller:
        await caller.speak(speech(0.6))
        await caller.hear_until("speech_started")
        network.reset()
        await asyncio.sleep(0)


async def test_a_client_that_vanishes_is_noticed_by_its_silence(server: Server) -> None:
    async with unharmed(server), beyond(server) as (far, network), calling(far, close_timeout=0.1) as caller:
        await caller.speak(speech(0.6))
        await caller.hear_until("speech_started")
        network.hole = True
        async with asyncio.timeout(CUT_OFF + 5):
            while (await health(server))["sessions"] > OTHERS:  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0.05)


async def test_a_client_that_half_closes_is_gone(server: Server) -> None:
    async with unharmed(server), beyond(server) as (far, network), calling(far) as caller:
        await caller.speak(speech(0.6))
        await caller.hear_until("speech_started")
        network.half_close()
        await caller.socket.wait_closed()


async def test_a_slow_network_loses_no_word(server: Server) -> None:
    async with unharmed(server), beyond(server) as (far, network):
        network.latency, network.bytes_per_second = 0.05, 200_000
        async with calling(far) as caller:
            assert [WORDS] == await says(caller)


async def test_a_network_that_damages_bytes_ends_connections_and_nothing_else(server: Server) -> None:
    async with unharmed(server), beyond(server) as (far, network):
        for network.flipped in (61, 7_919):
            with suppress(WebSocketException, OSError, EOFError, TimeoutError):
                async with asyncio.timeout(2), connect(f"{far.ws_url}/realtime", close_timeout=0.1) as caller:
                    for piece in pieces(speech(5)):
                        await caller.send(json.dumps({"type": "input_audio_buffer.append", "audio": piece}))
                    while True:
                        await caller.recv()


async def test_clients_that_read_nothing_are_cut_off_and_cost_little(server: Server) -> None:
    """One alone would not show in the memory of a process."""
    many = 4
    async with unharmed(server):
        await says_nothing_but_nonsense(server)
        before = memory(server)
        async with asyncio.timeout(12), asyncio.TaskGroup() as group:
            callers = [group.create_task(says_nothing_but_nonsense(server)) for _ in range(many)]
            most = before
            while not all(caller.done() for caller in callers):
                most = max(most, memory(server))
                await asyncio.sleep(0.05)

    assert (most - before) / many < MIB


async def says_nothing_but_nonsense(server: Server) -> None:
    """And reads nothing of what is answered, until it is cut off."""
    nonsense = json.dumps({"type": "x" * 400}).encode()
    frame = b"\x81\xfe" + len(nonsense).to_bytes(2) + bytes(4) + nonsense
    async with deaf(server) as caller:
        while not caller.transport.is_closing():
            if caller.transport.get_write_buffer_size() < MIB // 4:
                caller.transport.write(frame * 20)
            await asyncio.sleep(0.01)


FLOODS: Final = {
    "pings": b"\x89\xfd\0\0\0\0" + bytes(125),
    "pongs nobody asked for": b"\x8a\x80\0\0\0\0",
    "empty messages": b"\x81\x80\0\0\0\0",
    "empty appends": b"\x81\xba\0\0\0\0" + b'{"type":"input_audio_buffer.append","audio":""}'.ljust(58),
    "fragments of one byte": b"\x01\x80\0\0\0\0" + b"\x00\x81\0\0\0\0x" * 50_000,
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_a_flood_of_small_things_costs_little_memory(server: Server, flood: bytes) -> None:
    # While it is not read, nobody can know that a client is gone: not before all it sent was parsed.
    async with unharmed(server, within=10):
        before = memory(server)
        most = await pour(server, flood)

    assert most - before < 4 * MIB


async def pour(server: Server, flood: bytes) -> int:
    """A second of it, by one who reads nothing. How large did the server get?"""
    most = 0
    async with deaf(server) as attacker:
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(1):
                while not attacker.transport.is_closing():
                    attacker.transport.write(flood * (100_000 // len(flood) + 1))
                    await asyncio.sleep(0.01)
                    most = max(most, memory(server))
        attacker.transport.abort()
    return most


@asynccontextmanager
async def deaf(server: Server) -> AsyncIterator[ClientConnection]:
    """A client that reads nothing, of which its kernel takes little."""
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    # What it sent and nobody read yet goes with it.
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plug.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plug, ("127.0.0.1", port(server)))
    address = f"{server.ws_url}/realtime?intent=transcription"
    async with connect(address, sock=plug, ping_interval=None, close_timeout=0.1) as caller:
        caller.transport.pause_reading()
        yield caller


@pytest.mark.parametrize("begun", [b"", b"GET /v1/realtime HTTP/1.1\r\nUpgrade: websocket\r\n"])
async def test_a_thousand_who_never_finish_a_handshake_keep_nobody_waiting(
    server: Server, begun: bytes
) -> None:
    async def crowded() -> float:
        async with AsyncExitStack() as crowd:
            ends = [await _opened(crowd, server, begun) for _ in range(1000)]
            took = await slowest_health(server, times=100)
            async with asyncio.timeout(SECONDS + 10):
                answers = await asyncio.gather(*(reader.read() for reader in ends))
        assert {b"HTTP/1.1 408" if begun else b""} == {answer[:12] for answer in answers}
        return took

    async with unharmed(server):
        await within(HEALTH_SECONDS, crowded)


async def _opened(crowd: AsyncExitStack, server: Server, begun: bytes) -> asyncio.StreamReader:
    reader, writer = await asyncio.open_connection("127.0.0.1", port(server))
    crowd.callback(writer.close)
    writer.write(begun)
    return reader


async def test_large_messages_are_heard_or_refused_by_their_size(server: Server) -> None:
    fits, refused = 20 * MIB, 20 * MIB + 4
    # What is read at once, everybody waits for.
    async with unharmed(server, late=0.5), calling(server) as caller:
        await caller.append("A" * fits)
        await caller.append("A" * refused)
        error = (await caller.hear_until("error"))[-1]["error"]
        await caller.configure(turn_detection=None)
        await caller.hear_until("updated", times=1)
        caller.socket.transport.write(b"\x81\xff" + (25 * MIB).to_bytes(8) + bytes(4))
        await caller.socket.wait_closed()

    assert "string_above_max_length" == error["code"]
    assert 1009 == caller.socket.close_code
