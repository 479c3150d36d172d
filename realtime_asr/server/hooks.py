"""Posts the text of each finished turn to an address of the operator's, as a signed webhook.

Sessions do not wait for it: they only put a letter into the line of their own. Each line has a task, so that
what is said in one session arrives in order, and a receiver that is slow for one does not hold up the others.
What waits is bounded. What is not taken after a few attempts goes to the file of dead letters, or is lost.
"""

import asyncio
import json
import logging
import os
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import httpx2

from realtime_asr.audio.timeline import seconds
from realtime_asr.runtime.clock import Clock
from realtime_asr.runtime.ids import webhook_id
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server.watching.instruments import WEBHOOKS, Meter
from realtime_asr.server.watching.logs import write
from realtime_asr.server.webhooks import signature
from realtime_asr.session.commands import Command
from realtime_asr.session.effects import Effect
from realtime_asr.session.events import Event, SessionCreated, TranscriptCompleted

_TYPE: Final = "conversation.item.input_audio_transcription.completed"
_AT_ONCE: Final = 16
"""Letters on their way."""
_MOST_WAITING: Final = 4 * 1024 * 1024
"""Bytes of letters in line. As many again may wait for the disk to take them as dead ones."""
_WORTH_ANOTHER_TRY: Final = frozenset({408, 425, 429})
"""Of the statuses that blame the letter."""
Outcome = Literal["delivered", "retried", "dead", "lost"]


@dataclass(frozen=True, slots=True)
class Patience:
    """With the receiver, in seconds."""

    answer: float = 15.0
    """As Standard Webhooks has it."""
    waits: Sequence[float] = (1.0, 2.0, 4.0, 8.0, 16.0)
    """Before each further attempt."""


@dataclass(frozen=True, slots=True)
class _Letter:
    webhook_id: str
    item_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str
    is_final: bool = False


