"""The way to an OpenTelemetry collector, which may be slow or dead: nothing here waits for it for long."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExportResult,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from realtime_asr.engines.threads import in_thread
from realtime_asr.runtime.clock import Clock
from realtime_asr.server.watching.instruments import Instrument, Reading
from realtime_asr.server.watching.logs import write
from realtime_asr.server.watching.tracing import Traces

_NAME: Final = "realtime-asr"
_SECONDS: Final = 2.0
"""So long the collector may take to answer, and we to say farewell."""
_EVERY_MS: Final = 15_000
"""How often figures go out."""
_QUIET_SECONDS: Final = 300.0
"""Between two complaints."""


class Telemetry:
    """Traces and figures on their way out."""

    def __init__(
        self,
        spans: SpanProcessor,
        figures: MetricReader,
        clock: Clock,
        give_up: Callable[[], None] = lambda: None,
    ) -> None:
        """`give_up` is called when the farewell takes too long."""
        self._give_up = give_up
        resource = Resource.create({"service.name": _NAME})
        self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracers.add_span_processor(spans)
        self._meters = MeterProvider([figures], resource, shutdown_on_exit=False)
        self.traces = Traces(self._tracers.get_tracer(_NAME), clock)
        self.meter = OpenTelemetry(self._meters)

    async def stop(self) -> None:
        """What is left goes out, if the collector takes it soon."""
        _, late = await asyncio.wait([in_thread(self._shut_down)], timeout=_SECONDS)
        if late:
            self._give_up()

    def _shut_down(self) -> None:
        self._tracers.shutdown()
        self._meters.shutdown()


def telemetry(address: str, clock: Clock) -> Telemetry:
    """To the collector at this address, over HTTP."""
    # They log each failure, with what the collector says and at every attempt.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    complaint = _Complaint(clock)
    base = address.rstrip("/")
    spans = _Spans(complaint, endpoint=f"{base}/v1/traces", timeout=_SECONDS)
    figures = _Figures(complaint, endpoint=f"{base}/v1/metrics", timeout=_SECONDS)
    reader = PeriodicExportingMetricReader(figures, _EVERY_MS)

    def give_up() -> None:
        complaint()
        # Or their threads would go on trying.
        spans.shutdown()  # type: ignore[no-untyped-call]
        figures.shutdown()

    return Telemetry(BatchSpanProcessor(spans), reader, clock, give_up)


class OpenTelemetry:
    """A meter."""

    def __init__(self, provider: MeterProvider) -> None:
        self._meter = provider.get_meter(_NAME)
        self._counters: dict[Instrument, Any] = {}
        self._histograms: dict[Instrument, Any] = {}

    def expect(self, instrument: Instrument, *labels: str) -> None:
        """Of histograms OpenTelemetry knows no empty ones."""
        if instrument.kind == "counter":
            self.count(instrument, *labels, by=0)

    def count(self, instrument: Instrument, *labels: str, by: float = 1) -> None:
        if instrument not in self._counters:
            self._counters[instrument] = self._meter.create_counter(*_described(instrument))
        self._counters[instrument].add(by, _attributes(instrument, labels))

    def measure(
        self,
        instrument: Instrument,
        value: float,
        *labels: str,
        trace_id: str | None = None,  # noqa: ARG002  spans hold the same in full
    ) -> None:
        if instrument not in self._histograms:
            self._histograms[instrument] = self._meter.create_histogram(
                *_described(instrument), explicit_bucket_boundaries_advisory=instrument.buckets
            )
        self._histograms[instrument].record(value, _attributes(instrument, labels))

    def watch(self, instrument: Instrument, read: Reading) -> None:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            # Its thread is not the loop's, which may change what is read just now: next time it will not.
            with suppress(RuntimeError):
                for labels, value in read().items():
                    yield Observation(value, _attributes(instrument, labels))

        counter = instrument.kind == "counter"
        create = self._meter.create_observable_counter if counter else self._meter.create_observable_gauge
        name, unit, description = _described(instrument)
        create(name, [observe], unit, description)


def _described(instrument: Instrument) -> tuple[str, str, str]:
    """Name, unit and description, as OpenTelemetry writes them."""
    unit = {"": "1", "seconds": "s", "bytes": "By"}[instrument.unit]
    return f"realtime_asr.{instrument.name}", unit, instrument.help


def _attributes(instrument: Instrument, labels: Sequence[str]) -> dict[str, str]:
    return dict(zip(instrument.labels, labels, strict=True))


class _Complaint:
    """One line in a while, however often the collector fails and whatever it says."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._quiet_until: float | None = None
        self._failures = 0

    def __call__(self) -> None:
        self._failures += 1
        now = self._clock.now()
        if self._quiet_until is None or now >= self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            write(logging.WARNING, "telemetry lost", failures=self._failures)


class _Spans(OTLPSpanExporter):
    def __init__(self, complain: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self._complain = complain

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._complain()
        return result


class _Figures(OTLPMetricExporter):
    def __init__(self, complain: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self._complain = complain

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = None, **options: Any
    ) -> MetricExportResult:
        result = super().export(metrics_data, timeout_millis, **options)
        if result is not MetricExportResult.SUCCESS:
            self._complain()
        return result
