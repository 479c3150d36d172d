"""A session played through at once: no server, no clock, the same result every time.

The session is the real one, the passes are the real model's, and each comes back before more audio
is heard. So what is measured is what text comes out, not how fast.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.audio.formats import AudioFormat, Encoding, encode_pcm16
from realtime_asr.audio.timeline import RATE, Samples, samples
from realtime_asr.engines.engine import EngineError, Model
from realtime_asr.engines.hearing import Hearing, Pass
from realtime_asr.engines.recording import conclude
from realtime_asr.session.commands import (
    AppendAudio,
    Begin,
    Command,
    CommitAudio,
    EndSession,
    HypothesisArrived,
)
from realtime_asr.session.config import Limits, ModelNames, SessionConfig
from realtime_asr.session.effects import AbandonTurn, FeedTurn, FinishTurn, OpenTurn, PrepareTurn
from realtime_asr.session.events import TranscriptCompleted, TranscriptGrew
from realtime_asr.session.listening import Listener
from realtime_asr.session.session import Output, Session
from realtime_asr.session.turn import Turn
from realtime_asr.transcript.hypothesis import Hypothesis

PCM16_16K: Final = AudioFormat(Encoding.PCM16, RATE)
_STEP: Final = samples(100)
USUAL_CADENCE: Final = samples(500)


@dataclass(slots=True)
class _Line:
    """One turn as an engine has it."""

    hearing: Hearing
    heard: int = 0
    prepared: tuple[int, Hypothesis] | None = None


class Rehearsal:
    """`config` should say PCM16_16K, so that positions are those of what is played."""

    def __init__(
        self, model: Model, config: SessionConfig, scorer: SpeechScorer, every: int = USUAL_CADENCE
    ) -> None:
        """`every` is the audio between two guesses."""
        self.completed: list[TranscriptCompleted] = []
        self.deltas: list[TranscriptGrew] = []
        self.given: list[tuple[int, int]] = []
        """Which audio the engine was given, in samples of the session."""
        self._model = model
        self._every = every
        names = iter(range(1, 1_000_000))
        name = config.transcription.model if config.transcription else "any"
        limits = Limits(ModelNames(name, {name: name}), session_seconds=1e9)
        self._session = _Watched(self.given, config, limits, scorer, lambda: f"item_{next(names)}")
        self._turns: dict[str, _Line] = {}
        self._do(Begin())

    def play(self, audio: Samples) -> None:
        for start in range(0, len(audio), _STEP):
            self._do(AppendAudio(encode_pcm16(audio[start : start + _STEP])))

    def commit(self) -> None:
        self._do(CommitAudio())

    def end(self) -> None:
        self._do(EndSession())

    @property
    def text(self) -> str:
        return " ".join(completed.transcript for completed in self.completed if completed.transcript)

    def _do(self, command: Command) -> None:
        waiting = [command]
        while waiting:
            for output in self._session.receive(waiting.pop(0), 0.0):
                waiting += self._act(output)

    def _act(self, output: Output) -> Sequence[Command]:
        match output:
            case OpenTurn(item_id, request):
                self._turns[item_id] = _Line(Hearing(request, self._model.bands))
            case FeedTurn(item_id, heard, voice):
                line = self._turns[item_id]
                line.hearing.feed(heard, voice)
                if line.hearing.fed - line.heard >= self._every:
                    line.heard = line.hearing.fed
                    return self._told(item_id, self._heard(line, line.hearing.guess()))
            case PrepareTurn(item_id, voiced):
                return self._told(item_id, self._verdict(self._turns[item_id], voiced))
            case FinishTurn(item_id, voiced):
                final = self._verdict(self._turns.pop(item_id), voiced)
                return self._told(item_id, replace(final, final=True))
            case AbandonTurn(item_id):
                del self._turns[item_id]
            case TranscriptCompleted():
                self.completed.append(output)
            case TranscriptGrew():
                self.deltas.append(output)
            case _:
                pass
        return ()

    def _verdict(self, line: _Line, voiced: int) -> Hypothesis:
        if line.prepared is None or line.prepared[0] != voiced:
            said = conclude(self._model, line.hearing, voiced) if voiced > 0 else Hypothesis(())
            line.prepared = voiced, said
        return line.prepared[1]

    def _heard(self, line: _Line, work: Pass) -> Hypothesis | None:
        [text] = self._model.transcribe([work.job])
        assert not isinstance(text, EngineError), text
        return line.hearing.learn(work, text)

    def _told(self, item_id: str, hypothesis: Hypothesis | None) -> Sequence[Command]:
        return [] if hypothesis is None else [HypothesisArrived(item_id, hypothesis)]


class _Watched(Session):
    def __init__(self, given: list[tuple[int, int]], *args: Any) -> None:
        super().__init__(*args)
        self._listener = _WatchedListener(given, *args)


class _WatchedListener(Listener):
    def __init__(self, given: list[tuple[int, int]], *args: Any) -> None:
        super().__init__(*args)
        self._given = given

    def _feed(self, turn: Turn) -> None:
        before = turn.excerpt.end if turn.excerpt else 0
        super()._feed(turn)
        if turn.excerpt and turn.excerpt.end > before:
            self._given.append((before, turn.excerpt.end))
