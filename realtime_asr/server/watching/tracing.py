"""Sessions, their items and the passes over them as OpenTelemetry's spans: ids, names of ours and numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.trace import Span, Tracer, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from realtime_asr.audio.timeline import seconds
from realtime_asr.engines.engine import Passed
from realtime_asr.runtime.clock import Clock
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.commands import Command
from realtime_asr.session.effects import AbandonTurn, Effect, OpenTurn
from realtime_asr.session.events import Event, TranscriptCompleted, TranscriptFailed


@dataclass(slots=True)
class _Traced:
    span: Span
    items: dict[str, Span] = field(default_factory=dict)
    """Those that an engine listens to."""


class Traces:
    """One span for each session, in it one for each item that an engine hears, in these one for each pass."""

    def __init__(self, tracer: Tracer, clock: Clock) -> None:
        self._tracer = tracer
        self._clock = clock
        self._sessions: dict[str, _Traced] = {}

    def trace_of(self, session_id: str, visitor: Visitor) -> str | None:
        """Of a session that entered: the client's own trace, or else one that began here."""
        traced = self._sessions.get(session_id)
        if traced is None:
            return visitor.trace_id
        return format_trace_id(traced.span.get_span_context().trace_id)

    def entered(self, session_id: str, visitor: Visitor, now: float) -> None:
        attributes = {"session.id": session_id, "key.id": visitor.key_id, "door": visitor.door}
        span = self._tracer.start_span(
            "session", _parent(visitor), attributes=attributes, start_time=self._unix(now)
        )
        self._sessions[session_id] = _Traced(span)

    def stepped(
        self,
        session_id: str,
        command: Command,  # noqa: ARG002
        outputs: Sequence[Event | Effect],
        now: float,
        took: float,  # noqa: ARG002
    ) -> None:
        for output in outputs:
            self._follow(session_id, output, now)

    def turn_broke(self, session_id: str, item_id: str, error: Exception) -> None:
        if span := self._sessions[session_id].items.get(item_id):
            span.set_attribute("error.type", type(error).__name__)

    def broke(self, session_id: str, error: BaseException) -> None:
        # Its message may quote what a client said.
        self._sessions[session_id].span.set_attribute("error.type", type(error).__name__)

    def left(self, session_id: str, now: float) -> None:
        traced = self._sessions.pop(session_id)
        for item in traced.items.values():
            item.end(self._unix(now))
        traced.span.end(self._unix(now))

    def refused(self, visitor: Visitor, code: str | None) -> None:
        """Nothing began that could be traced."""

    def passed(self, model: str, done: Passed) -> None:
        """What an engine is to call right after each of its passes, since its clock need not be ours."""
        ended = self._clock.now()
        attributes: dict[str, str | float | bool] = {
            "model": model,
            "kind": done.kind,
            "turns": len(done.sources),
            "audio_seconds": seconds(done.audio),
            "failed": done.failed,
        }
        for source in done.sources:
            span = self._tracer.start_span(
                "pass",
                self._within(source),
                attributes=attributes,
                start_time=self._unix(ended - done.took),
            )
            span.end(self._unix(ended))

    def _follow(self, session_id: str, output: Event | Effect, now: float) -> None:
        match output:
            case OpenTurn(item_id):
                self._begin(session_id, item_id, now)
            case TranscriptCompleted(item_id, length=length, corrected=corrected):
                facts = {"audio_seconds": seconds(length), "corrected": corrected}
                self._end(session_id, item_id, now, facts)
            case TranscriptFailed(item_id, problem):
                self._end(session_id, item_id, now, {"error.type": problem.code or problem.kind})
            case AbandonTurn(item_id):
                self._end(session_id, item_id, now, {"abandoned": True})
            case _:
                pass

    def _begin(self, session_id: str, item_id: str, now: float) -> None:
        traced = self._sessions[session_id]
        traced.items[item_id] = self._tracer.start_span(
            "item",
            set_span_in_context(traced.span),
            attributes={"session.id": session_id, "item.id": item_id},
            start_time=self._unix(now),
        )

    def _end(self, session_id: str, item_id: str, now: float, facts: Mapping[str, str | float]) -> None:
        if span := self._sessions[session_id].items.pop(item_id, None):
            span.set_attributes(facts)
            span.end(self._unix(now))

    def _within(self, source: str) -> Context | None:
        session_id, _, item_id = source.partition("/")
        traced = self._sessions.get(session_id)
        return None if traced is None else set_span_in_context(traced.items.get(item_id, traced.span))

    def _unix(self, moment: float) -> int:
        """In nanoseconds."""
        return round((self._clock.unix() - self._clock.now() + moment) * 1e9)


def _parent(visitor: Visitor) -> Context | None:
    if visitor.traceparent is None:
        return None
    return TraceContextTextMapPropagator().extract({"traceparent": visitor.traceparent})
