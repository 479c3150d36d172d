"""A channel whose audio counts on the account of its client's key."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from realtime_asr.audio.formats import AudioFormat
from realtime_asr.runtime.channel import Channel
from realtime_asr.session.commands import AppendAudio, Configure, FromClient, HangUp
from realtime_asr.session.config import UNSET
from realtime_asr.session.events import Event, Rejected, SessionCreated, SessionUpdated
from realtime_asr.session.problem import Problem
from realtime_asr.transports.accounts import Ticket


class Metered:
    """Audio that is too much is not heard, nor what comes after it: the client is told, and has to leave.

    To read slower would seem kinder. But a client's pings queue up behind audio that is not read, and clients
    leave who miss the answers, without a word of why. And since a minute's worth may come at once, nobody is
    refused who speaks no longer than allowed, however unevenly the audio comes.
    """

    def __init__(
        self, channel: Channel, ticket: Ticket, format: AudioFormat, end: Callable[[Problem], None]
    ) -> None:
        """`end` lets the session finish what was said, tells it the problem, and closes it."""
        self._channel = channel
        self._ticket = ticket
        self._format = format
        self._end = end
        self._ended = False
        self._settled = asyncio.Event()
        """The format is the one in which audio comes: no wish for another one is open. Or so it seems: what
        was answered may have been something else."""
        self._settled.set()
        self._since_wish = 0
        """Bytes that were counted in this format, and would be in the one of the wish."""

    async def receive(self) -> FromClient | HangUp:
        while True:
            command = await self._channel.receive()
            if isinstance(command, Configure) and command.patch.format is not UNSET:
                self._settled.clear()
                self._since_wish = 0
            if not isinstance(command, AppendAudio):
                return command
            await self._settled.wait()
            if self._is_fine(command):
                return command

    async def send(self, event: Event) -> None:
        if isinstance(event, SessionCreated | SessionUpdated):
            self._change(event.config.format)
        if isinstance(event, SessionUpdated | Rejected):
            self._settled.set()
        await self._channel.send(event)

    async def close(self, code: int, reason: str) -> None:
        await self._channel.close(code, reason)

    def _change(self, format: AudioFormat) -> None:
        if format != self._format:
            counted = self._format.seconds(self._since_wish)
            self._ticket.settle(format.seconds(self._since_wish) - counted)
            self._format = format

    def _is_fine(self, audio: AppendAudio) -> bool:
        if self._ended:
            return False
        self._since_wish += len(audio.payload)
        if busy := self._ticket.heard(self._format.seconds(len(audio.payload))):
            self._ended = True
            self._end(replace(busy.problem, ref=audio.ref))
        return busy is None
