"""One paced connection: it speaks at the speed of speech, never waits for answers, and notes what happens."""

import asyncio
from array import array
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from realtime_asr.bench import wire
from realtime_asr.bench.facts import Commit, Heard, Recording, Refusal
from realtime_asr.bench.plan import Plan
from realtime_asr.bench.track import Track

_OPENING_SECONDS: Final = 10
_FAREWELL_SECONDS: Final = 1
_ENDS: Final = ("completed", "failed")

Clock = Callable[[], float]


class _Refused(Exception):
    """The server let us connect, but not speak."""


class Stream:
    def __init__(self, plan: Plan, track: Track, clock: Clock) -> None:
        """The clock says how many seconds ago the run began."""
        self._plan = plan
        self._address = wire.address(plan)
        self._track = track
        self._clock = clock
        self._began = 0.0
        self._frames_sent = 0
        self._heard: list[Heard] = []
        self._open_items: set[str] = set()
        self._commits: list[Commit] = []
        self.delays = array("d")
        self.finals: list[float] = []
        """How long each final text was waited for, in seconds, judged by when it came. For the onlooker."""
        self.is_open = False

    async def run(self, is_over: Callable[[], bool] | None = None) -> Recording | Refusal:
        """Until it is over; unless told what that means, when everything said is answered."""
        await asyncio.sleep(self._track.begins_after - self._clock())
        try:
            return await self._converse(is_over or self._is_answered)
        except _Refused as refused:
            return Refusal(str(refused))
        except InvalidStatus as refused:
            return Refusal(f"http {refused.response.status_code}")
        except (OSError, TimeoutError, WebSocketException) as failure:
            return Refusal(type(failure).__name__)

    async def _converse(self, is_over: Callable[[], bool]) -> Recording:
        async with connect(
            self._address,
            additional_headers=wire.headers(self._plan),
            compression=None,
            max_size=None,
            open_timeout=_OPENING_SECONDS,
            close_timeout=_FAREWELL_SECONDS,
        ) as socket:
            await self._open(socket)
            self.is_open = True
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(self._listen(socket))
                # Where the server hangs up, listening ends by itself, having noted that.
                with suppress(ConnectionClosed):
                    await self._speak(socket, is_over)
                    listening.cancel()
        self.is_open = False
        return self._recording()

    async def _open(self, socket: ClientConnection) -> None:
        try:
            async with asyncio.timeout(_OPENING_SECONDS):
                await _told(socket, ".created")
                await socket.send(wire.opening(self._plan))
                await _told(socket, ".updated")
        except ConnectionClosed:
            raise _Refused(f"close {socket.close_code}") from None

    async def _speak(self, socket: ClientConnection, is_over: Callable[[], bool]) -> None:
        """Open loop: each chunk leaves when its last sample was spoken, whatever the server does."""
        frames, ends, chunk = self._track.frames, self._track.ends, self._plan.chunk_seconds
        self._began = self._clock()
        for number in count(1):
            due = self._began + number * chunk
            if (early := due - self._clock()) > 0:
                await asyncio.sleep(early)
            self.delays.append(self._clock() - due)
            await socket.send(frames[number - 1] if number <= len(frames) else self._track.silence, text=True)
            self._frames_sent = number
            if self._plan.manual and number in ends:
                await self._commit(socket)
            if number >= len(frames) and is_over():
                return

    async def _commit(self, socket: ClientConnection) -> None:
        commit = Commit(self._clock(), f"commit_{len(self._commits) + 1}")
        self._commits.append(commit)
        await socket.send(wire.commit(commit.ref))

    async def _listen(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                event = wire.event(await socket.recv())
                if heard := wire.read(event, self._clock()):
                    self._note(heard)
        self._heard.append(Heard(self._clock(), "closed", text=f"close {socket.close_code}"))

    def _note(self, heard: Heard) -> None:
        self._heard.append(heard)
        if heard.kind in ("speech_started", "committed"):
            self._open_items.add(heard.item)
        elif heard.kind in _ENDS:
            self._open_items.discard(heard.item)
            spoken = heard.at - self._began
            self.finals += [spoken - turn.end for turn in self._track.turns if turn.end <= spoken][-1:]

    def _is_answered(self) -> bool:
        """Or will not be: nobody waits for ever."""
        end = self._began + self._track.turns[-1].end
        if self._clock() > end + self._plan.pause_seconds + self._plan.patience_seconds:
            return True
        return not self._open_items and any(
            heard.kind in _ENDS and heard.at > end for heard in reversed(self._heard)
        )

    def _recording(self) -> Recording:
        return Recording(
            self._began,
            self._frames_sent * self._plan.chunk_seconds,
            self._track.turns,
            tuple(self._heard),
            tuple(self._commits),
            self.delays,
        )


async def _told(socket: ClientConnection, ending: str) -> None:
    event: Mapping[str, Any] = {"type": ""}
    while not event["type"].endswith(ending):
        event = wire.event(await socket.recv())
        if event["type"] == "error":
            raise _Refused(" ".join([wire.code(event), *await _farewell(socket)]))


async def _farewell(socket: ClientConnection) -> list[str]:
    """The code of the close that follows an error which ends the connection."""
    with suppress(ConnectionClosed, TimeoutError):
        async with asyncio.timeout(_FAREWELL_SECONDS):
            while True:
                await socket.recv()
    return [f"close {socket.close_code}"] if socket.close_code else []
