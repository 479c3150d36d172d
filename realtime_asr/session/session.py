"""The state machine: commands in, events and effects out.

Time. The session lives on its audio's clock: positions count samples since the first one, however they
arrived. `now` matters only for the end of the session's life, and to tell how long things took.

Turns. The listener finds them in the audio. An open turn is the listener's; once committed it is the
session's, until its text was told.

Text. Every committed turn that asked for text ends in exactly one completed or failed. What is said of a
turn waits until all turns before it have ended, so that clients which join text regardless of its item stay
right.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import assert_never

from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.audio.intake import Intake
from realtime_asr.audio.noise import Denoiser
from realtime_asr.audio.timeline import RATE, Samples, milliseconds
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
from realtime_asr.session.conversation import Conversation
from realtime_asr.session.effects import AbandonTurn, Close, Effect, FinishTurn
from realtime_asr.session.events import (
    AudioCleared,
    AudioCommitted,
    Event,
    ItemAdded,
    ItemDeleted,
    ItemRetrieved,
    Rejected,
    SessionClosed,
    SessionCreated,
    SessionExpiring,
    SessionUpdated,
)
from realtime_asr.session.listening import Heard, Listener, TurnEnded
from realtime_asr.session.problem import Problem
from realtime_asr.session.turn import Turn
from realtime_asr.transcript.hypothesis import Hypothesis

Output = Event | Effect


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
        self._new_denoiser = new_denoiser
        self._intake = Intake(config.format, self._denoiser())
        self._listener = Listener(config, limits, scorer, new_item_id)
        self._committed: dict[str, Turn] = {}
        """Those that owe text, or wait for turns before to end."""
        self._conversation = Conversation(kept_items=limits.kept_items, kept_audio=limits.kept_audio)
        self._warn_at: float | None = None
        self._expires_at: float | None = None
        self._farewell: tuple[Output, ...] | None = None
        self._over = False
        self._now = 0.0
        """Of the command that is obeyed."""
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
        self._now = now
        self._obey(command)
        self._tell()
        self._leave_when_done()
        outputs, self._out = self._out, []
        return outputs

    def _obey(self, command: Command) -> None:
        match command:
            case AppendAudio():
                self._listener.comes_in(self._now)
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
                self._learn(command.item_id, command.hypothesis)
            case TranscriptionBroke():
                self._break(command.item_id, command.problem)
            case Begin():
                self._begin()
            case TimePassed():
                self._look_at_the_time()
            case EndSession():
                self._wind_down(SessionClosed(), Close(1000, ""))
            case Drain():
                self._drain(command)
            case HangUp():
                self._hang_up()
            case _:
                assert_never(command)

    # Life

    def _begin(self) -> None:
        self._listener.comes_in(self._now)
        self._expires_at = self._now + self._limits.session_seconds
        if self._limits.warning_seconds is not None:
            self._warn_at = self._expires_at - self._limits.warning_seconds
        self._emit(SessionCreated(self._config))

    def _look_at_the_time(self) -> None:
        if self._warn_at is not None and self._now >= self._warn_at:
            self._warn_at = None
            self._emit(SessionExpiring(max((self._expires_at or self._now) - self._now, 0.0)))
        if self._expires_at is None or self._now < self._expires_at:
            return
        if self._farewell is None:
            minutes = self._limits.session_seconds / 60
            message = f"Your session hit the maximum duration of {minutes:g} minutes."
            self._wind_down(Rejected(Problem("session_expired", message)), Close(1001, message))
        else:
            self._give_up("The session ended before this item was transcribed.")

    def _drain(self, command: Drain) -> None:
        if self._farewell is None and self._limits.warning_seconds is not None:
            self._emit(SessionExpiring(self._limits.drain_seconds))
        told = () if command.problem is None else (Rejected(command.problem),)
        self._wind_down(*told, Close(command.code, command.reason))

    def _wind_down(self, *farewell: Output) -> None:
        """Take no more audio, finish what was said, then say farewell."""
        if self._farewell is not None:
            return
        self._hear_the_rest()
        self._farewell = farewell
        self._warn_at, self._expires_at = None, self._now + self._limits.drain_seconds
        self._follow(self._listener.finish())

    def _give_up(self, message: str) -> None:
        for turn in self._committed.values():
            if not turn.ended:
                self._emit(AbandonTurn(turn.item_id))
                turn.fail(Problem(None, message, kind="server_error"))

    def _leave_when_done(self) -> None:
        if self._farewell is not None and not self._committed:
            self._out.extend(self._farewell)
            self._over = True

    def _hang_up(self) -> None:
        for turn in self._committed.values():
            if turn.listened_to:
                self._emit(AbandonTurn(turn.item_id))
        self._committed.clear()
        self._follow(self._listener.let_go("hung_up"))
        self._farewell = None
        self._over = True

    # Configuration and conversation

    def _configure(self, command: Configure) -> None:
        accepted = accept(self._config, command.patch, self._limits)
        if isinstance(accepted, Problem):
            self._emit(Rejected(replace(accepted, ref=command.ref), command.via))
            return
        refined = accepted.noise_reduction != self._config.noise_reduction
        reformatted = accepted.format != self._config.format
        if refined or reformatted:
            self._hear_the_rest()
        self._config = self._listener.config = accepted
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

    # Audio and turns

    def _hear(self, heard: Samples) -> None:
        if self._farewell is None:
            self._follow(self._listener.hear(heard))
        else:
            self._follow(self._listener.ignore(heard))

    def _hear_the_rest(self) -> None:
        """What the resampler still holds belongs to the audio before this moment."""
        self._hear(self._intake.flush())

    def _commit_audio(self, ref: str | None) -> None:
        needed = self._limits.shortest_commit
        # Only then: what is rejected must leave no seam in the audio.
        if self._buffered >= needed:
            self._hear_the_rest()
        # The rest may have ended the turn by itself.
        if self._buffered >= needed:
            self._follow(self._listener.commit())
        else:
            self._reject(_too_small(needed, self._buffered), ref)

    @property
    def _buffered(self) -> int:
        return self._listener.unaccounted + self._intake.pending

    def _clear(self) -> None:
        self._hear_the_rest()
        # Half a sample is cleared too: it would shift every byte that follows.
        self._intake = Intake(self._config.format, self._intake.denoiser)
        self._follow(self._listener.let_go("cleared"))
        self._emit(AudioCleared())

    def _follow(self, heard: Iterable[Heard]) -> None:
        """Events and effects pass on; a turn that ended becomes an item."""
        for news in heard:
            if isinstance(news, TurnEnded):
                self._commit(news.turn, news.recording)
            else:
                self._emit(news)

    def _commit(self, turn: Turn, recording: Samples | None) -> None:
        turn.committed_at = self._now
        previous = self._conversation.add(turn.item_id, recording)
        self._emit(AudioCommitted(turn.item_id, previous))
        self._emit(ItemAdded(turn.item_id, previous))
        if turn.request is not None:
            self._committed[turn.item_id] = turn
            self._finish(turn)
        # At once, not at the end of the step: more turns may follow in the same audio.
        self._tell()

    def _finish(self, turn: Turn) -> None:
        if turn.broken is not None:
            turn.fail(turn.broken)
        elif turn.excerpt is None:
            self._complete(turn, Hypothesis((), final=True))
        else:
            self._emit(FinishTurn(turn.item_id, turn.voiced))

    # Text

    def _find(self, item_id: str) -> Turn | None:
        turn = self._listener.open
        if turn is not None and turn.item_id == item_id:
            return turn
        return self._committed.get(item_id)

    def _learn(self, item_id: str, hypothesis: Hypothesis) -> None:
        turn = self._find(item_id)
        if turn is None or not turn.growing:
            return
        if hypothesis.final and turn.stop is not None:
            self._complete(turn, hypothesis)
            return
        turn.guess(hypothesis)
        if turn is self._listener.open:
            self._follow(self._listener.look_for_the_end())

    def _complete(self, turn: Turn, final: Hypothesis) -> None:
        if final.words:
            # Where nobody spoke, the language is a guess at noise.
            self._listener.language = final.language or self._listener.language
        self._conversation.transcribed(turn.item_id, turn.complete(final, self._now))

    def _break(self, item_id: str, problem: Problem) -> None:
        turn = self._find(item_id)
        if turn is None or turn.ended:
            return
        if turn.stop is None:
            turn.broken = problem
        else:
            turn.fail(problem)

    def _tell(self) -> None:
        """Let the oldest turn speak, and the next once it has ended."""
        for turn in list(self._committed.values()):
            self._pass_on(turn)
            if not turn.ended:
                return
            del self._committed[turn.item_id]
        if self._listener.open is not None:
            self._pass_on(self._listener.open)

    def _pass_on(self, turn: Turn) -> None:
        self._out.extend(turn.untold)
        turn.untold.clear()

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
