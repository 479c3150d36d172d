"""Watches a session and objects when what it does cannot be right, whatever it was asked."""

from bisect import bisect_left, bisect_right
from collections import Counter, deque
from typing import Any

import numpy as np

from realtime_asr.audio.timeline import WINDOW, Samples
from realtime_asr.session.config import Limits, NoiseReduction
from realtime_asr.session.effects import AbandonTurn, Close, FeedTurn, FinishTurn, OpenTurn, PrepareTurn
from realtime_asr.session.events import (
    AudioCleared,
    AudioCommitted,
    AudioDropped,
    IdleTimedOut,
    ItemAdded,
    ItemDeleted,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.listening import Listener
from realtime_asr.session.session import Output, Session
from realtime_asr.session.turn import Turn
from realtime_asr.transcript.hypothesis import Hypothesis
from tests.fakes import LoudnessScorer

PAUSE = 5 * WINDOW
LEFT_OUT = 16_000 - PAUSE - 8_000
"""Of a pause longer than a second, at least."""

Piece = tuple[int, int]
"""From where to where an engine was fed at once."""


def inside(pieces: list[Piece], position: int) -> int:
    """How much of what was fed lies before the position."""
    return sum(min(max(position - start, 0), stop - start) for start, stop in pieces)


def outside(pieces: list[Piece], position: int) -> int:
    """Where a fed sample comes from."""
    return int(np.concatenate([np.arange(*piece) for piece in pieces])[position])


class WatchedListener(Listener):
    """Lets be seen what no event tells: where in the audio turns lie, and what of it was fed."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.voices: list[int] = []
        """Where loud windows end."""
        self.voice_from: dict[str, int] = {}
        self.opened_at: dict[str, int] = {}
        self.pieces: dict[str, deque[Piece]] = {}
        self.spans: dict[str, tuple[int, int]] = {}
        self.wordless: set[str] = set()
        self.patient: set[str] = set()
        """Turns whose text is told after the commit."""
        self.splits: Counter[str] = Counter()

    @property
    def open_id(self) -> str | None:
        return None if self.open is None else self.open.item_id

    @property
    def floor(self) -> int:
        return self._floor

    def _hear_window(self, window: Samples) -> None:
        if LoudnessScorer().score(window):
            self.voices.append(self._scored + WINDOW)
        super()._hear_window(window)

    def _open_turn(self, start: int, voice_from: int, *, announced: bool) -> Turn:
        turn = super()._open_turn(start, voice_from, announced=announced)
        self.voice_from[turn.item_id] = voice_from
        self.opened_at[turn.item_id] = self._scored
        self.pieces[turn.item_id] = deque()
        if not turn.live:
            self.patient.add(turn.item_id)
        return turn

    def _feed(self, turn: Turn) -> None:
        outputs = len(self._out)
        super()._feed(turn)
        for feed in self._out[outputs:]:
            assert isinstance(feed, FeedTurn)
            assert turn.excerpt is not None
            self.pieces[turn.item_id].append((turn.excerpt.end - len(feed.samples), turn.excerpt.end))

    def _split_when_too_long(self, turn: Turn) -> None:
        super()._split_when_too_long(turn)
        if self.open is not turn:
            self.splits["split_in_a_pause" if self.open is None else "split_in_speech"] += 1

    def _commit(self, turn: Turn, stop: int) -> None:
        self.spans[turn.item_id] = (turn.start, stop)
        if turn.request is None:
            self.wordless.add(turn.item_id)
        super()._commit(turn, stop)


class WatchedSession(Session):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        *for_the_listener, _denoiser = args
        self.listener = self._listener = WatchedListener(*for_the_listener)
        self.heard: Samples = np.empty(0, np.float32)

    def _hear(self, heard: Samples) -> None:
        self.heard = np.concatenate([self.heard, heard])
        super()._hear(heard)


class Witness:
    def __init__(self, session: WatchedSession, limits: Limits) -> None:
        self.session = session
        self.listener = session.listener
        self.reached: Counter[str] = Counter()
        self.committed: list[str] = []
        self.ended: set[str] = set()
        self.listening: dict[str, list[Piece]] = {}
        """What each engine turn that takes audio has been fed."""
        self.waiting: set[str] = set()
        """Engine turns that are finished and owe a final."""
        self.voiced: dict[str, int] = {}
        """Of those that were finished."""
        self.denoisers: list[NoiseReduction] = []
        """Which must have been asked for."""
        self._broken: set[str] = set()
        self._prepared: dict[str, int] = {}
        self._fed: dict[str, list[Piece]] = {}
        self._finals: dict[str, Hypothesis] = {}
        self._language: str | None = None
        self._noise_reduction: NoiseReduction | None = None
        self._limits = limits
        self._kept: list[str] = []
        self._surviving: list[str] = []
        """Kept or not, but never deleted."""
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
                case OpenTurn() | FeedTurn() | PrepareTurn() | FinishTurn() | AbandonTurn():
                    self._see_engine(output)
                case TranscriptGrew() | TranscriptCompleted() | TranscriptFailed():
                    self._see_text(output)
                case AudioCleared():
                    assert self.listening.keys() <= self._broken
                    self._speaking = None
                case SessionUpdated(config):
                    if config.noise_reduction not in (None, self._noise_reduction):
                        self.denoisers.append(config.noise_reduction)
                    self._noise_reduction = config.noise_reduction
                case Close():
                    self._closed = True
                case _:
                    pass
        self._see_accounts()

    def expect(self, item_id: str, final: Hypothesis) -> None:
        """A final is about to arrive."""
        if item_id in self.waiting:
            self._finals[item_id] = final
            self._language = (final.language if final.words else None) or self._language

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
                assert previous_id == self._last_survivor
                assert self._speaking in (None, item_id)
                assert self._stopped in (None, item_id)
                self._speaking = self._stopped = None
                self.committed.append(item_id)
            case ItemAdded(item_id, previous_id):
                assert (item_id, previous_id) == (self.committed[-1], self._last_survivor)
                self._kept = [*self._kept, item_id][-self._limits.kept_items :]
                self._surviving.append(item_id)
            case ItemDeleted(item_id):
                assert item_id in self._kept
                self._kept.remove(item_id)
                self._surviving.remove(item_id)

    @property
    def _last_survivor(self) -> str | None:
        return self._surviving[-1] if self._surviving else None

    def _see_engine(self, effect: OpenTurn | FeedTurn | PrepareTurn | FinishTurn | AbandonTurn) -> None:
        item_id = effect.item_id
        match effect:
            case OpenTurn(_, request):
                assert item_id not in self._opened
                assert request.language_before == self._language
                self._opened.add(item_id)
                self.listening[item_id] = []
            case FeedTurn(_, samples, _):
                self._see_feed(item_id, samples)
            case PrepareTurn(_, voiced):
                assert item_id not in self._prepared
                assert item_id not in self._broken
                assert self._length(item_id) == voiced + PAUSE
                self._prepared[item_id] = voiced
                self.reached["prepared"] += 1
            case FinishTurn(_, voiced):
                self._see_finish(item_id, voiced)
            case AbandonTurn():
                assert item_id in self.listening or item_id in self.waiting
                self.listening.pop(item_id, None)
                self.waiting.discard(item_id)
                self.reached["abandoned"] += 1

    def _see_feed(self, item_id: str, samples: Samples) -> None:
        start, stop = self.listener.pieces[item_id].popleft()
        assert 0 < len(samples) == stop - start
        assert np.array_equal(self.session.heard[start:stop], samples)
        if (gap := start - self._heard_until(item_id)) != 0:
            assert gap >= LEFT_OUT
            assert not self._voice(start - gap, start)
            self.reached["left_out"] += 1
        # Little silence is fed, and after a pause none unless the voice goes on.
        assert self._voice(stop - PAUSE - WINDOW, stop) or self.listener.opened_at[item_id] >= stop - PAUSE
        assert self._prepared.pop(item_id, None) is None or np.abs(samples).max() > 0.05
        self.listening[item_id].append((start, stop))

    def _see_finish(self, item_id: str, voiced: int) -> None:
        start, stop = self.listener.spans[item_id]
        heard_until = self._heard_until(item_id)
        length = self._length(item_id)
        assert item_id == self.committed[-1]
        assert start <= self.listener.voice_from[item_id]
        assert 0 <= voiced <= length
        assert heard_until >= stop or length - voiced >= PAUSE
        self._fed[item_id] = pieces = self.listening.pop(item_id)
        # At a split the engine hears 160 ms more than it is told.
        for voice in self._voice(start, stop)[-1:]:
            assert voice <= heard_until
            assert inside(pieces, voice) <= voiced + PAUSE
        if item_id in self._prepared:
            assert self._prepared.pop(item_id) == voiced
            self.reached["finished_as_prepared"] += 1
        self.voiced[item_id] = voiced
        self.waiting.add(item_id)

    def _voice(self, start: int, stop: int) -> list[int]:
        """Where the loud windows between end."""
        voices = self.listener.voices
        return voices[bisect_left(voices, start + WINDOW) : bisect_right(voices, stop)]

    def _heard_until(self, item_id: str) -> int:
        pieces = self.listening[item_id]
        return pieces[-1][1] if pieces else self.listener.voice_from[item_id]

    def _length(self, item_id: str) -> int:
        return sum(stop - start for start, stop in self.listening[item_id])

    def _see_text(self, event: TranscriptGrew | TranscriptCompleted | TranscriptFailed) -> None:
        item_id = event.item_id
        assert item_id not in self.ended
        assert item_id not in self.listener.wordless
        number = int(item_id.removeprefix("item_"))
        assert self._talking <= number
        self._talking = number
        match event:
            case TranscriptGrew(_, text):
                if item_id in self.listener.patient:
                    assert item_id in self.committed
                    assert item_id not in self._deltas
                    self.reached["late_delta"] += 1
                self.reached["early_delta"] += item_id not in self.committed
                self._deltas[item_id] = self._deltas.get(item_id, "") + text
                return
            case TranscriptCompleted():
                start, stop = self.listener.spans[item_id]
                joined = self._deltas.get(item_id, "")
                assert event.length == stop - start
                assert event.corrected == (joined != event.transcript)
                self._see_details(event)
                self.reached["corrected" if event.corrected else "completed" if joined else "empty"] += 1
            case TranscriptFailed():
                self.reached["failed"] += 1
        assert item_id in self.committed
        self.ended.add(item_id)
        self.waiting.discard(item_id)

    def _see_details(self, event: TranscriptCompleted) -> None:
        final = self._finals.get(event.item_id, Hypothesis(()))
        if event.logprobs is not None:
            assert [word.logprob for word in final.words] == [word.logprob for word in event.logprobs]
        if event.words:
            pieces = self._fed[event.item_id]
            spoken = [(word.start or 0, word.end or 0) for word in final.words if word.end is not None]
            for (start, end), word in zip(spoken, event.words, strict=True):
                first, last = outside(pieces, start), outside(pieces, end - 1) + 1
                told = word.start or 0, word.end or 0
                # Nobody speaks a word on both sides of what was left out.
                assert (first, last) == told or (last - first > end - start >= told[1] - told[0])
                assert first <= told[0] <= told[1] <= last
            self.reached["timed"] += 1

    def _see_accounts(self) -> None:
        """Every sample up to the floor is in one item, or was dropped, once."""
        accounted = 0
        for start, stop in sorted([*self._dropped, *self.listener.spans.values()]):
            assert start == accounted
            accounted = stop
        assert accounted == self.listener.floor

    def see_the_end(self, *, gone: bool) -> None:
        assert self.listener.floor == len(self.session.heard)
        assert self.session.wake_at is None
        assert not self.waiting
        if not gone:
            assert self._closed
            assert set(self.committed) - self.listener.wordless == self.ended
