"""The state machine: commands in, events and effects out.

Time. The session lives on its audio's clock: positions count samples since the first one, however they
arrived. `now` matters only for the end of the session's life.

Turns. Audio before the floor is accounted for: it belongs to an item, or was dropped for a named reason. At
most one turn is open, and it starts at the floor. The first voiced window opens it; silence (server
detection), the client's commit or its own length ends it. What an engine hears of it is an excerpt: from
where the voice begins to where it ended, without the long silences between. Silence costs nothing. At a pause
the engine is told that the turn may be over, so that its final can be ready when it is.

Text. Every committed turn that asked for text ends in exactly one completed or failed. What is said of a
turn waits until all turns before it have ended, so that clients which join text regardless of its item stay
right.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from realtime_asr.audio.buffer import AudioBuffer
from realtime_asr.audio.detection import (
    ServerVad,
    SpeechBegan,
    SpeechEnded,
    SpeechScorer,
    SpeechWentOn,
    boundary,
)
from realtime_asr.audio.intake import Intake
from realtime_asr.audio.noise import Denoiser
from realtime_asr.audio.timeline import RATE, WINDOW, Samples, milliseconds, samples
from realtime_asr.session.commands import (
    AppendAudio,
    Begin,
    ClearAudio,
    Command,
    CommitAudio,
    Configure,
    DeleteItem,
    Drain,
    EndSession,
    HangUp,
    HypothesisArrived,
    Refuse,
    RetrieveItem,
    TimePassed,
    TranscriptionBroke,
)
from realtime_asr.session.config import Limits, NoiseReduction, SessionConfig, accept
from realtime_asr.session.conversation import LONGEST_RECORDING, Conversation
from realtime_asr.session.effects import (
    AbandonTurn,
    Close,
    Effect,
    FeedTurn,
    FinishTurn,
    OpenTurn,
    PrepareTurn,
)
from realtime_asr.session.events import (
    AudioCleared,
    AudioCommitted,
    AudioDropped,
    DropReason,
    Event,
    IdleTimedOut,
    ItemAdded,
    ItemDeleted,
    ItemRetrieved,
    Rejected,
    SessionClosed,
    SessionCreated,
    SessionExpiring,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
)
from realtime_asr.session.excerpt import Excerpt
from realtime_asr.session.problem import Problem
from realtime_asr.session.turn import Turn
from realtime_asr.transcript.agreement import USUAL
from realtime_asr.transcript.hypothesis import Hypothesis
from realtime_asr.transcript.request import TurnRequest

Output = Event | Effect

# In manual mode the client decides what is speech; the scorer only spares the engine what surely is none.
_MANUAL = ServerVad(threshold=0.2, prefix_padding_ms=500)
_LEAD = samples(1_000)
"""Audio before the voice that is kept, and that an engine hears at the most."""
_PAUSE = 5 * WINDOW
"""Silence after which a turn may be over: 160 ms. The engine hears as much of it, and no more for now."""
_LONG_PAUSE = samples(1_000)
_BREATH = samples(500)
"""What an engine hears before the voice that follows a long pause."""
_SPLIT_SEARCH = samples(5_000)
_SPLIT_PAUSE = 3 * WINDOW


class Session:
    """Feed it commands in order; act on what it returns, in order.

    It performs no I/O, reads no clock, draws no randomness and starts no task: equal inputs give equal
    outputs. Begin comes first; after HangUp, or once it returned Close, it answers nothing any more.
    """

    def __init__(
        self,
        config: SessionConfig,
        limits: Limits,
        scorer: SpeechScorer,
        new_item_id: Callable[[], str],
        new_denoiser: Callable[[NoiseReduction], Denoiser] | None = None,
    ) -> None:
        self._config = config
        self._limits = limits
        self._scorer = scorer
        self._new_item_id = new_item_id
        self._new_denoiser = new_denoiser
        self._intake = Intake(config.format, self._denoiser())
        self._language: str | None = None
        """Of the newest text."""
        self._split = (0, "")
        """Where a turn was split last, and what it had said by then; nothing once that was passed on."""
        self._buffer = AudioBuffer()
        self._floor = 0
        self._scored = 0
        self._loudness: deque[tuple[int, float]] = deque(maxlen=_SPLIT_SEARCH // WINDOW)
        self._open: Turn | None = None
        self._turns: dict[str, Turn] = {}
        self._conversation = Conversation(kept_items=limits.kept_items, kept_audio=limits.kept_audio)
        self._warn_at: float | None = None
        self._expires_at: float | None = None
        self._farewell: tuple[Output, ...] | None = None
        self._over = False
        self._out: list[Output] = []

    @property
    def wake_at(self) -> float | None:
        """When the session next wants TimePassed."""
        if self._over:
            return None
        return self._expires_at if self._warn_at is None else self._warn_at

    def receive(self, command: Command, now: float) -> list[Output]:
        if self._over:
            return []
        self._obey(command, now)
        self._tell()
        self._leave_when_done()
        outputs, self._out = self._out, []
        return outputs

    def _obey(self, command: Command, now: float) -> None:
        match command:
            case AppendAudio():
                self._hear(self._intake.feed(command.payload))
            case CommitAudio():
                self._commit_audio(command.ref)
            case ClearAudio():
                self._clear()
            case Configure():
                self._configure(command)
            case RetrieveItem():
                self._retrieve(command)
            case DeleteItem():
                self._delete(command)
            case Refuse():
                self._emit(Rejected(command.problem))
            case HypothesisArrived():
                self._listen(command.item_id, command.hypothesis)
            case TranscriptionBroke():
                self._break(command.item_id, command.problem)
            case Begin():
                self._begin(now)
            case TimePassed():
                self._look_at_the_time(now)
            case EndSession():
                self._wind_down(now, SessionClosed(), Close(1000, ""))
            case Drain():
                self._wind_down(now, Close(command.code, command.reason))
            case HangUp():
                self._hang_up()
            case _:
                assert_never(command)

    # Life

    def _begin(self, now: float) -> None:
        self._expires_at = now + self._limits.session_seconds
        if self._limits.warning_seconds is not None:
            self._warn_at = self._expires_at - self._limits.warning_seconds
        self._emit(SessionCreated(self._config))

    def _look_at_the_time(self, now: float) -> None:
        if self._warn_at is not None and now >= self._warn_at:
            self._warn_at = None
            self._emit(SessionExpiring(max((self._expires_at or now) - now, 0.0)))
        if self._expires_at is None or now < self._expires_at:
            return
        if self._farewell is None:
            minutes = self._limits.session_seconds / 60
            message = f"Your session hit the maximum duration of {minutes:g} minutes."
            self._wind_down(now, Rejected(Problem("session_expired", message)), Close(1001, message))
        else:
            self._give_up("The session ended before this item was transcribed.")

    def _wind_down(self, now: float, *farewell: Output) -> None:
        """Take no more audio, finish what was said, then say farewell."""
        if self._farewell is not None:
            return
        self._hear_the_rest()
        self._farewell = farewell
        self._warn_at, self._expires_at = None, now + self._limits.drain_seconds
        if self._open is not None:
            self._commit(self._open, self._buffer.end)
        self._drop_to(self._buffer.end, "closing")

    def _give_up(self, message: str) -> None:
        for turn in self._turns.values():
            if not turn.ended:
                self._emit(AbandonTurn(turn.item_id))
                turn.fail(Problem(None, message, kind="server_error"))

    def _leave_when_done(self) -> None:
        if self._farewell is not None and not self._turns:
            self._out.extend(self._farewell)
            self._over = True

    def _hang_up(self) -> None:
        for turn in self._turns.values():
            self._abandon(turn)
        self._turns.clear()
        self._open = self._farewell = None
        self._drop_to(self._buffer.end, "hung_up")
        self._over = True

    # Configuration and conversation

    def _configure(self, command: Configure) -> None:
        accepted = accept(self._config, command.patch, self._limits)
        if isinstance(accepted, Problem):
            self._reject(accepted, command.ref)
            return
        refined = accepted.noise_reduction != self._config.noise_reduction
        reformatted = accepted.format != self._config.format
        if refined or reformatted:
            self._hear_the_rest()
        self._config = accepted
        if refined:
            self._intake.denoiser = self._denoiser()
        if reformatted:
            self._intake = Intake(accepted.format, self._intake.denoiser)
        self._emit(SessionUpdated(accepted, command.via))

    def _denoiser(self) -> Denoiser | None:
        wanted = self._config.noise_reduction
        return None if wanted is None or self._new_denoiser is None else self._new_denoiser(wanted)

    def _retrieve(self, command: RetrieveItem) -> None:
        if item := self._conversation.retrieve(command.item_id):
            self._emit(ItemRetrieved(item.item_id, item.transcript, item.audio()))
        else:
            self._reject(_not_found(command.item_id), command.ref)

    def _delete(self, command: DeleteItem) -> None:
        if self._conversation.delete(command.item_id):
            self._emit(ItemDeleted(command.item_id))
        else:
            self._reject(_not_found(command.item_id), command.ref)

    # Audio

    def _hear(self, heard: Samples) -> None:
        self._buffer.append(heard)
        if self._farewell is not None:
            self._drop_to(self._buffer.end, "closing")
            self._buffer.forget_before(self._buffer.end)
            return
        while self._scored + WINDOW <= self._buffer.end:
            self._hear_window(self._buffer.slice(self._scored, self._scored + WINDOW))
            if self._open is None:
                self._forget_silence()
        if self._open is not None:
            self._feed(self._open)
            # For retrieval, and for the turn that follows a split.
            self._buffer.forget_before(max(self._open.start, self._buffer.end - self._limits.kept_audio))

    def _hear_the_rest(self) -> None:
        """What the resampler still holds belongs to the audio before this moment."""
        self._hear(self._intake.flush())

    def _hear_window(self, window: Samples) -> None:
        self._scored += WINDOW
        probability = self._scorer.score(window)
        if (vad := self._vad()) is None:
            self._hear_manually(probability)
        else:
            self._detect(probability, vad)
        if self._open is not None:
            self._loudness.append((self._scored, float(window @ window)))
            self._split_when_too_long(self._open)

    def _vad(self) -> ServerVad | None:
        """How long to wait for more, considering what was said."""
        if (detection := self._config.detection) is None:
            return None
        return detection.as_silence(finished=self._open is not None and self._open.sounds_finished)

    def _hear_manually(self, probability: float) -> None:
        """The client will say when the turn ends; find out what of it is worth hearing."""
        turn = self._open
        match boundary(probability, self._scored, _MANUAL, turn.voiced_until if turn else None):
            case SpeechBegan(at):
                voice_from = max(at - _MANUAL.padding, self._floor, self._buffer.start)
                self._open_turn(self._floor, voice_from, announced=False)
            case SpeechWentOn(until) if turn is not None:
                self._go_on(turn, until)
            case _:
                self._look_for_a_pause()

    def _detect(self, probability: float, vad: ServerVad) -> None:
        turn = self._open
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
            case _:
                self._look_at_idleness(vad)
                self._look_for_a_pause()

    def _go_on(self, turn: Turn, until: int) -> None:
        """The voice is there, or there again."""
        began = until - WINDOW
        if turn.excerpt is not None and began - turn.voiced_until > _LONG_PAUSE:
            self._feed(turn)
            turn.excerpt.skip_to(max(began - _BREATH, self._buffer.start))
        turn.voiced_until = until

    def _look_for_a_pause(self) -> None:
        turn = self._open
        if turn is not None and turn.excerpt is not None and self._scored - turn.voiced_until == _PAUSE:
            self._feed(turn)
            if turn.listened_to and turn.broken is None:
                self._emit(PrepareTurn(turn.item_id, turn.excerpt.inside(turn.voiced_until)))

    def _look_at_idleness(self, vad: ServerVad) -> None:
        if self._open is None and vad.idle_timeout is not None:
            start, stop = self._floor, self._scored
            if stop - start >= vad.idle_timeout:
                turn = self._new_turn(start, announced=False)
                self._emit(IdleTimedOut(turn.item_id, start, stop))
                self._commit(turn, stop)

    def _commit_audio(self, ref: str | None) -> None:
        self._hear_the_rest()
        end = self._buffer.end
        if end - self._floor < self._limits.shortest_commit:
            self._reject(_too_small(self._limits.shortest_commit, end - self._floor), ref)
            return
        self._commit(self._open or self._new_turn(self._floor, announced=False), end)

    def _clear(self) -> None:
        self._hear_the_rest()
        # Half a sample is cleared too: it would shift every byte that follows.
        self._intake = Intake(self._config.format, self._intake.denoiser)
        if self._open is not None:
            self._abandon(self._open)
            del self._turns[self._open.item_id]
            self._open = None
        self._drop_to(self._buffer.end, "cleared")
        self._emit(AudioCleared())

    def _drop_to(self, position: int, reason: DropReason) -> None:
        if position > self._floor:
            self._emit(AudioDropped(self._floor, position, reason))
            self._floor = position

    def _forget_silence(self) -> None:
        """Keep what a turn may still reach back for.

        Called after every window, so that what is kept does not depend on how the audio was cut.
        """
        self._loudness.clear()
        # Without detection the client may commit silence, and retrieve it.
        reach = LONGEST_RECORDING
        if (detection := self._config.detection) is not None:
            reach = max(detection.as_silence(finished=True).padding, _LEAD) + WINDOW
        reach = min(reach, self._limits.kept_audio)
        self._buffer.forget_before(min(max(self._scored - reach, self._floor), self._scored))

    # Turns

    def _new_turn(self, start: int, *, announced: bool, voice_from: int | None = None) -> Turn:
        request = self._request(self._spoken_before(voice_from))
        asked = self._config.transcription
        live = asked is None or asked.deltas != "after_commit"
        turn = Turn(self._new_item_id(), start, request, announced, live, voiced_until=start)
        self._open = self._turns[turn.item_id] = turn
        return turn

    def _open_turn(self, start: int, voice_from: int, *, announced: bool) -> Turn:
        turn = self._new_turn(start, announced=announced, voice_from=voice_from)
        turn.voiced_until = self._scored
        turn.excerpt = Excerpt(voice_from)
        if announced:
            self._emit(SpeechStarted(turn.item_id, start))
        if turn.request is not None:
            self._emit(OpenTurn(turn.item_id, turn.request))
        return turn

    def _spoken_before(self, voice_from: int | None) -> str | None:
        split_at, said = self._split
        if voice_from is None or voice_from - split_at > _LONG_PAUSE:
            return None
        self._split = (0, "")
        return said or None

    def _request(self, spoken_before: str | None) -> TurnRequest | None:
        asked = self._config.transcription
        if asked is None:
            return None
        return TurnRequest(
            asked.model,
            asked.language,
            asked.languages,
            asked.prompt,
            asked.keywords,
            asked.delay or USUAL,
            logprobs="logprobs" in (self._config.include or ()),
            word_times="word_times" in (self._config.include or ()),
            spoken_before=spoken_before,
            language_before=self._language,
        )

    def _feed(self, turn: Turn) -> None:
        """All that was heard up to shortly after the voice."""
        excerpt = turn.excerpt
        if excerpt is None or not turn.listened_to or turn.broken is not None:
            return
        end = self._buffer.end if turn.stop is None else turn.stop
        until = min(end, turn.voiced_until + _PAUSE)
        if until > excerpt.end:
            if excerpt.end < self._buffer.start:
                excerpt.skip_to(self._buffer.start)
            self._emit(FeedTurn(turn.item_id, self._buffer.slice(excerpt.end, until)))
            excerpt.extend(until)

    def _stop(self, turn: Turn, at: int) -> None:
        if turn.announced:
            self._emit(SpeechStopped(turn.item_id, at))
        self._commit(turn, at)

    def _commit(self, turn: Turn, stop: int) -> None:
        if turn.voiced_until == self._scored:
            # Audio too short to be scored goes with what came before it.
            turn.voiced_until = stop
        turn.stop = self._floor = stop
        self._feed(turn)
        self._open = None
        whole = turn.start >= self._buffer.start
        previous = self._conversation.add(
            turn.item_id, self._buffer.slice(turn.start, stop) if whole else None
        )
        self._emit(AudioCommitted(turn.item_id, previous))
        self._emit(ItemAdded(turn.item_id, previous))
        if turn.request is None:
            del self._turns[turn.item_id]
        elif turn.broken is not None:
            turn.fail(turn.broken)
        elif turn.excerpt is None:
            self._complete(turn, Hypothesis((), final=True))
        else:
            self._emit(FinishTurn(turn.item_id, turn.excerpt.inside(turn.voiced_until)))
        # At once, not at the end of the step: more turns may follow in the same audio.
        self._tell()

    def _abandon(self, turn: Turn) -> None:
        if turn.listened_to:
            self._emit(AbandonTurn(turn.item_id))

    def _split_when_too_long(self, turn: Turn) -> None:
        assert turn.excerpt is not None, "silence opens no turn"
        limit = self._limits.longest_turn if turn.announced else self._limits.longest_manual_turn
        # Silence before the voice makes no turn too long for an engine.
        left = limit - (self._scored - turn.excerpt.start)
        if left <= min(_SPLIT_SEARCH, limit // 2) and self._scored - turn.voiced_until >= _SPLIT_PAUSE:
            self._split_in_pause(turn)
        elif left <= 0:
            self._split_in_speech(turn, self._quietest(turn, turn.excerpt.start + limit // 2))

    def _split_in_pause(self, turn: Turn) -> None:
        """Whatever follows is a turn of its own."""
        self._split = self._scored, turn.said
        self._stop(turn, self._scored)

    def _split_in_speech(self, turn: Turn, cut: int) -> None:
        voiced_until = turn.voiced_until
        # The engine listens a little further than told, and there the next turn speaks.
        turn.voiced_until = min(voiced_until, cut - _PAUSE)
        self._split = cut, turn.said
        self._stop(turn, cut)
        rest = self._open_turn(cut, cut, announced=turn.announced)
        rest.voiced_until = max(voiced_until, cut)

    def _quietest(self, turn: Turn, earliest: int) -> int:
        """Of the last seconds, but not before what was said already: the next turn would say it again."""
        earliest = max(earliest, turn.said_before, self._buffer.start)
        _, cut = min(
            ((energy, at) for at, energy in self._loudness if at >= earliest), default=(0, self._scored)
        )
        return cut

    # Text

    def _listen(self, item_id: str, hypothesis: Hypothesis) -> None:
        turn = self._turns.get(item_id)
        if turn is None or not turn.listened_to or turn.broken is not None:
            return
        if hypothesis.final and turn.stop is not None:
            self._complete(turn, hypothesis)
        else:
            turn.guess(hypothesis)
            self._look_for_the_end(turn)

    def _look_for_the_end(self, turn: Turn) -> None:
        """The text may tell that what was silence so far is the end."""
        vad = self._vad()
        if turn is not self._open or vad is None:
            return
        if self._scored - turn.voiced_until >= max(vad.silence, WINDOW):
            self._stop(turn, self._scored)

    def _complete(self, turn: Turn, final: Hypothesis) -> None:
        self._language = final.language or self._language
        self._conversation.transcribed(turn.item_id, turn.complete(final))

    def _break(self, item_id: str, problem: Problem) -> None:
        turn = self._turns.get(item_id)
        if turn is None or turn.ended:
            return
        if turn.stop is None:
            turn.broken = problem
        else:
            turn.fail(problem)

    def _tell(self) -> None:
        """Let the oldest turn speak, and the next once it has ended."""
        for turn in list(self._turns.values()):
            self._out.extend(turn.untold)
            turn.untold.clear()
            if not turn.ended:
                return
            del self._turns[turn.item_id]

    def _emit(self, output: Output) -> None:
        self._out.append(output)

    def _reject(self, problem: Problem, ref: str | None) -> None:
        self._emit(Rejected(replace(problem, ref=ref)))


def _not_found(item_id: str) -> Problem:
    return Problem("item_not_found", f"Item with item_id '{item_id}' not found.", param="item_id")


def _too_small(needed: int, buffered: int) -> Problem:
    return Problem(
        "input_audio_buffer_commit_empty",
        "Error committing input audio buffer: buffer too small. Expected at least "
        f"{milliseconds(needed)}ms of audio, but buffer only has {buffered * 1000 / RATE:.2f}ms of audio.",
    )
