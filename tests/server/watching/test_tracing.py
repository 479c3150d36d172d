"""Sessions as spans."""

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from realtime_asr.engines.engine import Passed
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server.watching.telemetry import Telemetry
from realtime_asr.server.watching.tracing import Traces
from realtime_asr.session.commands import AppendAudio, Begin
from realtime_asr.session.effects import AbandonTurn, Effect, OpenTurn
from realtime_asr.session.events import (
    AudioCommitted,
    Event,
    SpeechStarted,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.request import TurnRequest
from tests.fakes import ManualClock

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACED = Visitor("key_1", "realtime", f"00-{TRACE}-{PARENT}-01")
ASKED = TurnRequest("whisper-1", prompt="canary")
NANO = 1_000_000_000


class House:
    """One session that is traced. The clock began in 1970."""

    def __init__(self, visitor: Visitor = TRACED) -> None:
        self.clock = ManualClock(began=0.0)
        self.exporter = InMemorySpanExporter()
        self.traces: Traces = Telemetry(
            SimpleSpanProcessor(self.exporter), InMemoryMetricReader(), self.clock
        ).traces
        self.traces.entered("sess_1", visitor, 1.0)

    def step(self, *outputs: Event | Effect, at: float) -> None:
        self.traces.stepped("sess_1", Begin(), outputs, at, 0.001)

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}


def lifetime(span: ReadableSpan) -> tuple[float, float]:
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time / NANO, span.end_time / NANO


def parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def own(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def test_a_session_holds_its_items_and_these_the_passes_over_them() -> None:
    house = House()

    house.step(SpeechStarted("item_1", 0), OpenTurn("item_1", ASKED), at=2.0)
    house.clock.at = 3.0
    house.traces.passed("tiny", Passed("final", ["sess_1/item_1"], 16_000, 700.0, 0.5))
    house.step(TranscriptGrew("item_1", "canary"), TranscriptCompleted("item_1", "canary", 32_000), at=4.0)
    house.traces.left("sess_1", 5.0)

    session, item, over = (house.spans()[name] for name in ("session", "item", "pass"))
    assert [own(session), own(item)] == [parent(item), parent(over)]
    assert [(1.0, 5.0), (2.0, 4.0), (2.5, 3.0)] == [lifetime(span) for span in (session, item, over)]
    assert {"session.id": "sess_1", "key.id": "key_1", "door": "realtime"} == session.attributes
    assert {
        "session.id": "sess_1",
        "item.id": "item_1",
        "audio_seconds": 2.0,
        "corrected": False,
    } == item.attributes
    assert {
        "model": "tiny",
        "kind": "final",
        "turns": 1,
        "audio_seconds": 1.0,
        "failed": False,
    } == over.attributes
    assert "canary" not in "".join(span.to_json() for span in house.exporter.get_finished_spans())


def test_a_session_is_part_of_the_trace_its_client_brings_along() -> None:
    house = House()

    house.traces.left("sess_1", 5.0)

    assert int(PARENT, 16) == parent(house.spans()["session"])
    assert TRACE == House().traces.trace_of("sess_1", TRACED)


@pytest.mark.parametrize("traceparent", [None, "canary", f"00-{'0' * 32}-{PARENT}-01"])
def test_a_client_without_a_trace_gets_one(traceparent: str | None) -> None:
    house = House(Visitor(traceparent=traceparent))

    trace_id = house.traces.trace_of("sess_1", Visitor(traceparent=traceparent))
    house.traces.left("sess_1", 5.0)

    span = house.spans()["session"]
    assert parent(span) is None
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == trace_id


def test_of_somebody_who_never_entered_the_trace_is_the_one_they_told() -> None:
    assert TRACE == House().traces.trace_of("sess_2", TRACED)


def test_frames_are_no_spans() -> None:
    house = House()

    for _ in range(100):
        house.traces.stepped("sess_1", AppendAudio(bytes(960)), [AudioCommitted("item_1", None)], 2.0, 0.001)
    house.traces.refused(Visitor(), "invalid_api_key")
    house.traces.left("sess_1", 5.0)

    assert ["session"] == [span.name for span in house.exporter.get_finished_spans()]


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (TranscriptFailed("item_1", Problem(None, "canary", kind="server_error")), ("error.type", "server_error")),
        (TranscriptFailed("item_1", Problem("a_code", "canary")), ("error.type", "a_code")),
        (AbandonTurn("item_1"), ("abandoned", True)),
    ],
)  # fmt: skip
def test_how_an_item_ended_is_told(output: Event | Effect, told: tuple[str, object]) -> None:
    house = House()

    house.step(OpenTurn("item_1", ASKED), at=2.0)
    house.step(output, output, at=3.0)

    item = house.spans()["item"]
    assert (2.0, 3.0) == lifetime(item)
    assert told in (item.attributes or {}).items()


def test_items_end_with_their_session() -> None:
    house = House()

    house.step(OpenTurn("item_1", ASKED), at=2.0)
    house.traces.left("sess_1", 5.0)

    assert (2.0, 5.0) == lifetime(house.spans()["item"])


def test_a_pass_over_a_turn_that_ended_belongs_to_its_session_and_one_of_nobody_is_alone() -> None:
    house = House()

    house.traces.passed("tiny", Passed("guess", ["sess_1/item_9", "sess_8/item_1"], 16_000, 0.0, 0.5))
    house.traces.left("sess_1", 5.0)

    passes = [span for span in house.exporter.get_finished_spans() if span.name == "pass"]
    assert [own(house.spans()["session"]), None] == [parent(span) for span in passes]


def test_errors_are_told_by_kind_and_not_by_message() -> None:
    house = House()

    house.step(OpenTurn("item_1", ASKED), at=2.0)
    house.traces.turn_broke("sess_1", "item_1", ValueError("canary"))
    house.traces.turn_broke("sess_1", "item_9", ValueError("canary"))
    house.traces.broke("sess_1", KeyError("canary"))
    house.traces.left("sess_1", 5.0)

    session, item = house.spans()["session"], house.spans()["item"]
    assert ["KeyError", "ValueError"] == [(span.attributes or {})["error.type"] for span in (session, item)]
    assert "canary" not in session.to_json() + item.to_json()
