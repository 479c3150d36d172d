"""Watches a session and objects when what it does cannot be right, whatever it was asked."""

from collections import Counter
from typing import Any

import numpy as np

from realtime_asr.audio.timeline import Samples
from realtime_asr.session.config import Limits
from realtime_asr.session.effects import AbandonTurn, Close, FeedTurn, FinishTurn, OpenTurn
from realtime_asr.session.events import (
    AudioCleared,
    AudioCommitted,
    AudioDropped,
    IdleTimedOut,
    ItemAdded,
    ItemDeleted,
    SpeechStarted,
    SpeechStopped,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.session import Output, Session
from realtime_asr.session.turn import Turn


class WatchedSession(Session):
    """Lets be seen what no event tells: all that was heard, and where in it turns lie."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heard: Samples = np.empty(0, np.float32)
        self.voice_from: dict[str, int] = {}
        self.spans: dict[str, tuple[int, int]] = {}
        self.wordless: set[str] = set()
        self.splits = 0

    @property
    def open_id(self) -> str | None:
        return None if self._open is None else self._open.item_id

    @property
    def floor(self) -> int:
        return self._floor

    def _hear(self, heard: Samples) -> None:
        self.heard = np.concatenate([self.heard, heard])
        super()._hear(heard)

    def _open_turn(self, start: int, voice_from: int, *, announced: bool) -> Turn:
        turn = super()._open_turn(start, voice_from, announced=announced)
        self.voice_from[turn.item_id] = voice_from
        return turn

    def _commit(self, turn: Turn, stop: int) -> None:
        self.spans[turn.item_id] = (turn.start, stop)
        self.splits += stop < self._scored
        if turn.request is None:
            self.wordless.add(turn.item_id)
        super()._commit(turn, stop)


class Witness:
    def __init__(self, session: WatchedSession, limits: Limits) -> None:
        self.session = session
        self.reached: Counter[str] = Counter()
        self.committed: list[str] = []
        self.ended: set[str] = set()
        self.listening: dict[str, int] = {}
        """How much each engine turn that takes audio has been fed."""
        self.waiting: set[str] = set()
        """Engine turns that are finished and owe a final."""
        self._broken: set[str] = set()
        self._limits = limits
        self._kept: list[str] = []
        self._last_kept: str | None = None
        self._opened: set[str] = set()
        self._speaking: str | None = None
        self._stopped: str | None = None
        self._position = 0
        self._dropped: list[tuple[int, int]] = []
        self._deltas: dict[str, str] = {}
        self._talking = 0
        self._closed = False

    def see(self, outputs: list[Output]) -> None:
        for output in outputs:
            assert not self._closed, "nothing follows the close"
            match output:
                case SpeechStarted() | SpeechStopped() | IdleTimedOut():
                    self._see_speech(output)
                case AudioCommitted() | ItemAdded() | ItemDeleted():
                    self._see_item(output)
                case AudioDropped(start, stop):
                    assert start < stop
                    self._dropped.append((start, stop))
                case OpenTurn() | FeedTurn() | FinishTurn() | AbandonTurn():
                    self._see_engine(output)
                case TranscriptGrew() | TranscriptCompleted() | TranscriptFailed():
                    self._see_text(output)
                case AudioCleared():
                    assert self.listening.keys() <= self._broken
                    self._speaking = None
                case Close():
                    self._closed = True
                case _:
                    pass
        self._see_accounts()

    def see_engine_end(self, item_id: str) -> None:
        """It said its final, or broke: it owes nothing more."""
        self.waiting.discard(item_id)
        self._broken |= {item_id} & self.listening.keys()

    def _see_speech(self, event: SpeechStarted | SpeechStopped | IdleTimedOut) -> None:
        match event:
            case SpeechStarted(item_id, at):
                assert self._speaking is None
                self._speaking = item_id
            case SpeechStopped(item_id, at):
                assert self._speaking == item_id
                self._stopped = item_id
            case IdleTimedOut(item_id, start, at):
                assert self._speaking is None
                assert self._position <= start
                self.reached["idle"] += 1
        assert self._position <= at
        self._position = at

    def _see_item(self, event: AudioCommitted | ItemAdded | ItemDeleted) -> None:
        match event:
            case AudioCommitted(item_id, previous_id):
                assert item_id not in self.committed
                assert previous_id == self._last_kept
                assert self._speaking in (None, item_id)
                assert self._stopped in (None, item_id)
                self._speaking = self._stopped = None
                self.committed.append(item_id)
            case ItemAdded(item_id, previous_id):
                assert (item_id, previous_id) == (self.committed[-1], self._last_kept)
                self._kept = [*self._kept, item_id][-self._limits.kept_items :]
                self._last_kept = item_id
            case ItemDeleted(item_id):
                assert item_id in self._kept
                self._kept.remove(item_id)
                if self._last_kept == item_id:
                    self._last_kept = self._kept[-1] if self._kept else None

    def _see_engine(self, effect: OpenTurn | FeedTurn | FinishTurn | AbandonTurn) -> None:
        item_id = effect.item_id
        match effect:
            case OpenTurn():
                assert item_id not in self._opened
                self._opened.add(item_id)
                self.listening[item_id] = 0
            case FeedTurn(_, samples):
                at = self.session.voice_from[item_id] + self.listening[item_id]
                assert len(samples) > 0
                assert np.array_equal(self.session.heard[at : at + len(samples)], samples)
                self.listening[item_id] += len(samples)
            case FinishTurn(_, voiced):
                start, stop = self.session.spans[item_id]
                inside = stop - self.session.voice_from[item_id]
                assert item_id == self.committed[-1]
                assert start <= self.session.voice_from[item_id]
                # At a split the engine has heard some of what follows as well.
                assert 0 <= voiced <= inside <= self.listening.pop(item_id)
                self.waiting.add(item_id)
            case AbandonTurn():
                assert item_id in self.listening or item_id in self.waiting
                self.listening.pop(item_id, None)
                self.waiting.discard(item_id)
                self.reached["abandoned"] += 1

    def _see_text(self, event: TranscriptGrew | TranscriptCompleted | TranscriptFailed) -> None:
        item_id = event.item_id
        assert item_id not in self.ended
        assert item_id not in self.session.wordless
        number = int(item_id.removeprefix("item_"))
        assert self._talking <= number
        self._talking = number
        match event:
            case TranscriptGrew(_, text):
                self.reached["early_delta"] += item_id not in self.committed
                self._deltas[item_id] = self._deltas.get(item_id, "") + text
                return
            case TranscriptCompleted():
                start, stop = self.session.spans[item_id]
                joined = self._deltas.get(item_id, "")
                assert event.length == stop - start
                assert event.corrected == (joined != event.transcript)
                self.reached["corrected" if event.corrected else "completed" if joined else "empty"] += 1
            case TranscriptFailed():
                self.reached["failed"] += 1
        assert item_id in self.committed
        self.ended.add(item_id)
        self.waiting.discard(item_id)

    def _see_accounts(self) -> None:
        """Every sample up to the floor is in one item, or was dropped, once."""
        accounted = 0
        for start, stop in sorted([*self._dropped, *self.session.spans.values()]):
            assert start == accounted
            accounted = stop
        assert accounted == self.session.floor

    def see_the_end(self, *, gone: bool) -> None:
        assert self.session.floor == len(self.session.heard)
        assert self.session.wake_at is None
        assert not self.waiting
        if not gone:
            assert self._closed
            assert set(self.committed) - self.session.wordless == self.ended
