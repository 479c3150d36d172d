"""A server that does as it is told."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Event = dict[str, Any]
Script = Mapping[str | int, Sequence[Event | str | bytes | int]]
"""What is said, as an event or as it is, and with which code it hangs up, by type of message or by how many
chunks of audio were heard.
"""

CREATED: Event = {"type": "session.created", "session": {}}
UPDATED: Event = {"type": "session.updated", "session": {}}
_TEXT = "conversation.item.input_audio_transcription."


def failed(code: str) -> Event:
    return {"type": "error", "error": {"type": "server_error", "code": code}}


def answers(item: str, *texts: str) -> list[Event]:
    """An item committed, shown in these pieces, and completed."""
    deltas = [{"type": f"{_TEXT}delta", "item_id": item, "delta": text} for text in texts]
    completed = {"type": f"{_TEXT}completed", "item_id": item, "transcript": "".join(texts)}
    return [{"type": "input_audio_buffer.committed", "item_id": item}, *deltas, completed]


class Scripted:
    def __init__(self, script: Script) -> None:
        self._script = script
        self.heard: list[Event] = []
        self.url = ""

    async def converse(self, socket: ServerConnection) -> None:
        chunks = 0
        with suppress(ConnectionClosed):
            await self._say(socket, "called")
            async for frame in socket:
                event = json.loads(frame)
                self.heard.append(event)
                is_audio = event["type"] == "input_audio_buffer.append"
                chunks += is_audio
                await self._say(socket, chunks if is_audio else event["type"])

    async def _say(self, socket: ServerConnection, cue: str | int) -> None:
        for said in self._script.get(cue, []):
            if isinstance(said, int):
                await socket.close(said)
            else:
                await socket.send(json.dumps(said) if isinstance(said, dict) else said)


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Scripted]:
    scripted = Scripted(script)
    async with serve(scripted.converse, "127.0.0.1", 0) as server:
        scripted.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield scripted


OPEN: Script = {"called": [CREATED], "session.update": [UPDATED]}