class Hook:
    """An observer, and the only one that keeps text."""

    def __init__(
        self,
        address: str,
        key: bytes,
        clock: Clock,
        meter: Meter,
        dead_letters: Path | None = None,
        patience: Patience = Patience(),
    ) -> None:
        """Raises OSError where there can be no such file."""
        self._address = address
        self._key = key
        self._clock = clock
        self._meter = meter
        self._dead_letters = dead_letters
        self._patience = patience
        self._client = httpx2.AsyncClient(timeout=None, headers={"user-agent": "realtime-asr"})
        self._visitors: dict[str, Visitor] = {}
        self._lines: dict[str, deque[_Letter]] = {}
        """By the ids of sessions."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._file = asyncio.Lock()
        self._leaving = asyncio.Event()
        self._held = 0
        for outcome in get_args(Outcome):
            meter.expect(WEBHOOKS, outcome)
        if dead_letters is not None:
            _append(dead_letters, b"")

    def entered(self, session_id: str, visitor: Visitor, now: float) -> None:  # noqa: ARG002
        self._visitors[session_id] = visitor

    def stepped(
        self,
        session_id: str,
        command: Command,  # noqa: ARG002
        outputs: Sequence[Event | Effect],
        now: float,  # noqa: ARG002
        took: float,  # noqa: ARG002
    ) -> None:
        for output in outputs:
            match output:
                case SessionCreated(config) if config.recorded:
                    # Who sent a file gets its text in the answer.
                    del self._visitors[session_id]
                case TranscriptCompleted() if output.transcript and session_id in self._visitors:
                    self._post(session_id, self._letter(session_id, output))
                case _:
                    pass

    def turn_broke(self, session_id: str, item_id: str, error: Exception) -> None:
        """There is no text."""

    def broke(self, session_id: str, error: BaseException) -> None:
        """Nor here."""

    def left(self, session_id: str, now: float) -> None:  # noqa: ARG002
        """Its letters may still be on their way."""
        self._visitors.pop(session_id, None)

    def refused(self, visitor: Visitor, code: str | None) -> None:
        """Who was not let in said nothing."""

    async def stop(self, seconds: float) -> None:
        """Nothing is tried again from here on. What could not be posted in so many seconds is dead."""
        self._leaving.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        left = [letter for line in self._lines.values() for letter in line]
        for task in (tasks := tuple(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for letter in left:
            await self._bury(letter, "the server left")
        await self._client.aclose()

    def _letter(self, session_id: str, done: TranscriptCompleted) -> _Letter:
        name, visitor = webhook_id(), self._visitors[session_id]
        event = {
            "object": "event",
            "id": name,
            "type": _TYPE,
            "created_at": int(self._clock.unix()),
            "data": {
                "session_id": session_id,
                "item_id": done.item_id,
                "transcript": done.transcript,
                "language": done.language,
                "audio_seconds": round(seconds(done.length), 3),
                "key": visitor.key_id,
                "door": visitor.door,
            },
        }
        return _Letter(name, done.item_id, json.dumps(event).encode())

    def _post(self, session_id: str, letter: _Letter) -> None:
        self._held += len(letter.body)
        if self._held <= _MOST_WAITING:
            if session_id not in self._lines:
                self._lines[session_id] = deque()
                self._start(self._deliver(session_id))
            self._lines[session_id].append(letter)
        elif self._held <= 2 * _MOST_WAITING:
            self._start(self._turn_away(letter))
        else:
            self._held -= len(letter.body)
            self._lose(letter, "too many wait")

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, session_id: str) -> None:
        line = self._lines[session_id]
        while line:
            if failure := await self._failure(line[0]):
                await self._bury(line[0], failure.reason)
            else:
                self._count("delivered")
            self._held -= len(line.popleft().body)
        del self._lines[session_id]

    async def _turn_away(self, letter: _Letter) -> None:
        await self._bury(letter, "too many wait")
        self._held -= len(letter.body)

    async def _failure(self, letter: _Letter) -> _Failure | None:
        """The last one, of as many attempts as it takes."""
        failure = await self._attempt(letter)
        for wait in self._patience.waits:
            if failure is None or failure.is_final or self._leaving.is_set():
                break
            write(logging.WARNING, "webhook failed", item=letter.item_id, why=failure.reason, again_s=wait)
            await self._pause(wait)
            self._count("retried")
            failure = await self._attempt(letter)
        return failure

    async def _attempt(self, letter: _Letter) -> _Failure | None:
        try:
            async with self._places, asyncio.timeout(self._patience.answer):
                status = await self._status(letter)
        except TimeoutError:
            return _Failure("no answer in time")
        except httpx2.HTTPError as error:
            # Its message may hold the address, and that a password.
            return _Failure(type(error).__name__)
        if 200 <= status < 300:
            return None
        return _Failure(f"status {status}", status < 500 and status not in _WORTH_ANOTHER_TRY)

    async def _status(self, letter: _Letter) -> int:
        headers = self._headers(letter)
        async with self._client.stream("POST", self._address, content=letter.body, headers=headers) as answer:
            async for _ in answer.aiter_raw():
                """To its end, or the connection could not be used again."""
            return answer.status_code

    def _headers(self, letter: _Letter) -> Mapping[str, str]:
        # Receivers refuse what was signed minutes ago, so that each attempt has a signature of its own.
        signed = signature(self._key, letter.webhook_id, int(self._clock.unix()), letter.body)
        return {"content-type": "application/json", **signed}

    async def _pause(self, seconds: float) -> None:
        """No longer than until the server leaves."""
        await asyncio.wait((leaving := asyncio.ensure_future(self._leaving.wait()),), timeout=seconds)
        leaving.cancel()

    async def _bury(self, letter: _Letter, reason: str) -> None:
        if self._dead_letters is None:
            self._lose(letter, reason)
            return
        facts = {"at": int(self._clock.unix()), "reason": reason, "event": json.loads(letter.body)}
        try:
            async with self._file:
                await asyncio.to_thread(_append, self._dead_letters, json.dumps(facts).encode() + b"\n")
        except OSError as error:
            self._lose(letter, f"{reason}, and {error.strerror}")
        else:
            self._count("dead")
            write(logging.ERROR, "webhook dead", item=letter.item_id, why=reason)

    def _lose(self, letter: _Letter, reason: str) -> None:
        self._count("lost")
        write(logging.ERROR, "webhook lost", item=letter.item_id, why=reason)

    def _count(self, outcome: Outcome) -> None:
        self._meter.count(WEBHOOKS, outcome)


def _append(path: Path, line: bytes) -> None:
    """For its owner alone to read."""
    with open(path, "ab", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        end, rest = file.tell(), line
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            # A disk that is nearly full takes a part, to which the next line would be joined.
            file.truncate(end)
            raise
