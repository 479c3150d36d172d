"""A stretch of network between a client and a server, with the faults that networks have."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Faults may be set at any time, and hold for what comes from then on."""

    port: int
    latency: float = 0.0
    bytes_per_second: float = float("inf")
    flipped: int = 0
    """Every so many bytes, one has a wrong bit; 0 for none."""
    hole: bool = False
    """Takes everything and passes nothing on."""
    listening: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _to_server: list[asyncio.StreamWriter] = field(default_factory=list)
    _came: int = 0

    def reset(self) -> None:
        """Both sides learn the hard way."""
        for writer in self._writers:
            plug: socket.socket = writer.get_extra_info("socket")
            if plug.fileno() != -1:
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()

    def half_close(self) -> None:
        """To the server it seems that the client has nothing more to say."""
        for writer in self._to_server:
            writer.write_eof()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, server = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers += [writer, server]
        self._to_server.append(server)
        await asyncio.gather(self._carry(reader, server), self._carry(there, writer), return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await asyncio.sleep(self.latency + len(data) / self.bytes_per_second)
                if not self.hole:
                    writer.write(self._damaged(data))
                    await writer.drain()
        finally:
            if not self.hole:
                writer.close()

    def _damaged(self, data: bytes) -> bytes:
        start, self._came = self._came, self._came + len(data)
        if not self.flipped:
            return data
        hit = range(-start % self.flipped, len(data), self.flipped)
        return bytes(byte ^ 1 if at in hit else byte for at, byte in enumerate(data))


@asynccontextmanager
async def between(port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.listening = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.reset()
