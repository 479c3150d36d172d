"""Turn-taking: where in the audio turns begin and end, and what of it an engine hears.

Audio before the floor is accounted for: it belongs to an item, or was dropped for a named reason. At most
one turn is open, and it starts at the floor. The first voiced window opens it; silence (server detection),
the client's commit or its own length ends it. What an engine hears of it is an excerpt: from where the voice
begins to where it ended, without the long silences between. Silence costs nothing. At a pause the engine is
told that the turn may be over, so that its final can be ready when it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from realtime_asr.audio.buffer import AudioBuffer
from realtime_asr.audio.detection import (
    ServerVad,
    SpeechBegan,
    SpeechEnded,
    SpeechScorer,
    SpeechWentOn,
    boundary,
)
from realtime_asr.audio.timeline import WINDOW, Samples, samples, seconds
from realtime_asr.session.config import Limits, SessionConfig
from realtime_asr.session.conversation import LONGEST_RECORDING
from realtime_asr.session.effects import AbandonTurn, FeedTurn, OpenTurn, PrepareTurn
from realtime_asr.session.events import (
    AudioDropped,
    DropReason,
    IdleTimedOut,
    SpeechStarted,
    SpeechStopped,
)
from realtime_asr.session.excerpt import BREATH, PAUSE, Excerpt
from realtime_asr.session.splitting import InPause, InSpeech, Splitter
from realtime_asr.session.turn import Turn

# In manual mode the client decides what is speech; the scorer only spares the engine what surely is none.
_MANUAL = ServerVad(threshold=0.2, prefix_padding_ms=500)
_LEAD = samples(1_000)
"""Audio before the voice that is kept, and that an engine hears at the most."""
_LONG_PAUSE = samples(1_000)


@dataclass(frozen=True, slots=True, eq=False)
class TurnEnded:
    """All of its audio was heard, and its engine was fed."""

    turn: Turn
    recording: Samples | None
    """All of it; None where the beginning is forgotten already."""


Heard = (
    SpeechStarted
    | SpeechStopped
    | IdleTimedOut
    | AudioDropped
    | OpenTurn
    | FeedTurn
    | PrepareTurn
    | AbandonTurn
    | TurnEnded
)


class Listener:
    """Each call returns what it made of the audio so far, in order. Positions are the session's."""

    def __init__(
        self, config: SessionConfig, limits: Limits, scorer: SpeechScorer, new_item_id: Callable[[], str]
    ) -> None:
        self.config = config
        """May be exchanged at any time, and holds from the next window and the next turn on."""
        self.language: str | None = None
        """Of the newest text: the next turn's engine is told."""
        self.open: Turn | None = None
        self._limits = limits
        self._scorer = scorer
        self._new_item_id = new_item_id
        self._buffer = AudioBuffer()
        self._floor = 0
        self._scored = 0
        self._came_at = self._came_after = 0.0
        """When the newest audio came in, and before it the last."""
        self._splitter = Splitter(limits)
        self._out: list[Heard] = []

    @property
    def unaccounted(self) -> int:
        """How much was heard since the floor."""
        return self._buffer.end - self._floor

    def comes_in(self, now: float) -> None:
        """Audio does, and is about to be heard."""
        self._came_after, self._came_at = self._came_at, now

    def hear(self, audio: Samples) -> list[Heard]:
        self._buffer.append(audio)
        end = self._buffer.end
        while self._scored + WINDOW <= end:
            self._hear_window(self._buffer.slice(self._scored, self._scored + WINDOW))
            if self.open is None:
                self._forget_silence()
        if self.open is not None:
            self._feed(self.open)
            # For retrieval, and for the turn that follows a split.
            self._buffer.forget_before(max(self.open.start, end - self._limits.kept_audio))
        return self._take()

    def ignore(self, audio: Samples) -> list[Heard]:
        """Account for audio that comes after the last turn."""
        self._buffer.append(audio)
        self._drop_to(self._buffer.end, "closing")
        self._buffer.forget_before(self._buffer.end)
        return self._take()

    def commit(self) -> list[Heard]:
        """The client says that the turn ends here, and that there was one if nobody noticed."""
        self._commit(self.open or self._new_turn(self._floor, announced=False), self._buffer.end)
        return self._take()

    def finish(self) -> list[Heard]:
        """What was said becomes a turn, and the last one."""
        if self.open is not None:
            self._commit(self.open, self._buffer.end)
        self._drop_to(self._buffer.end, "closing")
        return self._take()

    def let_go(self, reason: DropReason) -> list[Heard]:
        """What was heard since the last turn ended becomes none."""
        if self.open is not None and self.open.listened_to:
            self._out.append(AbandonTurn(self.open.item_id))
        self.open = None
        self._drop_to(self._buffer.end, reason)
        return self._take()

    def look_for_the_end(self) -> list[Heard]:
        """A guess at the open turn may tell that what was silence so far is the end."""
        turn, vad = self.open, self._vad()
        if turn is None or vad is None:
            return []
        if self._scored - turn.voiced_until >= max(vad.silence, WINDOW):
            self._stop(turn, self._scored)
        return self._take()

    def _take(self) -> list[Heard]:
        heard, self._out = self._out, []
        return heard

    # Window by window

    def _hear_window(self, window: Samples) -> None:
        self._scored += WINDOW
        probability = self._scorer.score(window)
        if (vad := self._vad()) is None:
            self._hear_manually(probability)
        else:
            self._detect(probability, vad)
        if self.open is not None:
            self.open.voice = max(self.open.voice, probability)
            self._splitter.hear(window, self._scored)
            self._split_when_too_long(self.open)

    def _vad(self) -> ServerVad | None:
        """How long to wait for more, considering what was said."""
        if (detection := self.config.detection) is None:
            return None
        return detection.as_silence(finished=self.open is not None and self.open.sounds_finished)

    def _hear_manually(self, probability: float) -> None:
        """The client will say when the turn ends; find out what of it is worth hearing."""
        turn = self.open
        match boundary(probability, self._scored, _MANUAL, turn.voiced_until if turn else None):
            case SpeechBegan(at):
                voice_from = max(at - _MANUAL.padding, self._floor, self._buffer.start)
                self._open_turn(self._floor, voice_from, announced=False)
            case SpeechWentOn(until) if turn is not None:
                self._go_on(turn, until)
            case _ if turn is not None:
                self._look_for_a_pause(turn)

    def _detect(self, probability: float, vad: ServerVad) -> None:
        turn = self.open
        match boundary(probability, self._scored, vad, turn.voiced_until if turn else None):
            case SpeechBegan(at):
                start = max(at - vad.padding, self._floor, self._buffer.start)
                self._drop_to(start, "silence")
                # The client may want more of the silence before; the engine has no use for it.
                self._open_turn(start, max(start, at - _LEAD), announced=True)
            case SpeechWentOn(until) if turn is not None:
                self._go_on(turn, until)
            case SpeechEnded(at) if turn is not None:
                self._stop(turn, at)
            case _ if turn is not None:
                self._look_for_a_pause(turn)
            case _ if vad.idle_timeout is not None:
                self._look_at_idleness(vad.idle_timeout)

    def _go_on(self, turn: Turn, until: int) -> None:
        """The voice is there, or there again."""
        began = until - WINDOW
        if turn.excerpt is not None and began - turn.voiced_until > _LONG_PAUSE:
            self._feed(turn)
            turn.excerpt.skip_to(max(began - BREATH, self._buffer.start))
        turn.voiced_until, turn.voiced_at = until, self._came_in(until)

    def _came_in(self, position: int) -> float:
        """When a sample of the newest audio did, if that was not sent faster than it was spoken."""
        return max(self._came_after, self._came_at - seconds(self._buffer.end - position))

    def _look_for_a_pause(self, turn: Turn) -> None:
        if self._scored - turn.voiced_until == PAUSE:
            self._feed(turn)
            if turn.growing:
                self._out.append(PrepareTurn(turn.item_id, turn.voiced))

    def _look_at_idleness(self, timeout: int) -> None:
        start, stop = self._floor, self._scored
        if stop - start >= timeout:
            turn = self._new_turn(start, announced=False)
            self._out.append(IdleTimedOut(turn.item_id, start, stop))
            self._commit(turn, stop)

    def _drop_to(self, position: int, reason: DropReason) -> None:
        if position > self._floor:
            self._out.append(AudioDropped(self._floor, position, reason))
            self._floor = position

    def _forget_silence(self) -> None:
        """Keep what a turn may still reach back for.

        Called after every window, so that what is kept does not depend on how the audio was cut.
        """
        # Without detection the client may commit silence, and retrieve it.
        reach = LONGEST_RECORDING
        if (detection := self.config.detection) is not None:
            reach = max(detection.as_silence(finished=True).padding, _LEAD) + WINDOW
        reach = min(reach, self._limits.kept_audio)
        self._buffer.forget_before(min(max(self._scored - reach, self._floor), self._scored))

    # Turns

    def _new_turn(self, start: int, *, announced: bool, spoken_before: str | None = None) -> Turn:
        asked = self.config.transcription
        return Turn(
            self._new_item_id(),
            start,
            self.config.request(spoken_before=spoken_before, language_before=self.language),
            announced,
            live=asked is None or asked.deltas != "after_commit",
            voiced_until=start,
            # Where scores tell nothing of voices, nothing speaks against one.
            voice=0.0 if self._scorer.tells_voices else 1.0,
        )

    def _open_turn(self, start: int, voice_from: int, *, announced: bool) -> Turn:
        turn = self._new_turn(
            start, announced=announced, spoken_before=self._splitter.spoken_before(voice_from)
        )
        turn.voiced_until, turn.voiced_at = self._scored, self._came_in(self._scored)
        turn.excerpt = Excerpt(voice_from)
        self.open = turn
        if announced:
            self._out.append(SpeechStarted(turn.item_id, start))
        if turn.request is not None:
            self._out.append(OpenTurn(turn.item_id, turn.request))
        return turn

    def _feed(self, turn: Turn) -> None:
        if (feed := turn.feed(self._buffer)) is not None:
            self._out.append(feed)

    def _stop(self, turn: Turn, at: int) -> None:
        if turn.announced:
            self._out.append(SpeechStopped(turn.item_id, at))
        self._commit(turn, at)

    def _commit(self, turn: Turn, stop: int) -> None:
        if turn.voiced_until == self._scored:
            # Audio too short to be scored goes with what came before it.
            turn.voiced_until = stop
        turn.stop = self._floor = stop
        self._feed(turn)
        self.open = None
        whole = turn.start >= self._buffer.start
        self._out.append(TurnEnded(turn, self._buffer.slice(turn.start, stop) if whole else None))

    def _split_when_too_long(self, turn: Turn) -> None:
        match self._splitter.place(turn, self._scored, self._buffer.start):
            case InPause(at):
                self._stop(turn, at)
            case InSpeech(at):
                self._split_in_speech(turn, at)
            case _:
                pass

    def _split_in_speech(self, turn: Turn, cut: int) -> None:
        voiced_until, voiced_at = turn.voiced_until, turn.voiced_at
        # The engine listens a little further than told, and there the next turn speaks.
        turn.voiced_until = min(voiced_until, cut - PAUSE)
        turn.voiced_at -= seconds(voiced_until - turn.voiced_until)
        self._stop(turn, cut)
        rest = self._open_turn(cut, cut, announced=turn.announced)
        rest.voiced_until, rest.voiced_at = max(voiced_until, cut), voiced_at
        rest.voice = turn.voice
