"""Seeing what sessions do without taking part."""

from collections.abc import Sequence
from typing import Protocol

from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.commands import Command
from realtime_asr.session.effects import Effect
from realtime_asr.session.events import Event


class Observer(Protocol):
    """None of these may raise or wait. Audio and text are not to be kept, but by who was asked to post it."""

    def entered(self, session_id: str, visitor: Visitor, now: float) -> None:
        """The first that is told of a session."""

    def stepped(
        self, session_id: str, command: Command, outputs: Sequence[Event | Effect], now: float, took: float
    ) -> None:
        """After each step of a session."""

    def turn_broke(self, session_id: str, item_id: str, error: Exception) -> None:
        """The engine gave up on a turn: the item fails, the session goes on."""

    def broke(self, session_id: str, error: BaseException) -> None:
        """A session ended by a fault of ours."""

    def left(self, session_id: str, now: float) -> None:
        """The last that is told of a session, whatever ended it."""

    def refused(self, visitor: Visitor, code: str | None) -> None:
        """Somebody was not let in."""


class Observers:
    """All of them as one."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def entered(self, session_id: str, visitor: Visitor, now: float) -> None:
        for observer in self._observers:
            observer.entered(session_id, visitor, now)

    def stepped(
        self, session_id: str, command: Command, outputs: Sequence[Event | Effect], now: float, took: float
    ) -> None:
        for observer in self._observers:
            observer.stepped(session_id, command, outputs, now, took)

    def turn_broke(self, session_id: str, item_id: str, error: Exception) -> None:
        for observer in self._observers:
            observer.turn_broke(session_id, item_id, error)

    def broke(self, session_id: str, error: BaseException) -> None:
        for observer in self._observers:
            observer.broke(session_id, error)

    def left(self, session_id: str, now: float) -> None:
        for observer in self._observers:
            observer.left(session_id, now)

    def refused(self, visitor: Visitor, code: str | None) -> None:
        for observer in self._observers:
            observer.refused(visitor, code)
