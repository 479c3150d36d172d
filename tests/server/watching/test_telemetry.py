"""The way to a collector: what arrives there, and that nobody waits for one that is dead."""

import logging
import socket
import threading
from collections.abc import Iterator
from time import monotonic

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server.watching.instruments import (
    DOUBTS,
    FINAL_AFTER_COMMIT,
    MEMORY,
    QUEUE,
    REFUSALS,
    Instrument,
)
from realtime_asr.server.watching.telemetry import Telemetry, telemetry
from tests.fakes import ManualClock
from tests.server.watching.collector import collector

SOON = 10.0
"""Far less than the exporters would take by themselves."""


@pytest.fixture(autouse=True)
def _loud_again() -> Iterator[None]:
    yield
    logging.getLogger("opentelemetry").setLevel(logging.NOTSET)


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def dead() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


def happen(out: Telemetry, sessions: int = 1) -> None:
    for number in range(sessions):
        out.traces.entered(f"sess_{number}", Visitor(), 0.0)
        out.meter.count(REFUSALS, "other")
        out.traces.left(f"sess_{number}", 1.0)


async def test_spans_and_figures_arrive_at_the_collector() -> None:
    async with collector() as (address, sink):
        out = telemetry(f"{address}/", ManualClock())
        happen(out)
        await out.stop()

    traces = ExportTraceServiceRequest.FromString(sink.bodies["/v1/traces"]).resource_spans[0]
    metrics = ExportMetricsServiceRequest.FromString(sink.bodies["/v1/metrics"]).resource_metrics[0]
    named = {attribute.key: attribute.value.string_value for attribute in traces.resource.attributes}
    assert "realtime-asr" == named["service.name"]
    assert ["session"] == [span.name for span in traces.scope_spans[0].spans]
    assert ["realtime_asr.refusals"] == [metric.name for metric in metrics.scope_metrics[0].metrics]


@pytest.mark.parametrize("kind", ["silent", "dead"])
async def test_a_collector_that_is_gone_holds_up_nothing(
    kind: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    out = telemetry(request.getfixturevalue(kind), ManualClock())

    others = set(threading.enumerate())

    began = monotonic()
    happen(out, sessions=5_000)
    happened = monotonic() - began
    await out.stop()
    stopped = monotonic() - began - happened
    left = set(threading.enumerate()) - others
    for thread in left:
        thread.join(SOON)

    assert happened < SOON
    assert stopped < SOON
    assert not any(thread.is_alive() for thread in left)
    complaints = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert ["telemetry lost"] == complaints


def measured(name: str, reader: InMemoryMetricReader) -> list[tuple[dict[str, str], float]]:
    data = reader.get_metrics_data()
    points = [
        point
        for resource in (data.resource_metrics if data else ())
        for metric in resource.scope_metrics[0].metrics
        if metric.name == name
        for point in metric.data.data_points
    ]
    return [
        ({name: str(value) for name, value in (point.attributes or {}).items()}, _value(point))
        for point in points
    ]


def _value(point: object) -> float:
    """A histogram's is the sum."""
    told = vars(point)
    return float(told["value"] if "value" in told else told["sum"])


@pytest.mark.parametrize(
    ("instrument", "labels"),
    [(QUEUE, ("tiny",)), (MEMORY, ()), (DOUBTS, ("tiny", "low_confidence"))],
    ids=["gauge", "without labels", "counter"],
)
def test_what_is_looked_at_goes_out_too(instrument: Instrument, labels: tuple[str, ...]) -> None:
    reader = InMemoryMetricReader()
    meter = Telemetry(SimpleSpanProcessor(InMemorySpanExporter()), reader, ManualClock()).meter

    meter.watch(instrument, lambda: {labels: 7})

    attributes = dict(zip(instrument.labels, labels, strict=True))
    assert [(attributes, 7)] == measured(f"realtime_asr.{instrument.name}", reader)


def test_what_changes_while_it_is_looked_at_goes_out_the_next_time() -> None:
    reader = InMemoryMetricReader()
    meter = Telemetry(SimpleSpanProcessor(InMemorySpanExporter()), reader, ManualClock()).meter
    answers: Iterator[RuntimeError | float] = iter(
        [RuntimeError("dictionary changed size during iteration"), 7]
    )

    def read() -> dict[tuple[str, ...], float]:
        answer = next(answers)
        if isinstance(answer, RuntimeError):
            raise answer
        return {(): answer}

    meter.watch(MEMORY, read)

    assert [[], [({}, 7)]] == [measured("realtime_asr.memory", reader) for _ in range(2)]


def test_what_is_expected_goes_out_as_zero() -> None:
    reader = InMemoryMetricReader()
    meter = Telemetry(SimpleSpanProcessor(InMemorySpanExporter()), reader, ManualClock()).meter

    meter.expect(REFUSALS, "other")
    meter.expect(FINAL_AFTER_COMMIT, "tiny")

    assert [({"code": "other"}, 0)] == measured("realtime_asr.refusals", reader)
    assert [] == measured("realtime_asr.final_after_commit", reader)


def test_what_is_counted_and_measured_goes_out() -> None:
    reader = InMemoryMetricReader()
    meter = Telemetry(SimpleSpanProcessor(InMemorySpanExporter()), reader, ManualClock()).meter

    for _ in range(2):
        meter.count(REFUSALS, "other", by=1.5)
        meter.measure(FINAL_AFTER_COMMIT, 0.25, "tiny", trace_id="a")

    assert [({"code": "other"}, 3.0)] == measured("realtime_asr.refusals", reader)
    assert [({"model": "tiny"}, 0.5)] == measured("realtime_asr.final_after_commit", reader)
