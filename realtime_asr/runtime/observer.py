"""Seeing what sessions do without taking part."""

from collections.abc import Sequence
from typing import Protocol

from realtime_asr.session.commands import Command
from realtime_asr.session.effects import Effect
from realtime_asr.session.events import Event


class Observer(Protocol):
    def stepped(
        self, session_id: str, command: Command, outputs: Sequence[Event | Effect], now: float, took: float
    ) -> None:
        """After each step of a session. Must not raise, wait, or keep audio or text."""

    def turn_broke(self, session_id: str, item_id: str, error: Exception) -> None:
        """The engine gave up on a turn: the item fails, the session goes on."""

    def broke(self, session_id: str, error: BaseException) -> None:
        """A session ended by a fault of ours."""
