"""Counting what happens: from what sessions do and engines report to figures."""

import resource
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, get_args

from realtime_asr.audio.formats import PCM16_24K, AudioFormat
from realtime_asr.audio.timeline import seconds
from realtime_asr.dialects.faults import FAULTS
from realtime_asr.engines.engine import Accountable, Kind, Passed
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server.health import status
from realtime_asr.server.watching import instruments as of
from realtime_asr.server.watching.instruments import Instrument, Labels, Meter
from realtime_asr.session.commands import AppendAudio, Command
from realtime_asr.session.config import Models, SessionConfig
from realtime_asr.session.effects import AbandonTurn, Effect, OpenTurn
from realtime_asr.session.events import (
    Event,
    Rejected,
    SessionCreated,
    SessionUpdated,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.problem import Problem, ProblemKind
from realtime_asr.transcript.credibility import Reason
from realtime_asr.transports import file_desk, literal_post, openai_websocket
from realtime_asr.transports.reception import Reception

CODES: Final = frozenset(
    {
        code
        for fault in FAULTS.values()
        for code in (fault.code.format(number="integer"), fault.code.format(number="decimal"))
    }
    | {
        "client_secret_not_found",
        "duplicate_parameter",
        "event_too_large",
        "input_audio_buffer_commit_empty",
        "invalid_api_key",
        "invalid_event",
        "invalid_json",
        "invalid_model",
        "item_not_found",
        "method_not_supported",
        "model_not_found",
        "origin_not_allowed",
        "rate_limit_exceeded",
        "session_expired",
        "unsupported_language",
    }
)
"""Those that are counted by name."""
_KINDS: Final = {kind: kind.__name__ for kind in get_args(Event)}
_DOORS: Final = (openai_websocket.DOOR, literal_post.DOOR, file_desk.DOOR)
"""Through which sessions come."""
_OTHER: Final = "other"


@dataclass(slots=True)
class _Turn:
    """One that an engine listens to, until its text is told."""

    model: str
    began: float
    live: bool
    told: bool = False
    """Some of its text was."""


@dataclass(slots=True)
class _Visit:
    visitor: Visitor
    trace_id: str | None
    format: AudioFormat = PCM16_24K
    live: bool = True
    """Text is told while it grows."""
    turns: dict[str, _Turn] = field(default_factory=dict)


class Figures:
    """An observer that tells a meter."""

    def __init__(self, meter: Meter, models: Models, trace_of: Callable[[str, Visitor], str | None]) -> None:
        """`trace_of` is asked once for each session that enters, by its id."""
        self._meter = meter
        self._models = models
        self._trace_of = trace_of
        self._visits: dict[str, _Visit] = {}
        self._open: Counter[Labels] = Counter({(door,): 0 for door in _DOORS})
        meter.watch(of.SESSIONS_OPEN, lambda: dict(self._open))
        for instrument, values in _COUNTED.items():
            for value in values:
                meter.expect(instrument, value)

    def expect(self, model: str) -> None:
        """Its figures are there before anything is said to it."""
        for instrument in _OF_A_MODEL:
            self._meter.expect(instrument, model)
        for kind in get_args(Kind):
            self._meter.expect(of.PASS, model, kind)
            self._meter.expect(of.PASSES_FAILED, model, kind)

    def entered(self, session_id: str, visitor: Visitor, now: float) -> None:  # noqa: ARG002
        self._visits[session_id] = _Visit(visitor, self._trace_of(session_id, visitor))
        self._open[visitor.door,] += 1
        self._meter.count(of.SESSIONS_STARTED, visitor.door)

    def stepped(
        self,
        session_id: str,
        command: Command,
        outputs: Sequence[Event | Effect],
        now: float,
        took: float,  # noqa: ARG002
    ) -> None:
        visit = self._visits[session_id]
        if isinstance(command, AppendAudio):
            length = visit.format.seconds(len(command.payload))
            self._meter.count(of.AUDIO, visit.visitor.door, by=length)
        for output in outputs:
            if kind := _KINDS.get(type(output)):
                self._meter.count(of.EVENTS, kind)
            self._follow(visit, output, now)

    def turn_broke(self, session_id: str, item_id: str, error: Exception) -> None:
        """The item fails for it, and is counted then."""

    def broke(self, session_id: str, error: BaseException) -> None:  # noqa: ARG002
        self._meter.count(of.ERRORS, "server_error")

    def left(self, session_id: str, now: float) -> None:  # noqa: ARG002
        visit = self._visits.pop(session_id)
        self._open[visit.visitor.door,] -= 1

    def refused(self, visitor: Visitor, code: str | None) -> None:  # noqa: ARG002
        self._meter.count(of.REFUSALS, _known(code))

    def passed(self, model: str, done: Passed) -> None:
        """What an engine is to call after each of its passes."""
        self._meter.measure(of.PASS, done.took, model, done.kind)
        self._meter.measure(of.BATCH, len(done.sources), model)
        if done.failed:
            self._meter.count(of.PASSES_FAILED, model, done.kind)

    def _follow(self, visit: _Visit, output: Event | Effect, now: float) -> None:
        match output:
            case SessionCreated(config) | SessionUpdated(config):
                visit.format, visit.live = config.format, _is_live(config)
            case OpenTurn(item_id, request):
                # The name is the client's; who answers is ours.
                model = self._models.resolve(request.model) or self._models.default
                visit.turns[item_id] = _Turn(model, now, live=not request.recorded)
            case TranscriptGrew(item_id):
                self._grew(visit, item_id, now)
            case TranscriptCompleted():
                self._completed(visit, output, now)
            case TranscriptFailed(item_id, problem):
                visit.turns.pop(item_id, None)
                self._meter.count(of.ERRORS, _code(problem))
            case AbandonTurn(item_id):
                visit.turns.pop(item_id, None)
            case Rejected(problem):
                self._meter.count(of.ERRORS, _code(problem))
            case _:
                pass

    def _grew(self, visit: _Visit, item_id: str, now: float) -> None:
        turn = visit.turns.get(item_id)
        if turn is None or turn.told:
            return
        turn.told = True
        if turn.live and visit.live:
            self._meter.measure(of.FIRST_DELTA, now - turn.began, turn.model, trace_id=visit.trace_id)

    def _completed(self, visit: _Visit, done: TranscriptCompleted, now: float) -> None:
        """An item that no engine listened to, as nobody spoke, would make the others look quick."""
        turn, timing = visit.turns.pop(done.item_id, None), done.timing
        if turn is None or timing is None:
            return
        if done.corrected:
            self._meter.count(of.CORRECTIONS, turn.model)
        if turn.live:
            for instrument, since in (
                (of.FINAL_AFTER_SPEECH, timing.speech_ended),
                (of.FINAL_AFTER_COMMIT, timing.committed),
            ):
                self._meter.measure(instrument, now - since, turn.model, trace_id=visit.trace_id)
        if timing.effort is not None and done.length:
            factor = timing.effort.decoded / seconds(done.length)
            self._meter.measure(of.REAL_TIME_FACTOR, factor, turn.model)


_COUNTED: Final[Mapping[Instrument, Collection[str]]] = {
    of.SESSIONS_STARTED: _DOORS,
    of.AUDIO: _DOORS,
    of.EVENTS: _KINDS.values(),
    of.REFUSALS: {*CODES, _OTHER},
    of.ERRORS: {*CODES, _OTHER, *get_args(ProblemKind)},
}
"""By what."""
_OF_A_MODEL: Final = (
    of.FIRST_DELTA,
    of.FINAL_AFTER_SPEECH,
    of.FINAL_AFTER_COMMIT,
    of.CORRECTIONS,
    of.REAL_TIME_FACTOR,
    of.BATCH,
)


def watch(meter: Meter, reception: Reception, in_flight: Callable[[], int]) -> None:
    """What is not counted as it happens, but looked at when somebody asks."""
    engines = _engines(reception)
    sessions = reception.sessions
    readings: dict[Instrument, Callable[[], Mapping[Labels, float]]] = {
        of.READY: lambda: {(): float(status(reception) == "ready")},
        of.SESSIONS_MOST: lambda: {} if sessions.most is None else {(): sessions.most},
        of.QUEUE: engines(lambda engine: {(): engine.waiting}),
        of.RUNNING: engines(lambda engine: {(): engine.running}),
        of.STRETCH: engines(lambda engine: {(): engine.account.stretch}),
        of.DOUBTS: engines(
            lambda engine: {(reason,): engine.account.doubts[reason] for reason in get_args(Reason)}
        ),
        of.STALE: engines(lambda engine: {(): engine.account.stale}),
        of.HUNG: engines(lambda engine: {(): engine.account.hung}),
        of.IN_FLIGHT: lambda: {(): in_flight()},
        of.MEMORY: lambda: {(): resident_bytes()},
    }
    for instrument, read in readings.items():
        meter.watch(instrument, read)


def resident_bytes() -> int:
    """Where the system does not tell what it is now, the most it ever was."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


_Ask = Callable[[Accountable], Mapping[Labels, float]]


def _engines(reception: Reception) -> Callable[[_Ask], Callable[[], Mapping[Labels, float]]]:
    """Asks them all, and puts the name of the model before each answer."""

    def of_each(ask: _Ask) -> Callable[[], Mapping[Labels, float]]:
        return lambda: {
            (model, *labels): value
            for model, engine in reception.catalogue.accountable.items()
            for labels, value in ask(engine).items()
        }

    return of_each


def _is_live(config: SessionConfig) -> bool:
    return config.transcription is not None and config.transcription.deltas != "after_commit"


def _code(problem: Problem) -> str:
    """What has no code is told apart by whose fault it is."""
    return problem.kind if problem.code is None else _known(problem.code)


def _known(code: str | None) -> str:
    return code if code in CODES else _OTHER
